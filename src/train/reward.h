#pragma once
// Reward modelling (Bradley and Terry), from config to loop: a score head learns to put the chosen
// answer above the rejected one. TRL's RewardTrainer: the score stands behind the answer's last
// token, EOS included; pairs longer than --max-length are left out, not cut.
//
// The batch's loss is sum(w L) / sum(w) over the optimiser's whole batch (train/reward_loss.h). A
// model without a score head gets a new one from the seed. With LoRA the head is trained whole and
// goes with the adapter.

#include <vector>

#include "llm/tokenized_rows.h"
#include "train/training_run.h"

namespace hone::train {

// Pairs whose longer side fits; the others are counted, never cut: the score reads the end.
struct RewardPairs {
  std::vector<llm::PreferenceTokens> pairs;
  size_t too_long = 0;
};
RewardPairs reward_pairs(std::vector<llm::PreferenceTokens> all, size_t max_length);

TrainResult train_reward(TrainJob& job, const RewardConfig& config,
                         const std::vector<llm::PreferenceTokens>& examples,
                         const std::vector<llm::PreferenceTokens>& eval_examples);

// A process reward model: the score behind a step's last token says whether the step is right
// (above 0) or not; the loss is the mean over the batch's labelled steps, each with its row's weight
// (TRL's PRM; its two classes are one score here).
TrainResult train_process_reward(TrainJob& job, const RewardConfig& config,
                                 const std::vector<llm::StepTokens>& examples,
                                 const std::vector<llm::StepTokens>& eval_examples);

}  // namespace hone::train
