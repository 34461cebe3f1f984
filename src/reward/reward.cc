#include "reward/reward.h"

#include <cmath>
#include <set>

#include "base/error.h"

namespace hone::reward {

std::vector<std::optional<double>> score_one(RewardFunction& function,
                                             std::span<const Sample> samples) {
  std::vector<std::optional<double>> values = function.score(samples);
  if (values.size() != samples.size()) {
    throw Error(ErrorCode::kInternal,
                "reward " + function.name() + " gave " + std::to_string(values.size()) +
                    " values for " + std::to_string(samples.size()) +
                    " answers: it must give one for each (null where it has none)");
  }
  for (size_t i = 0; i < samples.size(); ++i) {
    if (values[i] && !std::isfinite(*values[i])) {
      throw Error(ErrorCode::kInternal,
                  "reward " + function.name() + " of an answer to " +
                      std::string(samples[i].row_name) +
                      " is not a finite number: it must be one, or null where it has none");
    }
  }
  return values;
}

std::vector<std::vector<std::optional<double>>> score_all(const Functions& functions,
                                                          std::span<const Sample> samples) {
  std::vector<std::vector<std::optional<double>>> out(samples.size());
  for (const auto& function : functions) {
    const std::vector<std::optional<double>> values = score_one(*function, samples);
    for (size_t i = 0; i < samples.size(); ++i) out[i].push_back(values[i]);
  }
  return out;
}

std::optional<double> weighted_sum(std::span<const std::optional<double>> values,
                                   std::span<const double> weights) {
  std::optional<double> sum;
  for (size_t k = 0; k < values.size(); ++k) {
    if (!values[k]) continue;
    sum = sum.value_or(0) + (weights.empty() ? 1 : weights[k]) * *values[k];
  }
  return sum;
}

void check_functions(const Functions& functions, std::span<const double> weights) {
  if (functions.empty()) {
    throw invalid_input("there is no reward: name at least one with --reward (for example exact)");
  }
  std::set<std::string> seen;
  for (const auto& function : functions) {
    if (!seen.insert(function->name()).second) {
      throw invalid_input("two rewards are named " + function->name() +
                          ": give one another name with as=NAME");
    }
  }
  if (!weights.empty() && weights.size() != functions.size()) {
    throw invalid_input("--reward-weights has " + std::to_string(weights.size()) + " numbers for " +
                        std::to_string(functions.size()) + " rewards: give one each");
  }
  for (double weight : weights) {
    if (!std::isfinite(weight)) throw invalid_input("--reward-weights: a finite number is needed");
  }
}

}  // namespace hone::reward
