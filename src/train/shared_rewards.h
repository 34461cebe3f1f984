#pragma once
// Rewards on several ranks: each judges the answers that it drew, but for a function that must see all
// of them in order (reward/reward.h), which rank 0 asks. The values are those of one rank.

#include <optional>
#include <span>
#include <vector>

#include "reward/reward.h"
#include "train/communicator.h"

namespace hone::train {

// As reward::score_all; samples [begin[r], begin[r + 1]) were drawn on rank r. Every rank gives all
// samples and gets all values.
std::vector<std::vector<std::optional<double>>> score_shared(
    Communicator& ranks, const reward::Functions& functions,
    std::span<const reward::Sample> samples, std::span<const size_t> begin);

}  // namespace hone::train
