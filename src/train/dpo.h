#pragma once
// Direct preference optimisation and its family (train/preference_loss.h), from config to loop.
//
// Per pair: implicit rewards beta (l - l_ref) of chosen and rejected; the batch's loss is
// sum(w L) / sum(w) over the optimiser's whole batch, each loss type with its weight. `sft` is the
// token mean of -log p over the batch's chosen answers, or with sft_mean `pairs` the weighted mean of
// each answer's own. Reference log-probabilities are computed once, before the first step, by the
// same forward, and kept in the run by digest; pairs that no step will take are left out.
//
// aot and aot_unpaired sort the pairs of a micro-batch (per_device_train_batch_size of them, in data
// order, as TRL does; decisions 1.7) against each other; the last one of an epoch may be smaller.
// Their slopes follow from all of its log-probabilities, so a step scores its pairs before it
// differentiates: a forward more.

#include <string>
#include <vector>

#include "llm/pair_scoring.h"
#include "llm/tokenized_rows.h"
#include "train/training_run.h"

namespace hone::train {

struct DpoReference {
  const llm::Model* model = nullptr;  // null: job.model before training
  const llm::LoraAdapter* adapter = nullptr;
  std::string digest;  // of that model, for the cache
};

TrainResult train_dpo(TrainJob& job, const DpoConfig& config,
                      const std::vector<llm::PreferenceTokens>& examples,
                      const std::vector<llm::PreferenceTokens>& eval_examples,
                      const DpoReference& reference);

}  // namespace hone::train
