#include "train/kto.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "tensor/math.h"
#include "train/dealt_trees.h"
#include "train/row_steps.h"
#include "train/settings_reader.h"

namespace hone::train {

using llm::TreeExample;
using llm::TreeResult;
using llm::UnpairedTokens;

namespace {

constexpr std::string_view kNames[] = {"kto", "apo_zero_unpaired"};

double sigmoid(double x) { return tensor::exp_f64(-tensor::softplus_f64(-x)); }

double sum_of(std::span<const float> log_probs) {
  double sum = 0;
  for (const float value : log_probs) sum += static_cast<double>(value);
  return sum;
}

std::vector<double> score(Communicator& ranks, llm::TrainingPass& pass,
                          const std::vector<TreeExample>& trees) {
  std::vector<double> sums(trees.size());
  score_trees(ranks, pass, trees,
              [&](size_t i, const TreeResult& result) { sums[i] = sum_of(result.log_probs); });
  return sums;
}

// Prompts with the answer of the row before.
std::vector<TreeExample> mismatched(const std::vector<UnpairedTokens>& rows,
                                    std::span<const size_t> batch) {
  std::vector<TreeExample> trees;
  for (size_t i = 0; i < batch.size(); ++i) {
    const size_t before = batch[i == 0 ? batch.size() - 1 : i - 1];
    trees.push_back(llm::answer_tree(rows[batch[i]].prompt, rows[before].completion));
  }
  return trees;
}

class KtoRows : public RowLoss {
 public:
  KtoRows(Communicator& ranks, const KtoConfig& config, const std::vector<UnpairedTokens>& rows)
      : ranks_(ranks), config_(config), rows_(rows) {}

  void compare_with(llm::TrainingPass* reference) { reference_ = reference; }

  void begin(std::span<const size_t> batch, llm::TrainingPass& pass) override {
    batch_.assign(batch.begin(), batch.end());
    states_.assign(batch.size(), {});
    weight_ = 0;
    for (size_t row : batch_) weight_ += rows_[row].weight;
    if (weight_ == 0) weight_ = 1;  // every row weighs 0: the gradient is 0 too
    std::vector<TreeExample> trees;
    for (size_t row : batch_) trees.push_back(rows_[row].tree());
    ref_ = score(ranks_, *reference_, trees);
    kl_ = 0;
    if (config_.loss_type != KtoLossType::kKto) return;
    const std::vector<TreeExample> strangers = mismatched(rows_, batch_);
    const std::vector<double> ours = score(ranks_, pass, strangers);
    const std::vector<double> theirs = score(ranks_, *reference_, strangers);
    double sum = 0;
    for (size_t i = 0; i < ours.size(); ++i) sum += ours[i] - theirs[i];
    kl_ = std::max(0.0, sum / static_cast<double>(ours.size()));
  }

  void row(size_t place, const TreeResult& result, std::span<float> coefficients) override {
    const UnpairedTokens& row = rows_[batch_[place]];
    State& state = states_[place];
    state = {};
    state.log_prob = sum_of(result.log_probs);
    state.ratio = state.log_prob - ref_[place];
    state.loss = kto_loss(config_, state.ratio, kl_, row.desirable, row.probability);
    state.tokens = result.log_probs.size();
    for (size_t i = 0; i < result.rows.size(); ++i) {
      state.entropy += static_cast<double>(result.rows[i].entropy);
      if (!result.mean_logits.empty()) {
        state.mean_logits += static_cast<double>(result.mean_logits[i]);
      }
    }
    std::fill(coefficients.begin(), coefficients.end(),
              static_cast<float>(row.weight * state.loss.slope));
  }

  RowBatch end(const std::string& prefix) override {
    struct Side {
      double rewards = 0, log_probs = 0, logits = 0;
      size_t rows = 0, tokens = 0;
    };
    Side sides[2];
    double loss = 0, entropy = 0;
    for (size_t i = 0; i < states_.size(); ++i) {
      const UnpairedTokens& row = rows_[batch_[i]];
      Side& side = sides[row.desirable ? 0 : 1];
      loss += row.weight * states_[i].loss.value;
      entropy += states_[i].entropy;
      side.rewards += config_.beta * states_[i].ratio;
      side.log_probs += states_[i].log_prob;
      side.logits += states_[i].mean_logits;
      side.tokens += states_[i].tokens;
      ++side.rows;
    }
    RowBatch out;
    out.normaliser = weight_;
    out.loss = loss / weight_;
    const auto mean = [](double sum, size_t count) { return sum / static_cast<double>(count); };
    for (size_t i = 0; i < 2; ++i) {
      const std::string of = i == 0 ? "chosen" : "rejected";
      if (sides[i].rows == 0) continue;
      out.metrics[prefix + "rewards/" + of] = mean(sides[i].rewards, sides[i].rows);
      out.metrics[prefix + "logps/" + of] = mean(sides[i].log_probs, sides[i].rows);
      if (sides[i].tokens == 0) continue;
      out.metrics[prefix + "logits/" + of] = mean(sides[i].logits, sides[i].tokens);
    }
    if (sides[0].rows > 0 && sides[1].rows > 0) {
      out.metrics[prefix + "rewards/margins"] =
          mean(sides[0].rewards, sides[0].rows) - mean(sides[1].rewards, sides[1].rows);
    }
    out.metrics[prefix + "kl"] = kl_;
    out.metrics[prefix + "entropy"] =
        mean(entropy, std::max<size_t>(sides[0].tokens + sides[1].tokens, 1));
    return out;
  }

