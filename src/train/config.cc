#include "train/config.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "tensor/math.h"

namespace hone::train {

std::string_view name(Scheduler scheduler) {
  switch (scheduler) {
    case Scheduler::kLinear: return "linear";
    case Scheduler::kCosine: return "cosine";
    case Scheduler::kConstant: return "constant";
  }
  return "linear";
}

std::string_view name(SamplingStrategy strategy) {
  return strategy == SamplingStrategy::kRandom ? "random" : "sequential";
}

Json TrainConfig::to_json() const {
  Json json = Json::object();
  json["learning_rate"] = learning_rate;
  json["lr_scheduler_type"] = name(lr_scheduler_type);
  json["warmup_ratio"] = warmup_ratio;
  json["warmup_steps"] = uint64_t{warmup_steps};
  json["num_train_epochs"] = num_train_epochs;
  json["max_steps"] = uint64_t{max_steps};
  json["per_device_train_batch_size"] = uint64_t{per_device_train_batch_size};
  json["gradient_accumulation_steps"] = uint64_t{gradient_accumulation_steps};
  json["max_length"] = uint64_t{max_length};
  json["max_prompt_length"] = uint64_t{max_prompt_length};
  json["weight_decay"] = weight_decay;
  json["adam_beta1"] = adam_beta1;
  json["adam_beta2"] = adam_beta2;
  json["adam_epsilon"] = adam_epsilon;
  json["max_grad_norm"] = max_grad_norm;
  json["lora_r"] = uint64_t{lora_r};
  json["lora_alpha"] = lora_alpha;
  json["lora_dropout"] = lora_dropout;
  Json modules = Json::array();
  for (const std::string& module : lora_target_modules) modules.push_back(module);
  json["lora_target_modules"] = std::move(modules);
  // Only where they are on: manifests of before stay as they were.
  if (use_rslora) json["use_rslora"] = true;
  if (use_dora) json["use_dora"] = true;
  json["train_sampling_strategy"] = name(train_sampling_strategy);
  json["prefix_sharing"] = prefix_sharing;
  return json;
}

Json SftConfig::to_json() const {
  Json json = TrainConfig::to_json();
  json["completion_only_loss"] = completion_only_loss;
  json["assistant_only_loss"] = assistant_only_loss;
  json["packing"] = packing;
  return json;
}

Json DpoConfig::to_json() const {
  Json json = TrainConfig::to_json();
  json["beta"] = beta;
  Json types = Json::array(), weights = Json::array();
  for (PreferenceLossType type : loss_type) types.push_back(train::name(type));
  for (double weight : loss_weights) weights.push_back(weight);
  json["loss_type"] = std::move(types);
  json["loss_weights"] = std::move(weights);
  json["label_smoothing"] = label_smoothing;
  json["reference_free"] = reference_free;
  json["f_divergence_type"] = train::name(f_divergence_type);
  json["f_alpha_divergence_coef"] = f_alpha_divergence_coef;
  json["ld_alpha"] = ld_alpha ? Json(*ld_alpha) : Json();
  if (ipo_log_probs != IpoLogProbs::kMean) json["ipo_log_probs"] = train::name(ipo_log_probs);
  if (sft_mean != SftMean::kTokens) json["sft_mean"] = train::name(sft_mean);
  if (!ld_alpha_of_reference) json["ld_alpha_of_reference"] = false;
  return json;
}

Json RewardConfig::to_json() const {
  Json json = TrainConfig::to_json();
  json["center_rewards_coefficient"] = center_rewards_coefficient;
  json["process"] = process;
  json["step_separator"] = step_separator;
  json["train_on_last_step_only"] = train_on_last_step_only;
  return json;
}

void require(bool good, const char* option, double value, const char* wanted) {
  if (good) return;
  throw invalid_input(std::string("--") + option + " is " +
                      (std::isfinite(value) ? number_to_string(value) : std::to_string(value)) +
                      ": it must be " + wanted);
}

void require(bool good, const std::string& sentence) {
  if (!good) throw invalid_input(sentence);
}

void validate(const TrainConfig& c) {
  require(std::isfinite(c.learning_rate) && c.learning_rate >= 0, "learning-rate", c.learning_rate,
          "0 or more");
  require(c.warmup_ratio >= 0 && c.warmup_ratio <= 1, "warmup-ratio", c.warmup_ratio,
          "between 0 and 1");
  require(c.max_steps > 0 || (std::isfinite(c.num_train_epochs) && c.num_train_epochs > 0 &&
                              c.num_train_epochs <= 1e6),
          "num-train-epochs", c.num_train_epochs, "above 0 and at most 1000000");
  require(c.per_device_train_batch_size > 0, "per-device-train-batch-size", 0, "1 or more");
  require(c.gradient_accumulation_steps > 0, "gradient-accumulation-steps", 0, "1 or more");
  require(std::isfinite(c.weight_decay) && c.weight_decay >= 0, "weight-decay", c.weight_decay,
          "0 or more");
  require(c.adam_beta1 >= 0 && c.adam_beta1 < 1, "adam-beta1", c.adam_beta1, "in [0, 1)");
  require(c.adam_beta2 >= 0 && c.adam_beta2 < 1, "adam-beta2", c.adam_beta2, "in [0, 1)");
  require(c.adam_epsilon > 0, "adam-epsilon", c.adam_epsilon, "above 0");
  require(std::isfinite(c.max_grad_norm) && c.max_grad_norm >= 0, "max-grad-norm", c.max_grad_norm,
          "0 (no clipping) or more");
  require(
      std::max(c.per_device_train_batch_size, c.gradient_accumulation_steps) <= 1u << 24,
      "per-device-train-batch-size and --gradient-accumulation-steps",
      static_cast<double>(std::max(c.per_device_train_batch_size, c.gradient_accumulation_steps)),
      "at most 16777216 each");
  require(c.lora_dropout >= 0 && c.lora_dropout < 1, "lora-dropout", c.lora_dropout, "in [0, 1)");
  require(c.lora_dropout == 0 || c.lora_r > 0, "lora-dropout", c.lora_dropout,
          "0 without --lora-r: there is no adapter whose input could be dropped");
  for (const auto& [name, on] : {std::pair("use-rslora", c.use_rslora), {"use-dora", c.use_dora}}) {
    if (on && c.lora_r == 0) {
      throw invalid_input(std::string("--") + name +
                          " is about adapters, and without --lora-r all weights are trained: give "
                          "--lora-r 16, or leave it out");
    }
  }
  if (c.use_dora && c.lora_dropout > 0) {
    throw invalid_input(
        "--use-dora with --lora-dropout is not supported: the dropped inputs would change the "
        "base's part too; leave one of them out");
  }
  require(c.max_tokens_per_pass > 0, "max-tokens-per-pass", 0, "1 or more");
  require(c.logging_steps > 0, "logging-steps", 0, "1 or more");
}

void validate(const SftConfig& c) {
  validate(static_cast<const TrainConfig&>(c));
  if (c.packing && c.max_length == 0) {
    throw invalid_input("--packing needs --max-length: it says how long a packed sequence may be");
  }
}

namespace {

void check_coupled(const DpoConfig& c) {
  if (!c.is_coupled() || c.lora_dropout == 0) return;
  throw invalid_input(
      "--loss-type aot and aot_unpaired need --lora-dropout 0: the pairs are sorted by what the "
      "model says before the gradient, and a dropped input says something else");
}

void check_f_divergence(const DpoConfig& c) {
  require(std::isfinite(c.f_alpha_divergence_coef), "f-alpha-divergence-coef",
          c.f_alpha_divergence_coef, "a finite number");
  if (c.f_divergence_type == FDivergence::kReverseKl) return;
  for (PreferenceLossType type : c.loss_type) {
    if (takes_f_divergence(type)) continue;
    throw invalid_input("--f-divergence-type " + std::string(name(c.f_divergence_type)) +
                        " has no meaning for --loss-type " + std::string(name(type)) +
                        ": take sigmoid, sigmoid_norm, hinge, ipo, exo_pair, robust, discopop or "
                        "sft, or leave it at reverse_kl");
  }
}

}  // namespace

void validate(const DpoConfig& c) {
  validate(static_cast<const TrainConfig&>(c));
  require(std::isfinite(c.beta) && c.beta > 0, "beta", c.beta, "above 0");
  require(c.label_smoothing >= 0 && c.label_smoothing < 0.5, "label-smoothing", c.label_smoothing,
          "in [0, 0.5)");
  if (c.loss_type.empty()) {
    throw invalid_input("--loss-type names no loss: choose at least one");
  }
  for (double weight : c.loss_weights) {
    require(std::isfinite(weight), "loss-weights", weight, "a finite number");
  }
  if (!c.loss_weights.empty() && c.loss_weights.size() != c.loss_type.size()) {
    throw invalid_input("--loss-weights has " + std::to_string(c.loss_weights.size()) +
                        " numbers for " + std::to_string(c.loss_type.size()) +
                        " losses of --loss-type: give one each");
  }
  require(!c.ld_alpha || (*c.ld_alpha >= 0 && *c.ld_alpha <= 1), "ld-alpha", c.ld_alpha.value_or(0),
          "between 0 and 1");
  check_f_divergence(c);
  check_coupled(c);
}

bool DpoConfig::has(PreferenceLossType type) const {
  return std::find(loss_type.begin(), loss_type.end(), type) != loss_type.end();
}

bool DpoConfig::is_coupled() const {
  return std::any_of(loss_type.begin(), loss_type.end(),
                     [](PreferenceLossType type) { return train::is_coupled(type); });
}

void validate(const RewardConfig& c) {
  validate(static_cast<const TrainConfig&>(c));
  require(std::isfinite(c.center_rewards_coefficient) && c.center_rewards_coefficient >= 0,
          "center-rewards-coefficient", c.center_rewards_coefficient, "0 or more");
}

double schedule_multiplier(const TrainConfig& config, size_t step, size_t total) {
  // transformers counts steps from 0: the rate of the first step is that of "current step 0".
  const double current = static_cast<double>(step - 1);
  const double warmup = config.warmup_steps > 0
                            ? static_cast<double>(config.warmup_steps)
                            : std::ceil(static_cast<double>(total) * config.warmup_ratio);
  if (current < warmup) return current / std::max(1.0, warmup);
  const double remaining = std::max(1.0, static_cast<double>(total) - warmup);
  switch (config.lr_scheduler_type) {
    case Scheduler::kConstant: return 1;
    case Scheduler::kLinear:
      return std::max(0.0, (static_cast<double>(total) - current) / remaining);
    case Scheduler::kCosine: {
      constexpr double kPi = 3.14159265358979323846;
      const double progress = (current - warmup) / remaining;
      return std::max(0.0, 0.5 * (1 + tensor::sin_cos_f64(kPi * progress).cos));
    }
  }
  return 1;
}

size_t steps_per_epoch(const TrainConfig& config, size_t rows) {
  const size_t batch = config.per_device_train_batch_size * config.gradient_accumulation_steps;
  return (rows + batch - 1) / batch;
}

size_t total_steps(const TrainConfig& config, size_t rows) {
  if (config.max_steps > 0) return config.max_steps;
  return static_cast<size_t>(
      std::ceil(config.num_train_epochs * static_cast<double>(steps_per_epoch(config, rows))));
}

void check_not_empty(size_t rows) {
  if (rows == 0) throw invalid_input("there is no row to train on: the data file is empty");
}

DataOrder::DataOrder(const TrainConfig& config, size_t rows)
    : seed_(config.seed),
      random_(config.train_sampling_strategy == SamplingStrategy::kRandom),
      batch_(config.per_device_train_batch_size * config.gradient_accumulation_steps),
      per_epoch_(steps_per_epoch(config, rows)),
      order_(rows) {
  start_epoch(0);
}

void DataOrder::start_epoch(size_t epoch) {
  epoch_ = epoch;
  std::iota(order_.begin(), order_.end(), size_t{0});
  if (!random_) return;
  Rng rng(seed_, rng_stream("data-order", epoch));
  for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[rng.below(i)]);
}

std::span<const size_t> DataOrder::rows_of_step(size_t step) {
  const size_t epoch = (step - 1) / per_epoch_;
  if (epoch != epoch_) start_epoch(epoch);
  const size_t begin = (step - 1) % per_epoch_ * batch_;
  return std::span<const size_t>(order_).subspan(begin, std::min(order_.size() - begin, batch_));
}

}  // namespace hone::train
