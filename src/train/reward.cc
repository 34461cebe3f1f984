#include "train/reward.h"

#include <algorithm>

#include "train/reward_loss.h"

namespace hone::train {

using llm::PreferenceTokens;
using llm::TreeExample;
using llm::TreeResult;

namespace {

std::vector<TreeExample> trees_of(const std::vector<PreferenceTokens>& examples,
                                  bool prefix_sharing) {
  std::vector<TreeExample> trees;
  for (const PreferenceTokens& e : examples) trees.push_back(e.score_tree(prefix_sharing));
  return trees;
}

// What the loop watches of one pair.
struct PairState {
  double loss = 0, chosen = 0, rejected = 0;
};

PairState pair_loss(const RewardConfig& config, const PreferenceTokens& example,
                    const TreeResult& result, std::span<float> coefficients) {
  const double chosen = static_cast<double>(result.log_probs[0]);
  const double rejected = static_cast<double>(result.log_probs[1]);
  const RewardLoss loss = reward_loss(chosen, rejected, example.margin, example.probability,
                                      config.center_rewards_coefficient);
  if (!coefficients.empty()) {
    coefficients[0] = static_cast<float>(example.weight * loss.d_chosen);
    coefficients[1] = static_cast<float>(example.weight * loss.d_rejected);
  }
  return {loss.value, chosen, rejected};
}

struct BatchLoss {
  double loss = 0;
  Json metrics = Json::object();
};

BatchLoss combine(const std::vector<PairState>& states,
                  const std::vector<const PreferenceTokens*>& pairs, const std::string& prefix) {
  double loss = 0, weight = 0, sum = 0, margin = 0, correct = 0;
  double least = states.front().chosen, most = states.front().chosen;
  for (size_t i = 0; i < states.size(); ++i) {
    const PairState& s = states[i];
    loss += pairs[i]->weight * s.loss;
    weight += pairs[i]->weight;
    sum += s.chosen + s.rejected;
    margin += s.chosen - s.rejected;
    correct += s.chosen > s.rejected ? 1 : 0;
    least = std::min({least, s.chosen, s.rejected});
    most = std::max({most, s.chosen, s.rejected});
  }
  const double n = static_cast<double>(states.size());
  BatchLoss out;
  out.loss = weight > 0 ? loss / weight : 0;
  out.metrics[prefix + "accuracy"] = correct / n;
  out.metrics[prefix + "margin"] = margin / n;
  out.metrics[prefix + "min_reward"] = least;
  out.metrics[prefix + "mean_reward"] = sum / (2 * n);
  out.metrics[prefix + "max_reward"] = most;
  return out;
}

size_t tokens_of(const PreferenceTokens& e) {
  return 2 * e.prompt.size() + e.chosen.size() + e.rejected.size();
}

}  // namespace

RewardPairs reward_pairs(std::vector<PreferenceTokens> all, size_t max_length) {
  RewardPairs out;
  for (PreferenceTokens& e : all) {
    const size_t longest = e.prompt.size() + std::max(e.chosen.size(), e.rejected.size());
    if (max_length > 0 && longest > max_length) {
      ++out.too_long;
    } else {
      out.pairs.push_back(std::move(e));
    }
  }
  return out;
}

TrainResult train_reward(TrainJob& job, const RewardConfig& config,
                         const std::vector<PreferenceTokens>& examples,
                         const std::vector<PreferenceTokens>& eval_examples) {
  validate(config);
  check_not_empty(examples.size());
  const std::vector<TreeExample> all = trees_of(examples, config.prefix_sharing);
  const std::vector<TreeExample> eval_trees = trees_of(eval_examples, config.prefix_sharing);
  const size_t max_rows = std::max(llm::least_pass_rows(all), llm::least_pass_rows(eval_trees));
  const data::RunManifest manifest =
      make_manifest("reward", config, config.to_json(), job.manifest);
  TrainingRun run(job, config, manifest, max_rows, {.language = false, .score = true});

  const double per_epoch = static_cast<double>(steps_per_epoch(config, all.size()));
  size_t num_tokens = 0;
  const auto evaluate = [&](size_t at) {
    std::vector<PairState> states(eval_trees.size());
    std::vector<const PreferenceTokens*> pairs;
    for (const PreferenceTokens& example : eval_examples) pairs.push_back(&example);
    llm::score_trees(run.pass(), eval_trees, [&](size_t i, const TreeResult& result) {
      states[i] = pair_loss(config, eval_examples[i], result, {});
    });
    BatchLoss loss = combine(states, pairs, "eval_");
    Json line = Json::object();
    line["step"] = uint64_t{at};
    line["eval_loss"] = loss.loss;
    for (auto& [key, value] : loss.metrics.as_object()) line[key] = std::move(value);
    line["eval_num_tokens"] = uint64_t{num_tokens};
    return line;
  };

  std::vector<size_t> sizes;
  for (const TreeExample& tree : all) sizes.push_back(tree.tree.row_count());
  size_t eval_rows = 0, work_rows = 0;
  for (const TreeExample& tree : eval_trees) eval_rows += tree.tree.row_count();
  const size_t total = total_steps(config, all.size());
  const WorkShare work(config, sizes, total, eval_rows);
  DataOrder order(config, all.size());
  const size_t done = run.restore();
  size_t step = done;
  if (done == 0) run.begin(0, 0);
  for (size_t s = 1; s <= total; ++s) {
    std::vector<TreeExample> batch;
    std::vector<const PreferenceTokens*> pairs;
    double weight = 0;
    for (size_t i : order.rows_of_step(s)) {
      num_tokens += tokens_of(examples[i]);
      work_rows += sizes[i];
      if (s <= done) continue;
      batch.push_back(all[i]);
      pairs.push_back(&examples[i]);
      weight += examples[i].weight;
    }
    if (s == done) run.begin(done, work.done(s, work_rows));
    if (s <= done) continue;
    if (weight == 0) weight = 1;  // every pair weighs 0: the gradient is 0 too
    std::vector<PairState> states(batch.size());
    const auto loss = [&](size_t i, const TreeResult& result, std::span<float> coefficients) {
      states[i] = pair_loss(config, *pairs[i], result, coefficients);
    };
    const Accumulated gradients = accumulate_gradients(run.pass(), run.optimizer(), batch, loss, s);
    BatchLoss sums = combine(states, pairs, "");
    sums.metrics["num_tokens"] = uint64_t{num_tokens};
    StepEnd end{s,
                total,
                sums.loss,
                weight,
                gradients,
                work.done(s, work_rows),
                static_cast<double>(s) / per_epoch,
                std::move(sums.metrics),
                {}};
    if (!eval_trees.empty()) end.evaluate = evaluate;
    step = s;
    if (!run.end_step(end)) break;
  }
  return run.finish(step, total);
}

}  // namespace hone::train
