#pragma once
// One optimiser step's gradients of a policy loss over groups of completions. What the sum is
// divided by: train/policy_reduction.h.

#include <span>
#include <vector>

#include "train/online.h"
#include "train/policy_loss.h"

namespace hone::train {

struct PolicyStepOptions {
  PolicyLossConfig loss;
  bool mask_truncated_completions = false;
  double top_entropy_quantile = 1;
  size_t micro_batch = 8;  // completions
  size_t max_completion_length = 1;
  bool prefix_sharing = true;
  double generation_tokens_per_step = 1;  // not masked
  // Taken from the loss: so much of the mean entropy of each micro-batch's tokens that learn, over
  // the micro-batches. Watched even where it is 0 when entropy_bonus is set.
  bool entropy_bonus = false;
  double entropy_coef = 0;
  // The weights are those that spoke: every log-probability must be the sampler's, to the bit.
  bool must_equal_sampler = false;
};

struct PolicyStep {
  double loss = 0, normaliser = 1;
  double entropy = 0;  // mean over the tokens that learned, with entropy_bonus
  Accumulated gradients;
  Json metrics = Json::object();
};

// Tokens that learn: of completions that are not masked.
size_t learning_tokens(std::span<const Group> groups, bool mask_truncated_completions);

// Throws internal that names step and prompt when the sampler's log-probabilities are not these.
PolicyStep policy_step(TrainingRun& run, const std::vector<llm::PromptTokens>& prompts,
                       std::span<const Group> groups, const PolicyStepOptions& options,
                       size_t step);

}  // namespace hone::train
