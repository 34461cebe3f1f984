#include "train/reward.h"

#include <algorithm>

#include "train/reward_loss.h"

namespace hone::train {

using llm::PreferenceTokens;
using llm::StepTokens;
using llm::TreeExample;
using llm::TreeResult;

namespace {

struct BatchLoss {
  double loss = 0;
  Json metrics = Json::object();
};

// Pairs of answers: what the loop needs to know of them.
class PairRows {
 public:
  struct State {  // of one pair
    double loss = 0, chosen = 0, rejected = 0;
  };
  PairRows(const RewardConfig& config, const std::vector<PreferenceTokens>& rows)
      : config_(config), rows_(rows) {}

  size_t size() const { return rows_.size(); }
  TreeExample tree(size_t i) const { return rows_[i].score_tree(config_.prefix_sharing); }
  // What the sum of losses is divided by, and what is read.
  double weight(size_t i) const { return rows_[i].weight; }
  size_t tokens(size_t i) const {
    const PreferenceTokens& e = rows_[i];
    return 2 * e.prompt.size() + e.chosen.size() + e.rejected.size();
  }

  State see(size_t i, const TreeResult& result, std::span<float> coefficients) const {
    const PreferenceTokens& e = rows_[i];
    const double chosen = static_cast<double>(result.log_probs[0]);
    const double rejected = static_cast<double>(result.log_probs[1]);
    const RewardLoss loss =
        reward_loss(chosen, rejected, e.margin, e.probability, config_.center_rewards_coefficient);
    if (!coefficients.empty()) {
      coefficients[0] = static_cast<float>(e.weight * loss.d_chosen);
      coefficients[1] = static_cast<float>(e.weight * loss.d_rejected);
    }
    return {loss.value, chosen, rejected};
  }

  BatchLoss combine(const std::vector<State>& states, std::span<const size_t> rows,
                    const std::string& prefix) const {
    double loss = 0, weights = 0, sum = 0, margin = 0, correct = 0;
    double least = states.front().chosen, most = states.front().chosen;
    for (size_t i = 0; i < states.size(); ++i) {
      const State& s = states[i];
      loss += weight(rows[i]) * s.loss;
      weights += weight(rows[i]);
      sum += s.chosen + s.rejected;
      margin += s.chosen - s.rejected;
      correct += s.chosen > s.rejected ? 1 : 0;
      least = std::min({least, s.chosen, s.rejected});
      most = std::max({most, s.chosen, s.rejected});
    }
    const double n = static_cast<double>(states.size());
    BatchLoss out;
    out.loss = weights > 0 ? loss / weights : 0;
    out.metrics[prefix + "accuracy"] = correct / n;
    out.metrics[prefix + "margin"] = margin / n;
    out.metrics[prefix + "min_reward"] = least;
    out.metrics[prefix + "mean_reward"] = sum / (2 * n);
    out.metrics[prefix + "max_reward"] = most;
    return out;
  }

 private:
  const RewardConfig& config_;
  const std::vector<PreferenceTokens>& rows_;
};

// Answers in steps: the loss is the mean over the batch's labelled steps.
class StepRows {
 public:
  struct State {  // of one answer
    double loss = 0, score = 0, correct = 0;
  };
  explicit StepRows(const std::vector<StepTokens>& rows) : rows_(rows) {}

  size_t size() const { return rows_.size(); }
  TreeExample tree(size_t i) const { return rows_[i].score_tree(); }
  double weight(size_t i) const {
    return rows_[i].weight * static_cast<double>(rows_[i].ends.size());
  }
  size_t tokens(size_t i) const { return rows_[i].tokens.size(); }

  State see(size_t i, const TreeResult& result, std::span<float> coefficients) const {
    const StepTokens& e = rows_[i];
    State state;
    for (size_t k = 0; k < e.ends.size(); ++k) {
      const double score = static_cast<double>(result.log_probs[k]);
      const bool right = e.labels[k] != 0;
      const StepLoss loss = step_loss(score, right);
      if (!coefficients.empty()) coefficients[k] = static_cast<float>(e.weight * loss.slope);
      state.loss += loss.value;
      state.score += score;
      state.correct += (score > 0) == right ? 1 : 0;
    }
    return state;
  }

  BatchLoss combine(const std::vector<State>& states, std::span<const size_t> rows,
                    const std::string& prefix) const {
    double loss = 0, weights = 0, steps = 0, correct = 0, scores = 0;
    for (size_t i = 0; i < states.size(); ++i) {
      loss += rows_[rows[i]].weight * states[i].loss;
      weights += weight(rows[i]);
      steps += static_cast<double>(rows_[rows[i]].ends.size());
      correct += states[i].correct;
      scores += states[i].score;
    }
    BatchLoss out;
    out.loss = weights > 0 ? loss / weights : 0;
    out.metrics[prefix + "accuracy"] = correct / steps;
    out.metrics[prefix + "mean_reward"] = scores / steps;
    return out;
  }

