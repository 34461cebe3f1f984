#pragma once
// Supervised fine-tuning: loss = sum over trained tokens of -w log p / sum of w, over the whole
// batch of the optimiser's step (TRL's convention: not a mean of means).

#include <vector>

#include "llm/tokenized_rows.h"
#include "train/training_run.h"

namespace hone::train {

TrainResult train_sft(TrainJob& job, const SftConfig& config,
                      const std::vector<llm::SftTokens>& examples,
                      const std::vector<llm::SftTokens>& eval_examples);

}  // namespace hone::train
