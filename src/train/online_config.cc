#include "train/online_config.h"

#include <cmath>

#include "base/error.h"
#include "train/settings_reader.h"

namespace hone::train {

namespace {

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

TrainConfig order_of(const OnlineConfig& config) {
  TrainConfig order = config;
  order.per_device_train_batch_size = config.prompts_per_generation();
  order.gradient_accumulation_steps = 1;
  return order;
}

}  // namespace

void read_online(Settings& settings, OnlineConfig& c) {
  read_common(settings, c);
  settings.read("num_generations", &c.num_generations);
  settings.read("max_completion_length", &c.max_completion_length);
  settings.read("temperature", &c.temperature);
  settings.read("top_p", &c.top_p);
  settings.read("top_k", &c.top_k);
  settings.read("min_p", &c.min_p);
  settings.read("beta", &c.beta);
  settings.read("num_iterations", &c.num_iterations);
  settings.read("steps_per_generation", &c.steps_per_generation);
  settings.read("epsilon", &c.epsilon);
  settings.read("epsilon_high", &c.epsilon_high);
  settings.read("rewards", &c.rewards);
  settings.read("reward_weights", &c.reward_weights);
  settings.read("recorded_rollouts", &c.recorded_rollouts);
}

size_t OnlineConfig::steps_of_generation() const {
  return steps_per_generation == 0 ? 1 : steps_per_generation / gradient_accumulation_steps;
}

llm::SamplingOptions OnlineConfig::sampling() const {
  llm::SamplingOptions options;
  options.temperature = temperature;
  options.top_p = top_p;
  options.top_k = top_k;
  options.min_p = min_p;
  return options;
}

RolloutOptions OnlineConfig::rollout() const {
  return {num_generations, max_completion_length, sampling(), rollout_batch_size, seed, {}};
}

Json OnlineConfig::to_json() const {
  Json json = TrainConfig::to_json();
  json["num_generations"] = uint64_t{num_generations};
  json["max_completion_length"] = uint64_t{max_completion_length};
  json["temperature"] = temperature;
  json["top_p"] = top_p;
  json["top_k"] = uint64_t{top_k};
  json["min_p"] = min_p;
  json["beta"] = beta;
  json["num_iterations"] = uint64_t{num_iterations};
  json["steps_per_generation"] = uint64_t{steps_per_generation};
  json["epsilon"] = epsilon;
  json["epsilon_high"] = optional_json(epsilon_high);
  Json specs = Json::array(), weights = Json::array();
  for (const std::string& spec : rewards) specs.push_back(spec);
  for (double weight : reward_weights) weights.push_back(weight);
  json["rewards"] = std::move(specs);
  json["reward_weights"] = std::move(weights);
  json["recorded_rollouts"] = recorded_rollouts;
  return json;
}

namespace {
void set(const PolicyConventions& conventions, PolicyLossConfig& loss) {
  loss.kl_clamp = conventions.kl_clamp;
  loss.clamp_log_ratio = conventions.clamp_log_ratio;
  loss.dual_clip = conventions.dual_clip;
}
}  // namespace

PolicyLossConfig GrpoConfig::loss() const {
  PolicyLossConfig c;
  c.loss_type = loss_type;
  c.importance_sampling_level = importance_sampling_level;
  c.epsilon = epsilon;
  c.epsilon_high = epsilon_high.value_or(epsilon);
  c.delta = delta;
  c.beta = beta;
  c.use_bias_correction_kl = use_bias_correction_kl;
  c.off_policy_mask_threshold = off_policy_mask_threshold;
  c.sapo_temperature_pos = sapo_temperature_pos;
  c.sapo_temperature_neg = sapo_temperature_neg;
  c.vespo_k_pos = vespo_k_pos;
  c.vespo_lambda_pos = vespo_lambda_pos;
  c.vespo_k_neg = vespo_k_neg;
  c.vespo_lambda_neg = vespo_lambda_neg;
  set(conventions, c);
  return c;
}

Json GrpoConfig::to_json() const {
  Json json = OnlineConfig::to_json();
  json["loss_type"] = train::name(loss_type);
  json["importance_sampling_level"] = train::name(importance_sampling_level);
  json["advantage_estimator"] = train::name(advantage_estimator);
  json["scale_rewards"] = train::name(scale_rewards);
  json["multi_objective_aggregation"] = train::name(multi_objective_aggregation);
  json["delta"] = optional_json(delta);
  json["use_bias_correction_kl"] = use_bias_correction_kl;
  json["off_policy_mask_threshold"] = optional_json(off_policy_mask_threshold);
  json["sapo_temperature_pos"] = sapo_temperature_pos;
  json["sapo_temperature_neg"] = sapo_temperature_neg;
  json["vespo_k_pos"] = vespo_k_pos;
  json["vespo_lambda_pos"] = vespo_lambda_pos;
  json["vespo_k_neg"] = vespo_k_neg;
  json["vespo_lambda_neg"] = vespo_lambda_neg;
  json["mask_truncated_completions"] = mask_truncated_completions;
  json["top_entropy_quantile"] = top_entropy_quantile;
  json["entropy_coef"] = entropy_coef;
  json["use_adaptive_entropy"] = use_adaptive_entropy;
  json["entropy_coef_min"] = entropy_coef_min;
  json["entropy_coef_max"] = entropy_coef_max;
  json["entropy_coef_delta"] = entropy_coef_delta;
  json["entropy_target"] = entropy_target;
  json["dynamic_sampling"] = dynamic_sampling;
  json["max_generation_batches"] = uint64_t{max_generation_batches};
  conventions.add_to(json, PolicyConventions());
  return json;
}

PolicyLossConfig RlooConfig::loss() const {
  PolicyLossConfig c;
  const bool token = importance_sampling_level == ImportanceLevel::kToken;
  c.loss_type = token ? PolicyLossType::kDapo : PolicyLossType::kRloo;
  c.epsilon = epsilon;
  c.epsilon_high = epsilon_high.value_or(epsilon);
  set(conventions, c);
  return c;  // beta is in the reward
}

Json RlooConfig::to_json() const {
  Json json = OnlineConfig::to_json();
  json["normalize_advantages"] = normalize_advantages;
  Json range = Json::array();
  for (double bound : reward_clip_range) range.push_back(bound);
  json["reward_clip_range"] = std::move(range);
  if (importance_sampling_level != ImportanceLevel::kSequence) {
    json["importance_sampling_level"] = train::name(importance_sampling_level);
  }
  conventions.add_to(json, PolicyConventions());
  return json;
}

Json OnlineDpoConfig::to_json() const {
  Json json = OnlineConfig::to_json();
  json["loss_type"] = train::name(loss_type);
  json["missing_eos_penalty"] = optional_json(missing_eos_penalty);
  return json;
}

GrpoConfig grpo_config_from_json(const Json& json) {
  Settings settings(json);
  GrpoConfig c;
  read_online(settings, c);
  using T = PolicyLossType;
  settings.read(
      "loss_type", &c.loss_type,
      {T::kGrpo, T::kBnpo, T::kDrGrpo, T::kDapo, T::kLuspo, T::kCispo, T::kSapo, T::kVespo});
  settings.read("importance_sampling_level", &c.importance_sampling_level,
                {ImportanceLevel::kToken, ImportanceLevel::kSequence});
  settings.read("advantage_estimator", &c.advantage_estimator,
                {AdvantageEstimator::kGroup, AdvantageEstimator::kReinforce,
                 AdvantageEstimator::kReinforceBaseline});
  settings.read("scale_rewards", &c.scale_rewards,
                {ScaleRewards::kGroup, ScaleRewards::kBatch, ScaleRewards::kNone});
  settings.read("multi_objective_aggregation", &c.multi_objective_aggregation,
                {RewardAggregation::kSumThenNormalize, RewardAggregation::kNormalizeThenSum});
  settings.read("delta", &c.delta);
  settings.read("use_bias_correction_kl", &c.use_bias_correction_kl);
  settings.read("off_policy_mask_threshold", &c.off_policy_mask_threshold);
  settings.read("sapo_temperature_pos", &c.sapo_temperature_pos);
  settings.read("sapo_temperature_neg", &c.sapo_temperature_neg);
  settings.read("vespo_k_pos", &c.vespo_k_pos);
  settings.read("vespo_lambda_pos", &c.vespo_lambda_pos);
  settings.read("vespo_k_neg", &c.vespo_k_neg);
  settings.read("vespo_lambda_neg", &c.vespo_lambda_neg);
  settings.read("mask_truncated_completions", &c.mask_truncated_completions);
  settings.read("top_entropy_quantile", &c.top_entropy_quantile);
  settings.read("entropy_coef", &c.entropy_coef);
  settings.read("use_adaptive_entropy", &c.use_adaptive_entropy);
  settings.read("entropy_coef_min", &c.entropy_coef_min);
  settings.read("entropy_coef_max", &c.entropy_coef_max);
  settings.read("entropy_coef_delta", &c.entropy_coef_delta);
  settings.read("entropy_target", &c.entropy_target);
  settings.read("dynamic_sampling", &c.dynamic_sampling);
  settings.read("max_generation_batches", &c.max_generation_batches);
  c.conventions.read(settings);
  settings.refuse_unknown();
  validate(c);
  return c;
}

RlooConfig rloo_config_from_json(const Json& json) {
  Settings settings(json);
  RlooConfig c;
  read_online(settings, c);
  settings.read("normalize_advantages", &c.normalize_advantages);
  settings.read("reward_clip_range", &c.reward_clip_range);
  settings.read_if_there("importance_sampling_level", &c.importance_sampling_level,
                         {ImportanceLevel::kToken, ImportanceLevel::kSequence});
  c.conventions.read(settings);
  settings.refuse_unknown();
  validate(c);
  return c;
}

OnlineDpoConfig online_dpo_config_from_json(const Json& json) {
  Settings settings(json);
  OnlineDpoConfig c;
  read_online(settings, c);
  settings.read("loss_type", &c.loss_type,
                {PreferenceLossType::kSigmoid, PreferenceLossType::kIpo});
  settings.read("missing_eos_penalty", &c.missing_eos_penalty);
  settings.refuse_unknown();
  validate(c);
  return c;
}

namespace {
void need_a_group(const OnlineConfig& c) {
  require(c.num_generations >= 2,
          "--num-generations " + std::to_string(c.num_generations) +
              " cannot be: an advantage is against the group's others, so it must be 2 or more");
}
}  // namespace

void validate(const OnlineConfig& c) {
  validate(static_cast<const TrainConfig&>(c));
  llm::validate(c.sampling());
  require(c.num_generations > 0, "--num-generations must be 1 or more");
  require(c.max_completion_length > 0, "--max-completion-length must be 1 or more");
  require(c.temperature > 0, "--temperature 0 cannot be: answers that are all equal teach nothing");
  require(c.lora_dropout == 0, "--lora-dropout must be 0 here: what is trained must be what spoke");
  require(c.completions_per_step() % c.num_generations == 0,
          "--per-device-train-batch-size times --gradient-accumulation-steps is " +
              std::to_string(c.completions_per_step()) +
              " completions a step: it must be a multiple of --num-generations (" +
              std::to_string(c.num_generations) + ")");
  require(c.steps_per_generation % c.gradient_accumulation_steps == 0,
          "--steps-per-generation must be a multiple of --gradient-accumulation-steps, or 0");
  require(c.num_iterations > 0, "--num-iterations must be 1 or more");
  require(c.rollout_batch_size > 0, "--rollout-batch-size must be 1 or more");
  require(std::isfinite(c.beta) && c.beta >= 0, "--beta must be 0 (no reference) or more");
  require(c.epsilon >= 0 && c.epsilon < 1, "--epsilon must be in [0, 1)");
  require(!c.epsilon_high || (std::isfinite(*c.epsilon_high) && *c.epsilon_high >= 0),
          "--epsilon-high must be 0 or more");
}

void validate(const GrpoConfig& c) {
  validate(static_cast<const OnlineConfig&>(c));
  need_a_group(c);
  require(!c.delta || *c.delta > 1 + c.epsilon_high.value_or(c.epsilon),
          "--delta must be above 1 + --epsilon-high: below it the upper clip would never act");
  require(c.loss_type != PolicyLossType::kCispo || c.epsilon_high,
          "--loss-type cispo needs --epsilon-high: it bounds the ratio itself (5 is usual)");
  require(c.sapo_temperature_pos > 0 && c.sapo_temperature_neg > 0,
          "--sapo-temperature-pos and --sapo-temperature-neg must be above 0");
  require(c.top_entropy_quantile > 0 && c.top_entropy_quantile <= 1,
          "--top-entropy-quantile must be above 0 and at most 1 (all tokens)");
  require(std::isfinite(c.entropy_coef), "--entropy-coef must be a finite number");
  require(std::isfinite(c.entropy_target) && std::isfinite(c.entropy_coef_delta) &&
              c.entropy_coef_delta >= 0,
          "--entropy-target must be a number, --entropy-coef-delta 0 or more");
  require(c.entropy_coef_min <= c.entropy_coef_max && std::isfinite(c.entropy_coef_min) &&
              std::isfinite(c.entropy_coef_max),
          "--entropy-coef-min must not be above --entropy-coef-max");
  require(!c.use_adaptive_entropy ||
              (c.entropy_coef >= c.entropy_coef_min && c.entropy_coef <= c.entropy_coef_max),
          "--entropy-coef must lie between --entropy-coef-min and --entropy-coef-max with "
          "--use-adaptive-entropy");
  require(!c.dynamic_sampling || c.max_generation_batches > 0,
          "--max-generation-batches must be 1 or more");
  validate(c.conventions);
}

void validate(const RlooConfig& c) {
  validate(static_cast<const OnlineConfig&>(c));
  need_a_group(c);
  require(c.reward_clip_range.empty() ||
              (c.reward_clip_range.size() == 2 && c.reward_clip_range[0] < c.reward_clip_range[1]),
          "--reward-clip-range is two numbers, the lower one first");
  validate(c.conventions);
}

void validate(const OnlineDpoConfig& c) {
  validate(static_cast<const OnlineConfig&>(c));
  require(c.num_generations == 2, "--num-generations must be 2: a pair is made of two answers");
  require(c.beta > 0, "--beta must be above 0: it says how far the policy may leave the reference");
}

namespace {

size_t generations_per_epoch(const OnlineConfig& config, size_t prompts) {
  check_not_empty(prompts);
  const size_t per_epoch = prompts / config.prompts_per_generation();
  if (per_epoch > 0) return per_epoch;
  throw invalid_input(
      "a generation takes " + std::to_string(config.prompts_per_generation()) +
      " prompts, and there are only " + std::to_string(prompts) +
      ": give more, or lower --per-device-train-batch-size, --gradient-accumulation-steps or "
      "--steps-per-generation");
}

}  // namespace

size_t total_online_steps(const OnlineConfig& config, size_t prompts) {
  const size_t per_epoch = generations_per_epoch(config, prompts) * config.window();
  if (config.max_steps > 0) return config.max_steps;
  return static_cast<size_t>(std::ceil(config.num_train_epochs * static_cast<double>(per_epoch)));
}

PromptOrder::PromptOrder(const OnlineConfig& config, size_t prompts)
    : order_config_(order_of(config)),
      per_epoch_(generations_per_epoch(config, prompts)),
      per_epoch_of_order_(steps_per_epoch(order_config_, prompts)),
      order_(order_config_, prompts) {}

std::vector<size_t> PromptOrder::prompts_of(size_t generation) {
  const size_t epoch = generation / per_epoch_;
  const size_t step = epoch * per_epoch_of_order_ + generation % per_epoch_ + 1;
  const std::span<const size_t> rows = order_.rows_of_step(step);
  return {rows.begin(), rows.end()};
}

}  // namespace hone::train
