#pragma once
// What the sum of a policy loss over tokens is divided by (TRL's reductions; B completions of the
// optimiser's batch):
//   grpo sapo          mean over a completion's tokens, then over the B
//   bnpo               mean over a micro-batch's tokens, then over the micro-batches
//   dr_grpo            B * max_completion_length
//   dapo cispo vespo   tokens of the whole generation, by the steps that it is cut into
//   luspo rloo         B
// A completion that is masked (cut off, with mask_truncated_completions) counts among the B and has
// no tokens.

#include <vector>

#include "train/policy_loss.h"

namespace hone::train {

// Of one token; micro_batch_tokens: of the micro-batch that its completion is in.
double token_weight(PolicyLossType type, size_t completion_tokens, size_t micro_batch_tokens);

struct BatchSizes {
  size_t completions = 0, micro_batches = 1, max_completion_length = 1;
  double generation_tokens_per_step = 1;
};
double reduction_normaliser(PolicyLossType type, const BatchSizes& sizes);

// What a token's entropy must reach to be among the top share of these: torch.quantile of
// 1 - share, with linear interpolation. 0 for none.
double entropy_threshold(std::vector<float> entropies, double share);

}  // namespace hone::train
