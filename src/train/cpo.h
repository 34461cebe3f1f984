#pragma once
// Contrastive preference optimisation (arXiv 2401.08417) and SimPO (arXiv 2405.14734), from config to
// loop, as TRL's CPOTrainer:
//   sum(w L) / sum(w) of the pairs (train/unreferenced_loss.h)
//   + cpo_alpha * mean -log p over the batch's chosen tokens, weighted by w too
// SimPO is loss_type simpo with cpo_alpha 0. No reference model.

#include <vector>

#include "llm/tokenized_rows.h"
#include "train/training_run.h"
#include "train/unreferenced_loss.h"

namespace hone::train {

struct CpoConfig : TrainConfig {
  CpoConfig() { learning_rate = 1e-6; }
  CpoLossType loss_type = CpoLossType::kSigmoid;
  double beta = 0.1;
  double label_smoothing = 0;
  double cpo_alpha = 1;
  double simpo_gamma = 0.5;
  CpoLossOptions loss() const { return {loss_type, beta, label_smoothing, simpo_gamma}; }
  Json to_json() const;
};
CpoConfig cpo_config_from_json(const Json& settings);
void validate(const CpoConfig& config);

TrainResult train_cpo(TrainJob& job, const CpoConfig& config,
                      const std::vector<llm::PreferenceTokens>& examples,
                      const std::vector<llm::PreferenceTokens>& eval_examples);

}  // namespace hone::train
