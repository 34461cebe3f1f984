#pragma once
// Proximal policy optimisation with a value head, from config to loop (train/ppo_loss.h has the
// formulas; TRL's PPOTrainer, trainers.md section 2).
//
// A generation is answered by the policy itself (train/rollout.h): its log-probabilities are the old
// ones, the reference's and the values of every token come out of the training forward. Then
// --num-ppo-epochs passes over it in --num-mini-batches optimiser steps each, in an order of each
// epoch's own. A step's loss is the mean over its tokens plus vf_coef times the mean over its slots,
// whatever the passes; TRL averages micro-batches.
//
// The value head is one linear output on the policy's own layers (shared) and starts at 0, or stands
// on a model of its own (train/value_model.h), whose sum is divided by the slots: the same loss, in
// two updates. Either is part of every checkpoint and not of final/.

#include "train/online.h"
#include "train/ppo_loss.h"
#include "train/value_model.h"

namespace hone::train {

// TRL's names where OnlineConfig has others: num_ppo_epochs is num_iterations, response_length is
// max_completion_length, kl_coef is beta.
struct PpoConfig : OnlineConfig {
  PpoConfig() {
    learning_rate = 3e-6;
    num_generations = 1;
    num_iterations = 4;
    max_completion_length = 53;
    temperature = 0.7;
    beta = 0.05;
    conventions = trl_conventions();
  }
  static PolicyConventions trl_conventions() {
    PolicyConventions conventions;
    conventions.advantage_whitening = AdvantageWhitening::kTokensSample;
    return conventions;
  }
  size_t num_mini_batches = 1;  // optimiser steps that one pass over a generation takes
  KlEstimator kl_estimator = KlEstimator::kK1;
  double kl_target = 0;  // mean KL of an answer that the coefficient is steered to; 0 = it is fixed
  double kl_horizon = 10000;
  PolicyConventions conventions;
  ScorePosition score_position = ScorePosition::kBehind;
  bool whiten_rewards = false;
  double cliprange = 0.2, cliprange_value = 0.2, vf_coef = 0.1, gamma = 1, lam = 0.95;
  std::optional<double> missing_eos_penalty;  // taken from the score of an answer that was cut
  size_t value_warmup_steps = 0;              // optimiser steps that teach the values alone
  bool value_model = false;                   // apart from the policy
  std::optional<double> value_learning_rate;  // of the value model; learning_rate when not given

  // steps_per_generation follows from num_mini_batches.
  void complete() { steps_per_generation = gradient_accumulation_steps * num_mini_batches; }
  Json to_json() const;
};
PpoConfig ppo_config_from_json(const Json& settings);
void validate(const PpoConfig& config);

// value: with config.value_model, what it begins with; else null.
TrainResult train_ppo(TrainJob& job, const PpoConfig& config, const OnlineData& data,
                      ValueStart* value = nullptr);

}  // namespace hone::train