 private:
  const std::vector<StepTokens>& rows_;
};

template <typename Rows>
std::vector<TreeExample> trees_of(const Rows& rows) {
  std::vector<TreeExample> trees;
  for (size_t i = 0; i < rows.size(); ++i) trees.push_back(rows.tree(i));
  return trees;
}

// A line of eval_ metrics.
template <typename Rows>
Json evaluate(TrainingRun& run, const Rows& rows, const std::vector<TreeExample>& trees, size_t at,
              size_t num_tokens) {
  std::vector<typename Rows::State> states(trees.size());
  std::vector<size_t> all(trees.size());
  llm::score_trees(run.pass(), trees, [&](size_t i, const TreeResult& result) {
    all[i] = i;
    states[i] = rows.see(i, result, {});
  });
  BatchLoss loss = rows.combine(states, all, "eval_");
  Json line = Json::object();
  line["step"] = uint64_t{at};
  line["eval_loss"] = loss.loss;
  for (auto& [key, value] : loss.metrics.as_object()) line[key] = std::move(value);
  line["eval_num_tokens"] = uint64_t{num_tokens};
  return line;
}

template <typename Rows>
TrainResult learn(TrainJob& job, const RewardConfig& config, const Rows& rows,
                  const Rows& eval_rows) {
  validate(config);
  check_not_empty(rows.size());
  const std::vector<TreeExample> all = trees_of(rows), eval_trees = trees_of(eval_rows);
  const size_t max_rows = std::max(llm::least_pass_rows(all), llm::least_pass_rows(eval_trees));
  const data::RunManifest manifest =
      make_manifest("reward", config, config.to_json(), job.manifest);
  TrainingRun run(job, config, manifest, max_rows, {.language = false, .score = true});

  const double per_epoch = static_cast<double>(steps_per_epoch(config, all.size()));
  std::vector<size_t> sizes;
  for (const TreeExample& tree : all) sizes.push_back(tree.tree.row_count());
  size_t eval_tokens = 0, work_rows = 0, num_tokens = 0;
  for (const TreeExample& tree : eval_trees) eval_tokens += tree.tree.row_count();
  const size_t total = total_steps(config, all.size());
  const WorkShare work(config, sizes, total, eval_tokens);
  DataOrder order(config, all.size());
  const size_t done = run.restore();
  size_t step = done;
  if (done == 0) run.begin(0, 0);
  for (size_t s = 1; s <= total; ++s) {
    const std::span<const size_t> chosen = order.rows_of_step(s);
    std::vector<TreeExample> batch;
    double weight = 0;
    for (size_t i : chosen) {
      num_tokens += rows.tokens(i);
      work_rows += sizes[i];
      if (s <= done) continue;
      batch.push_back(all[i]);
      weight += rows.weight(i);
    }
    if (s == done) run.begin(done, work.done(s, work_rows));
    if (s <= done) continue;
    if (weight == 0) weight = 1;  // every row weighs 0: the gradient is 0 too
    std::vector<typename Rows::State> states(batch.size());
    const auto loss = [&](size_t i, const TreeResult& result, std::span<float> coefficients) {
      states[i] = rows.see(chosen[i], result, coefficients);
    };
    const Accumulated gradients = accumulate_gradients(run.pass(), run.optimizer(), batch, loss, s);
    BatchLoss sums = rows.combine(states, chosen, "");
    sums.metrics["num_tokens"] = uint64_t{num_tokens};
    StepEnd end;
    end.step = s;
    end.total_steps = total;
    end.loss = sums.loss;
    end.normaliser = weight;
    end.gradients = gradients;
    end.share_done = work.done(s, work_rows);
    end.epoch = static_cast<double>(s) / per_epoch;
    end.metrics = std::move(sums.metrics);
    if (!eval_trees.empty()) {
      end.evaluate = [&](size_t at) {
        return evaluate(run, eval_rows, eval_trees, at, num_tokens);
      };
    }
    step = s;
    if (!run.end_step(end)) break;
  }
  return run.finish(step, total);
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
  return learn(job, config, PairRows(config, examples), PairRows(config, eval_examples));
}

TrainResult train_process_reward(TrainJob& job, const RewardConfig& config,
                                 const std::vector<StepTokens>& examples,
                                 const std::vector<StepTokens>& eval_examples) {
  return learn(job, config, StepRows(examples), StepRows(eval_examples));
}

}  // namespace hone::train
