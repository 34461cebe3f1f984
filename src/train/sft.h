#pragma once
// Supervised fine-tuning: loss = sum over trained tokens of -w log p / sum of w, over the whole
// batch of the optimiser's step (TRL's convention: not a mean of means). With packing a batch counts
// packed sequences (train/packing.h), otherwise rows.

#include <vector>

#include "llm/tokenized_rows.h"
#include "train/training_run.h"

namespace hone::train {

// What --per-device-train-batch-size counts: the rows of each packed sequence, or one row each.
std::vector<std::vector<size_t>> sft_units(const SftConfig& config,
                                           const std::vector<llm::SftTokens>& examples);

TrainResult train_sft(TrainJob& job, const SftConfig& config,
                      const std::vector<llm::SftTokens>& examples,
                      const std::vector<llm::SftTokens>& eval_examples);

}  // namespace hone::train
