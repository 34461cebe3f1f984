#include "train/sft.h"

#include <algorithm>
#include <numeric>

#include "train/dealt_trees.h"
#include "train/packing.h"

namespace hone::train {

using llm::SftTokens;
using llm::TreeExample;
using llm::TreeResult;

namespace {

// Sums over the trained tokens of one row.
struct RowSums {
  double negative_log_prob = 0, entropy = 0;
  size_t tokens = 0, correct = 0;
};

RowSums sums_of(const TreeExample& example, const TreeResult& result) {
  RowSums sums;
  for (size_t i = 0; i < result.log_probs.size(); ++i) {
    sums.negative_log_prob -= static_cast<double>(result.log_probs[i]);
    sums.entropy += static_cast<double>(result.rows[i].entropy);
    sums.correct += result.rows[i].argmax == example.token(example.targets[i]) ? 1 : 0;
    ++sums.tokens;
  }
  return sums;
}

struct BatchSums {
  double loss = 0;
  Json metrics = Json::object();
};

// Weighted token mean of the loss; plain token means of what is only watched.
BatchSums combine(const std::vector<RowSums>& rows, const std::vector<double>& weights,
                  const char* prefix) {
  double loss = 0, weight = 0, entropy = 0;
  size_t tokens = 0, correct = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    loss += weights[i] * rows[i].negative_log_prob;
    weight += weights[i] * static_cast<double>(rows[i].tokens);
    entropy += rows[i].entropy;
    tokens += rows[i].tokens;
    correct += rows[i].correct;
  }
  BatchSums out;
  out.loss = weight > 0 ? loss / weight : 0;
  const double count = static_cast<double>(std::max<size_t>(tokens, 1));
  out.metrics[std::string(prefix) + "entropy"] = entropy / count;
  out.metrics[std::string(prefix) + "mean_token_accuracy"] = static_cast<double>(correct) / count;
  return out;
}

Json evaluate(TrainingRun& run, const std::vector<TreeExample>& trees,
              const std::vector<double>& weights, size_t step, size_t num_tokens) {
  std::vector<RowSums> rows(trees.size());
  score_trees(run.ranks(), run.pass(), trees,
              [&](size_t i, const TreeResult& result) { rows[i] = sums_of(trees[i], result); });
  BatchSums sums = combine(rows, weights, "eval_");
  Json line = Json::object();
  line["step"] = uint64_t{step};
  line["eval_loss"] = sums.loss;
  for (auto& [key, value] : sums.metrics.as_object()) line[key] = std::move(value);
  line["eval_num_tokens"] = uint64_t{num_tokens};
  return line;
}

std::vector<TreeExample> trees_of(const std::vector<SftTokens>& examples) {
  std::vector<TreeExample> trees;
  for (const SftTokens& example : examples) trees.push_back(example.tree());
  return trees;
}

std::vector<double> weights_of(const std::vector<SftTokens>& examples) {
  std::vector<double> weights;
  for (const SftTokens& example : examples) weights.push_back(example.weight);
  return weights;
}

size_t rows_of(const std::vector<TreeExample>& trees) {
  size_t rows = 0;
  for (const TreeExample& tree : trees) rows += tree.tree.row_count();
  return rows;
}

}  // namespace

std::vector<std::vector<size_t>> sft_units(const SftConfig& config,
                                           const std::vector<SftTokens>& examples) {
  std::vector<size_t> lengths;
  for (const SftTokens& example : examples) lengths.push_back(example.tokens.size());
  if (config.packing) return pack_best_fit_decreasing(lengths, config.max_length);
  std::vector<std::vector<size_t>> units(examples.size());
  for (size_t i = 0; i < units.size(); ++i) units[i] = {i};
  return units;
}

TrainResult train_sft(TrainJob& job, const SftConfig& config,
                      const std::vector<SftTokens>& examples,
                      const std::vector<SftTokens>& eval_examples) {
  validate(config);
  check_not_empty(examples.size());
  const std::vector<TreeExample> all = trees_of(examples), eval_trees = trees_of(eval_examples);
  const std::vector<double> eval_weights = weights_of(eval_examples);
  TrainingRun run(job, config, make_manifest("sft", config, config.to_json(), job.manifest),
                  std::max(llm::least_pass_rows(all), llm::least_pass_rows(eval_trees)));
  const std::vector<std::vector<size_t>> units = sft_units(config, examples);
  std::vector<size_t> sizes;
  for (const std::vector<size_t>& unit : units) {
    sizes.push_back(0);
    for (size_t i : unit) sizes.back() += all[i].tree.row_count();
  }
  const size_t total = total_steps(config, units.size());
  const double per_epoch = static_cast<double>(steps_per_epoch(config, units.size()));
  const WorkShare work(config, sizes, total, rows_of(eval_trees));
  size_t num_tokens = 0;
  DataOrder order(config, units.size());
  const size_t done = run.restore();
  size_t step = done;
  if (done == 0) run.begin(0, 0);
  for (size_t s = 1; s <= total; ++s) {
    std::vector<TreeExample> batch;
    std::vector<double> weights;
    double normaliser = 0;
    for (size_t unit : order.rows_of_step(s)) {
      num_tokens += sizes[unit];
      if (s <= done) continue;
      for (size_t i : units[unit]) {
        batch.push_back(all[i]);
        weights.push_back(examples[i].weight);
        normaliser += examples[i].weight * static_cast<double>(all[i].targets.size());
      }
    }
    if (s == done) run.begin(done, work.done(s, num_tokens));
    if (s <= done) continue;
    if (normaliser == 0) normaliser = 1;  // every row weighs 0: the gradient is 0 too
    std::vector<RowSums> rows(batch.size());
    const auto known = [&](size_t i, std::span<float> coefficients) {
      std::fill(coefficients.begin(), coefficients.end(), static_cast<float>(-weights[i]));
    };
    const auto watch = [&](size_t i, const TreeResult& result, std::span<float>) {
      rows[i] = sums_of(batch[i], result);
    };
    const Accumulated gradients =
        accumulate_gradients(run.pass(), run.optimizer(), batch, watch, s, known);
    BatchSums sums = combine(rows, weights, "");
    sums.metrics["num_tokens"] = uint64_t{num_tokens};
    StepEnd end{s,
                total,
                sums.loss,
                normaliser,
                gradients,
                work.done(s, num_tokens),
                static_cast<double>(s) / per_epoch,
                std::move(sums.metrics),
                {}};
    if (!eval_trees.empty()) {
      end.evaluate = [&](size_t at) {
        return evaluate(run, eval_trees, eval_weights, at, num_tokens);
      };
    }
    step = s;
    if (!run.end_step(end)) break;
  }
  return run.finish(step, total);
}

}  // namespace hone::train
