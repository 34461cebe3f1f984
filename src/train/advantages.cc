#include "train/advantages.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "reward/reward.h"

namespace hone::train {

std::string_view name(AdvantageEstimator estimator) {
  switch (estimator) {
    case AdvantageEstimator::kGroup: return "group";
    case AdvantageEstimator::kReinforce: return "reinforce";
    case AdvantageEstimator::kReinforceBaseline: return "reinforce_baseline";
  }
  return "group";
}

std::string_view name(ScaleRewards scale) {
  switch (scale) {
    case ScaleRewards::kGroup: return "group";
    case ScaleRewards::kBatch: return "batch";
    case ScaleRewards::kNone: return "none";
  }
  return "group";
}

std::string_view name(RewardAggregation aggregation) {
  return aggregation == RewardAggregation::kSumThenNormalize ? "sum_then_normalize"
                                                             : "normalize_then_sum";
}

namespace {

constexpr double kVarianceFloor = 1e-8;  // of whitening over tokens
constexpr double kNoSpread = 1e-8;       // torch.isclose to 0

size_t count_of(std::span<const Reward> values) {
  size_t count = 0;
  for (const Reward& value : values) count += value ? 1 : 0;
  return count;
}

// (value - mean) / (deviation + epsilon) of each group, for those that are there.
std::vector<Reward> normalized(std::span<const Reward> rewards, size_t group_size, double epsilon) {
  std::vector<Reward> out(rewards.size());
  for (size_t first = 0; first < rewards.size(); first += group_size) {
    const auto group = rewards.subspan(first, group_size);
    const double mean = mean_of(group), deviation = deviation_of(group);
    for (size_t i = 0; i < group_size; ++i) {
      if (group[i]) out[first + i] = (*group[i] - mean) / (deviation + epsilon);
    }
  }
  return out;
}

// What is taken off, and what is multiplied by.
struct Whitening {
  double mean = 0, scale = 1;
};

// A completion counts as many times as it has tokens.
Whitening over_tokens(std::span<const Reward> values, std::span<const size_t> tokens, bool sample) {
  HONE_CHECK(tokens.size() == values.size());
  double count = 0, sum = 0, squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    count += static_cast<double>(tokens[i]);
    sum += static_cast<double>(tokens[i]) * *values[i];
  }
  Whitening out;
  if (count == 0) return out;
  out.mean = sum / count;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    const double off = *values[i] - out.mean;
    squares += static_cast<double>(tokens[i]) * off * off;
  }
  const double variance = sample ? (count > 1 ? squares / (count - 1) : 0) + kVarianceFloor
                                 : std::max(squares / count, kVarianceFloor);
  out.scale = 1 / std::sqrt(variance);
  return out;
}

}  // namespace

