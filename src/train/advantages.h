#pragma once
// From rewards to advantages, by TRL's rules: pure functions over a batch of groups of equal size,
// group after group. A completion without a reward is left out of means and deviations, and its
// advantage is 0. Deviations are with Bessel's correction; what is divided by one has
// advantage_epsilon added (train/conventions.h).

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "train/conventions.h"

namespace hone::train {

// What an answer is held against. kGroup: its group (GRPO). kReinforce: the batch (REINFORCE++).
// kReinforceBaseline: its group's mean, then the batch (REINFORCE++-baseline). OpenRLHF's names.
enum class AdvantageEstimator { kGroup, kReinforce, kReinforceBaseline };
std::string_view name(AdvantageEstimator estimator);

enum class ScaleRewards { kGroup, kBatch, kNone };
enum class RewardAggregation { kSumThenNormalize, kNormalizeThenSum };  // the latter: GDPO
std::string_view name(ScaleRewards scale);
std::string_view name(RewardAggregation aggregation);

using Reward = std::optional<double>;

struct Advantages {
  std::vector<double> values;        // one for each completion
  std::vector<bool> without_spread;  // those whose group (or batch) has no spread
};

// rewards[i][k]: of completion i by function k; weights empty: 1 each.
Advantages group_advantages(std::span<const std::vector<Reward>> rewards,
                            std::span<const double> weights, size_t group_size, ScaleRewards scale,
                            RewardAggregation aggregation,
                            const PolicyConventions& conventions = {});

// What RLOO compares: the reward, clipped to [low, high] when a range is given, less beta times the
// completion's KL (sum of old - reference).
Reward rloo_reward(Reward reward, std::span<const double> clip_range, double beta, double kl);

// RLOO: the reward less the mean of the group's others.
Advantages leave_one_out_advantages(std::span<const Reward> rewards, size_t group_size,
                                    bool normalize, const PolicyConventions& conventions = {});

// REINFORCE++: the reward less the batch's mean, by its deviation; with group_baseline less the
// group's mean first (REINFORCE++-baseline). advantage_whitening says over what; tokens: of each
// completion, where it is over tokens.
Advantages batch_advantages(std::span<const Reward> rewards, size_t group_size, bool group_baseline,
                            const PolicyConventions& conventions = {},
                            std::span<const size_t> tokens = {});

// Over those that are there: 0 when there is none (deviation: fewer than two).
double mean_of(std::span<const Reward> values);
double deviation_of(std::span<const Reward> values);

}  // namespace hone::train
