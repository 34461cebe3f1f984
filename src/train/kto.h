#pragma once
// Kahneman-Tversky optimisation (arXiv 2402.01306) from answers that were judged one by one, from
// config to loop, as TRL's KTOTrainer. With a = l - l_ref of an answer,
//
//   kto                desirable: d (1 - s(b (a - z)))    undesirable: u (1 - s(b (z - a)))
//   apo_zero_unpaired  desirable: d (1 - s(b a))          undesirable: u s(b a)
//
// z = max(0, mean of l - l_ref over the batch's prompts, each with the answer of the row before it
// (the first with the last's)), without a gradient: how far the policy has gone from the reference
// at all. The loss is sum(w L) / sum(w) over the optimiser's whole batch; TRL's of one micro-batch
// is the same. A label that is right with probability p weighs both losses.

#include <optional>
#include <string_view>
#include <vector>

#include "llm/unpaired_rows.h"
#include "train/training_run.h"

namespace hone::train {

enum class KtoLossType { kKto, kApoZeroUnpaired };
std::string_view name(KtoLossType type);
std::optional<KtoLossType> kto_loss_from_name(std::string_view name);

struct KtoConfig : TrainConfig {
  KtoConfig() {
    learning_rate = 1e-6;
    train_sampling_strategy = SamplingStrategy::kSequential;
  }
  KtoLossType loss_type = KtoLossType::kKto;
  double beta = 0.1;
  double desirable_weight = 1, undesirable_weight = 1;
  Json to_json() const;
};
KtoConfig kto_config_from_json(const Json& settings);
void validate(const KtoConfig& config);

struct KtoLoss {
  double value = 0;
  double slope = 0;  // by the answer's log-probability
};
// ratio: a. In f64; any thread.
KtoLoss kto_loss(const KtoConfig& config, double ratio, double kl, bool desirable,
                 double probability);

// Rows of the largest tree: a prompt can meet any row's answer.
size_t longest_meeting(const std::vector<llm::UnpairedTokens>& rows);

// reference: null for the model that is trained without its adapter, which needs LoRA.
TrainResult train_kto(TrainJob& job, const KtoConfig& config,
                      const std::vector<llm::UnpairedTokens>& examples,
                      const std::vector<llm::UnpairedTokens>& eval_examples,
                      const llm::Model* reference);

}  // namespace hone::train
