#pragma once
// Options of the methods that learn from their own answers, with TRL's names. Batch sizes count
// completions, as in TRL: per_device_train_batch_size * gradient_accumulation_steps of them are an
// optimiser step, a multiple of num_generations, so that whole groups are.
//
// One generation serves steps_per_generation micro-batches (0: gradient_accumulation_steps, one
// optimiser step), num_iterations times over.

#include <optional>
#include <string>
#include <vector>

#include "llm/sampler.h"
#include "train/advantages.h"
#include "train/config.h"
#include "train/policy_loss.h"
#include "train/rollout.h"

namespace hone::train {

struct OnlineConfig : TrainConfig {
  OnlineConfig() { learning_rate = 1e-6; }
  size_t num_generations = 8;
  size_t max_completion_length = 512;
  double temperature = 1, top_p = 1, min_p = 0;
  size_t top_k = 0;
  double beta = 0;  // of the KL to the reference
  size_t num_iterations = 1;
  size_t steps_per_generation = 0;
  double epsilon = 0.2;
  std::optional<double> epsilon_high;  // epsilon when not given
  std::vector<std::string> rewards;    // specs, as --reward had them: for the manifest
  std::vector<double> reward_weights;  // empty: 1 each
  bool recorded_rollouts = false;      // answers are read (train/recorded_rollouts.h)
  bool log_completions = true;         // decides no bit of the model
  size_t num_generations_eval = 0;     // 0: num_generations; decides no bit of the model
  bool batch_counts_prompts = false;   // of the method, not an option
  size_t rollout_batch_size = 32;      // completions written at once; decides no bit

  size_t completions_per_step() const {
    return per_device_train_batch_size * gradient_accumulation_steps *
           (batch_counts_prompts ? num_generations : 1);
  }
  size_t prompts_per_step() const { return completions_per_step() / num_generations; }
  size_t steps_of_generation() const;  // optimiser steps that one pass over a generation takes
  size_t window() const { return steps_of_generation() * num_iterations; }
  size_t prompts_per_generation() const { return prompts_per_step() * steps_of_generation(); }
  llm::SamplingOptions sampling() const;
  RolloutOptions rollout() const;

  Json to_json() const;
};

struct GrpoConfig : OnlineConfig {
  PolicyLossType loss_type = PolicyLossType::kDapo;
  ImportanceLevel importance_sampling_level = ImportanceLevel::kToken;
  AdvantageEstimator advantage_estimator = AdvantageEstimator::kGroup;
  ScaleRewards scale_rewards = ScaleRewards::kGroup;
  RewardAggregation multi_objective_aggregation = RewardAggregation::kSumThenNormalize;
  PolicyConventions conventions;
  std::optional<double> delta;
  bool use_bias_correction_kl = true;
  std::optional<double> off_policy_mask_threshold;
  double sapo_temperature_pos = 1.0, sapo_temperature_neg = 1.05;
  double vespo_k_pos = 2, vespo_lambda_pos = 3, vespo_k_neg = 3, vespo_lambda_neg = 2;
  bool mask_truncated_completions = false;
  double top_entropy_quantile = 1;  // share of the tokens that learn, those of most entropy
  // Times the mean entropy of a micro-batch's tokens, taken from the loss. Adaptive: it is moved by
  // delta between min and max after each step, up when the entropy was at or below the target, and
  // counts only then (Skywork-OR1; train/entropy_control.h).
  double entropy_coef = 0;
  bool use_adaptive_entropy = false;
  double entropy_coef_min = 0, entropy_coef_max = 1, entropy_coef_delta = 0.005;
  double entropy_target = 0.2;
  // Groups without spread are asked other prompts, at most so many times a generation (DAPO).
  bool dynamic_sampling = false;
  size_t max_generation_batches = 10;

  PolicyLossConfig loss() const;
  Json to_json() const;
};

struct RlooConfig : OnlineConfig {
  RlooConfig() {
    num_generations = 2;
    beta = 0.05;
  }
  PolicyConventions conventions;
  // Of the ratio: the whole answer's (TRL), or each token's, and then the batch's tokens are averaged
  // (OpenRLHF, verl).
  ImportanceLevel importance_sampling_level = ImportanceLevel::kSequence;
  bool normalize_advantages = false;
  std::vector<double> reward_clip_range;  // empty, or low and high

  PolicyLossConfig loss() const;
  Json to_json() const;
};

struct OnlineDpoConfig : OnlineConfig {
  OnlineDpoConfig() {
    learning_rate = 5e-7;
    num_generations = 2;  // always
    batch_counts_prompts = true;
    beta = 0.1;
    temperature = 0.9;
    max_completion_length = 64;
  }
  PreferenceLossType loss_type = PreferenceLossType::kSigmoid;  // or kIpo
  std::optional<double> missing_eos_penalty;

  Json to_json() const;
};

GrpoConfig grpo_config_from_json(const Json& settings);
RlooConfig rloo_config_from_json(const Json& settings);
OnlineDpoConfig online_dpo_config_from_json(const Json& settings);

void validate(const OnlineConfig& config);
void validate(const GrpoConfig& config);
void validate(const RlooConfig& config);
void validate(const OnlineDpoConfig& config);

// Steps of a run over that many prompts. Throws invalid_input when they are fewer than one
// generation takes.
size_t total_online_steps(const OnlineConfig& config, size_t prompts);

// Which prompts a generation (from 0) takes. As in TRL an epoch is cut to whole generations.
class PromptOrder {
 public:
  PromptOrder(const OnlineConfig& config, size_t prompts);
  std::vector<size_t> prompts_of(size_t generation);

 private:
  TrainConfig order_config_;
  size_t per_epoch_, per_epoch_of_order_;
  DataOrder order_;
};

}  // namespace hone::train
