#include "train/policy_reduction.h"

#include <algorithm>

namespace hone::train {

double token_weight(PolicyLossType type, size_t completion_tokens, size_t micro_batch_tokens) {
  switch (type) {
    case PolicyLossType::kGrpo:
    case PolicyLossType::kSapo:
      return 1 / static_cast<double>(std::max<size_t>(1, completion_tokens));
    case PolicyLossType::kBnpo:
      return 1 / static_cast<double>(std::max<size_t>(1, micro_batch_tokens));
    default: return 1;
  }
}

double reduction_normaliser(PolicyLossType type, const BatchSizes& sizes) {
  const double completions = static_cast<double>(std::max<size_t>(1, sizes.completions));
  switch (type) {
    case PolicyLossType::kBnpo:
      return static_cast<double>(std::max<size_t>(1, sizes.micro_batches));
    case PolicyLossType::kDrGrpo:
      return completions * static_cast<double>(sizes.max_completion_length);
    case PolicyLossType::kDapo:
    case PolicyLossType::kCispo:
    case PolicyLossType::kVespo: return std::max(1.0, sizes.generation_tokens_per_step);
    default: return completions;
  }
}

double entropy_threshold(std::vector<float> entropies, double share) {
  if (entropies.empty()) return 0;
  std::sort(entropies.begin(), entropies.end());
  const double place = (1 - share) * static_cast<double>(entropies.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, entropies.size() - 1);
  const double weight = place - static_cast<double>(below);
  return static_cast<double>(entropies[below]) * (1 - weight) +
         static_cast<double>(entropies[above]) * weight;
}

}  // namespace hone::train