double mean_of(std::span<const Reward> values) {
  double sum = 0;
  for (const Reward& value : values) sum += value.value_or(0);
  const size_t count = count_of(values);
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

double deviation_of(std::span<const Reward> values) {
  const size_t count = count_of(values);
  if (count < 2) return 0;
  const double mean = mean_of(values);
  double squares = 0;
  for (const Reward& value : values) {
    if (value) squares += (*value - mean) * (*value - mean);
  }
  return std::sqrt(squares / static_cast<double>(count - 1));
}

Advantages group_advantages(std::span<const std::vector<Reward>> rewards,
                            std::span<const double> weights, size_t group_size, ScaleRewards scale,
                            RewardAggregation aggregation, const PolicyConventions& conventions) {
  HONE_CHECK(group_size > 0 && rewards.size() % group_size == 0);
  std::vector<Reward> sums;
  if (aggregation == RewardAggregation::kNormalizeThenSum) {
    const size_t functions = rewards.empty() ? 0 : rewards.front().size();
    std::vector<std::vector<Reward>> scaled(rewards.size(), std::vector<Reward>(functions));
    for (size_t k = 0; k < functions; ++k) {
      std::vector<Reward> column;
      for (const auto& row : rewards) column.push_back(row[k]);
      const std::vector<Reward> values =
          normalized(column, group_size, conventions.advantage_epsilon);
      for (size_t i = 0; i < rewards.size(); ++i) scaled[i][k] = values[i];
    }
    for (const auto& row : scaled) sums.push_back(reward::weighted_sum(row, weights));
  } else {
    for (const auto& row : rewards) sums.push_back(reward::weighted_sum(row, weights));
  }
  const bool by_batch =
      aggregation == RewardAggregation::kNormalizeThenSum || scale == ScaleRewards::kBatch;
  const double batch_deviation = deviation_of(sums), batch_mean = mean_of(sums);
  Advantages out;
  for (size_t first = 0; first < sums.size(); first += group_size) {
    const auto group = std::span<const Reward>(sums).subspan(first, group_size);
    const double deviation = by_batch ? batch_deviation : deviation_of(group);
    const double mean =
        aggregation == RewardAggregation::kNormalizeThenSum ? batch_mean : mean_of(group);
    const bool divide =
        aggregation == RewardAggregation::kNormalizeThenSum || scale != ScaleRewards::kNone;
    for (const Reward& value : group) {
      const double centred = value ? *value - mean : 0;
      out.values.push_back(divide ? centred / (deviation + conventions.advantage_epsilon)
                                  : centred);
      out.without_spread.push_back(deviation <= kNoSpread);
    }
  }
  return out;
}

Reward rloo_reward(Reward reward, std::span<const double> clip_range, double beta, double kl) {
  if (!reward) return reward;
  if (!clip_range.empty()) reward = std::clamp(*reward, clip_range[0], clip_range[1]);
  return beta == 0 ? *reward : *reward - beta * kl;
}

Advantages leave_one_out_advantages(std::span<const Reward> rewards, size_t group_size,
                                    bool normalize, const PolicyConventions& conventions) {
  HONE_CHECK(group_size > 0 && rewards.size() % group_size == 0);
  std::vector<Reward> advantages(rewards.size());
  Advantages out;
  for (size_t first = 0; first < rewards.size(); first += group_size) {
    const auto group = rewards.subspan(first, group_size);
    const size_t count = count_of(group);
    double sum = 0;
    for (const Reward& value : group) sum += value.value_or(0);
    for (size_t i = 0; i < group_size; ++i) {
      if (group[i] && count > 1) {
        advantages[first + i] = *group[i] - (sum - *group[i]) / static_cast<double>(count - 1);
      }
      out.without_spread.push_back(deviation_of(group) <= kNoSpread);
    }
  }
  const double mean = mean_of(advantages), deviation = deviation_of(advantages);
  for (const Reward& value : advantages) {
    const double scaled = normalize && value
                              ? (*value - mean) / (deviation + conventions.advantage_epsilon)
                              : value.value_or(0);
    out.values.push_back(scaled);
  }
  return out;
}

Advantages batch_advantages(std::span<const Reward> rewards, size_t group_size, bool group_baseline,
                            const PolicyConventions& conventions, std::span<const size_t> tokens) {
  HONE_CHECK(group_size > 0 && rewards.size() % group_size == 0);
  std::vector<Reward> values(rewards.begin(), rewards.end());
  Advantages out;
  for (size_t first = 0; first < rewards.size(); first += group_size) {
    const auto group = rewards.subspan(first, group_size);
    const double mean = group_baseline ? mean_of(group) : 0, deviation = deviation_of(group);
    for (size_t i = 0; i < group_size; ++i) {
      if (values[first + i]) *values[first + i] -= mean;
      out.without_spread.push_back(deviation <= kNoSpread);
    }
  }
  const AdvantageWhitening whitening = conventions.advantage_whitening;
  if (whitening != AdvantageWhitening::kAnswers) {
    const Whitening w = over_tokens(values, tokens, whitening == AdvantageWhitening::kTokensSample);
    for (const Reward& value : values) {
      out.values.push_back(value ? (*value - w.mean) * w.scale : 0);
    }
    return out;
  }
  const double mean = mean_of(values), deviation = deviation_of(values);
  for (const Reward& value : values) {
    out.values.push_back(value ? (*value - mean) / (deviation + conventions.advantage_epsilon) : 0);
  }
  return out;
}

}  // namespace hone::train