 private:
  struct State {
    double log_prob = 0, ratio = 0, entropy = 0, mean_logits = 0;
    size_t tokens = 0;
    KtoLoss loss;
  };

  Communicator& ranks_;
  const KtoConfig& config_;
  const std::vector<UnpairedTokens>& rows_;
  llm::TrainingPass* reference_ = nullptr;
  std::vector<size_t> batch_;
  std::vector<State> states_;
  std::vector<double> ref_;
  double kl_ = 0, weight_ = 1;
};

Rows rows_of(const std::vector<UnpairedTokens>& examples) {
  Rows rows;
  for (const UnpairedTokens& row : examples) {
    rows.trees.push_back(row.tree());
    rows.tokens.push_back(row.prompt.size() + row.completion.size());
  }
  return rows;
}

}  // namespace

size_t longest_meeting(const std::vector<UnpairedTokens>& rows) {
  size_t prompt = 0, answer = 0;
  for (const UnpairedTokens& row : rows) {
    prompt = std::max(prompt, row.prompt.size());
    answer = std::max(answer, row.completion.size());
  }
  return prompt + answer;
}

std::string_view name(KtoLossType type) { return kNames[static_cast<size_t>(type)]; }

std::optional<KtoLossType> kto_loss_from_name(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<KtoLossType>(i);
  }
  return std::nullopt;
}

KtoLoss kto_loss(const KtoConfig& config, double ratio, double kl, bool desirable,
                 double probability) {
  const double beta = config.beta;
  const double from = config.loss_type == KtoLossType::kKto ? kl : 0;
  // 1 - s(x) has the slope -s(x) s(-x) either way.
  const auto side = [&](bool good) -> KtoLoss {
    const double x = beta * (good ? ratio - from : from - ratio);
    const double weight = good ? config.desirable_weight : config.undesirable_weight;
    const double slope = -beta * sigmoid(x) * sigmoid(-x) * (good ? 1 : -1);
    return {weight * sigmoid(-x), weight * slope};
  };
  const KtoLoss said = side(desirable), other = side(!desirable);
  return {probability * said.value + (1 - probability) * other.value,
          probability * said.slope + (1 - probability) * other.slope};
}

Json KtoConfig::to_json() const {
  Json json = TrainConfig::to_json();
  json["loss_type"] = name(loss_type);
  json["beta"] = beta;
  json["desirable_weight"] = desirable_weight;
  json["undesirable_weight"] = undesirable_weight;
  return json;
}

KtoConfig kto_config_from_json(const Json& json) {
  Settings settings(json);
  KtoConfig config;
  read_common(settings, config);
  settings.read("loss_type", &config.loss_type, {KtoLossType::kKto, KtoLossType::kApoZeroUnpaired});
  settings.read("beta", &config.beta);
  settings.read("desirable_weight", &config.desirable_weight);
  settings.read("undesirable_weight", &config.undesirable_weight);
  settings.refuse_unknown();
  validate(config);
  return config;
}

void validate(const KtoConfig& c) {
  validate(static_cast<const TrainConfig&>(c));
  require(std::isfinite(c.beta) && c.beta > 0, "beta", c.beta, "above 0");
  require(std::isfinite(c.desirable_weight) && c.desirable_weight >= 0, "desirable-weight",
          c.desirable_weight, "0 or more");
  require(std::isfinite(c.undesirable_weight) && c.undesirable_weight >= 0, "undesirable-weight",
          c.undesirable_weight, "0 or more");
  if (c.loss_type == KtoLossType::kKto &&
      c.per_device_train_batch_size * c.gradient_accumulation_steps < 2) {
    throw invalid_input(
        "--per-device-train-batch-size is 1: KTO asks how likely each prompt makes another row's "
        "answer, so a batch needs two rows (or --loss-type apo_zero_unpaired)");
  }
}

TrainResult train_kto(TrainJob& job, const KtoConfig& config,
                      const std::vector<UnpairedTokens>& examples,
                      const std::vector<UnpairedTokens>& eval_examples,
                      const llm::Model* reference) {
  validate(config);
  check_not_empty(examples.size());
  if (reference == nullptr && config.lora_r == 0) {
    throw invalid_input(
        "full fine-tuning changes the model itself: name its file as --ref-model too, or train "
        "with --lora-r");
  }
  Rows rows = rows_of(examples), eval = rows_of(eval_examples);
  KtoRows loss(ranks_of(job), config, examples);
  KtoRows eval_loss(ranks_of(job), config, eval_examples);
  rows.loss = &loss;
  eval.loss = &eval_loss;
  TrainingRun run(job, config, make_manifest("kto", config, config.to_json(), job.manifest),
                  std::max({rows.largest_pass(), eval.largest_pass(), longest_meeting(examples),
                            longest_meeting(eval_examples)}));
  // Nothing is kept for a backward pass, so the small memory of recompute is enough.
  llm::TrainingPass reference_pass(job.compute, reference == nullptr ? job.model : *reference,
                                   nullptr, run.pass().max_rows(), llm::PassOptions{true});
  loss.compare_with(&reference_pass);
  eval_loss.compare_with(&reference_pass);
  return train_rows(run, config, rows, eval);
}

}  // namespace hone::train
