#pragma once
// Odds ratio preference optimisation (arXiv 2403.07691), from config to loop, as TRL's ORPOTrainer:
//   mean -log p over all tokens of the batch's prompts with their chosen answers
//   + sum(w L) / sum(w) of the pairs' odds ratios (train/unreferenced_loss.h)
// No reference model. The first mean is weighted by w too. With nll_scope `answer` (LLaMA-Factory) it
// is of each chosen answer's own tokens, then over the pairs.

#include <vector>

#include "llm/tokenized_rows.h"
#include "train/training_run.h"

namespace hone::train {

struct OrpoConfig : TrainConfig {
  OrpoConfig() { learning_rate = 1e-6; }
  double beta = 0.1;
  NllScope nll_scope = NllScope::kPromptAndAnswer;
  Json to_json() const;
};
OrpoConfig orpo_config_from_json(const Json& settings);
void validate(const OrpoConfig& config);

TrainResult train_orpo(TrainJob& job, const OrpoConfig& config,
                       const std::vector<llm::PreferenceTokens>& examples,
                       const std::vector<llm::PreferenceTokens>& eval_examples);

}  // namespace hone::train
