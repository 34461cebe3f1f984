#pragma once
// Options of training, with TRL's and transformers' names (interfaces.md section 2).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/preference_loss.h"

namespace hone::train {

enum class Scheduler { kLinear, kCosine, kConstant };
enum class SamplingStrategy { kRandom, kSequential };
enum class ReportTo { kNone, kTensorboard };

struct TrainConfig {
  double learning_rate = 2e-5;
  Scheduler lr_scheduler_type = Scheduler::kLinear;
  double warmup_ratio = 0;
  size_t warmup_steps = 0;  // wins over the ratio when not 0
  double num_train_epochs = 3;
  size_t max_steps = 0;  // 0 = by epochs
  size_t per_device_train_batch_size = 8;
  size_t gradient_accumulation_steps = 1;
  size_t max_length = 1024;      // tokens of a row; longer rows are cut at the end; 0 = no cut
  size_t max_prompt_length = 0;  // keep the last tokens of a prompt; 0 = no cut
  double weight_decay = 0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1;  // 0 = no clipping
  size_t logging_steps = 10;
  size_t eval_steps = 0;    // 0 = only at the end
  size_t save_steps = 500;  // 0 = only at the end
  size_t save_total_limit = 2;
  uint64_t seed = 42;
  size_t lora_r = 0;      // 0 = full fine-tuning
  double lora_alpha = 0;  // 0 = 2 r
  double lora_dropout = 0;
  bool use_rslora = false;                       // scale alpha / sqrt(r) in the place of alpha / r
  bool use_dora = false;                         // a trained magnitude for each output (llm/dora.h)
  std::vector<std::string> lora_target_modules;  // empty = all linear layers
  SamplingStrategy train_sampling_strategy = SamplingStrategy::kRandom;
  size_t max_tokens_per_pass = 512;
  bool prefix_sharing = true;
  bool recompute = false;
  bool log_gradient_norms = false;
  ReportTo report_to = ReportTo::kNone;  // beside metrics.jsonl
  // No option: whether the method's loss has slopes that do not depend on the log-probabilities.
  bool known_coefficients = false;
  bool teacher = false;  // no option either: whether it learns from another model's distribution

  // Settings that decide bits, for the manifest.
  Json to_json() const;
};

struct SftConfig : TrainConfig {
  SftConfig() { known_coefficients = true; }
  bool packing = false;              // a batch counts packed sequences (train/packing.h)
  bool completion_only_loss = true;  // of prompt-completion rows
  bool assistant_only_loss = false;  // of message rows
  Json to_json() const;
};

struct DpoConfig : TrainConfig {
  DpoConfig() { learning_rate = 1e-6; }
  double beta = 0.1;
  std::vector<PreferenceLossType> loss_type = {PreferenceLossType::kSigmoid};
  std::vector<double> loss_weights;  // empty = 1 each
  double label_smoothing = 0;
  bool reference_free = false;
  FDivergence f_divergence_type = FDivergence::kReverseKl;
  double f_alpha_divergence_coef = 0.5;
  std::optional<double> ld_alpha;  // of the tokens beyond the shorter answer (LD-DPO)
  // What peers write differently (train/conventions.h).
  IpoLogProbs ipo_log_probs = IpoLogProbs::kMean;
  SftMean sft_mean = SftMean::kTokens;
  bool ld_alpha_of_reference = true;  // the reference's log-probabilities are weighed too

  PreferenceForm form() const {
    return {beta, label_smoothing, f_divergence_type, f_alpha_divergence_coef, ipo_log_probs};
  }
  // A loss of --loss-type.
  bool has(PreferenceLossType type) const;
  bool is_coupled() const;  // some loss sorts a micro-batch
  Json to_json() const;
};

struct RewardConfig : TrainConfig {
  RewardConfig() { learning_rate = 1e-4; }
  double center_rewards_coefficient = 0;  // TRL's None
  bool process = false;                   // rows of labelled steps, not pairs
  std::string step_separator = "\n";
  bool train_on_last_step_only = false;
  Json to_json() const;
};

// The settings of a manifest back as options (the seed stands apart in a manifest and is not here):
// to_json of the answer is `settings` again. Throws invalid_input that names the key which is
// missing, unknown or of another kind: then another version of the program wrote them.
SftConfig sft_config_from_json(const Json& settings);
DpoConfig dpo_config_from_json(const Json& settings);
RewardConfig reward_config_from_json(const Json& settings);

std::string_view name(Scheduler scheduler);
std::string_view name(SamplingStrategy strategy);

// Throws invalid_input unless it is good: "--option is value: it must be wanted", or the sentence.
void require(bool good, const char* option, double value, const char* wanted);
void require(bool good, const std::string& sentence);

// Throws invalid_input that names the option, its value and what is allowed.
void validate(const TrainConfig& config);
void validate(const SftConfig& config);
void validate(const DpoConfig& config);
void validate(const RewardConfig& config);

// transformers' schedules: multiplier of the learning rate in effect during step (from 1).
double schedule_multiplier(const TrainConfig& config, size_t step, size_t total_steps);

// Optimiser steps of a run over that many rows.
size_t steps_per_epoch(const TrainConfig& config, size_t rows);
size_t total_steps(const TrainConfig& config, size_t rows);

// Throws invalid_input when there is nothing to train on.
void check_not_empty(size_t rows);

// Which rows an optimiser step (from 1) takes, in data order. random: a permutation per epoch, from
// the stream of (seed, epoch); sequential: file order. The last step of an epoch may be shorter.
class DataOrder {
 public:
  DataOrder(const TrainConfig& config, size_t rows);
  // The span holds until the next call.
  std::span<const size_t> rows_of_step(size_t step);

 private:
  void start_epoch(size_t epoch);

  uint64_t seed_;
  bool random_;
  size_t batch_, per_epoch_;
  size_t epoch_ = 0;
  std::vector<size_t> order_;  // of epoch_
};

}  // namespace hone::train
