#include "train/ppo_loss.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "tensor/math.h"

namespace hone::train {

namespace {

constexpr double kVarianceFloor = 1e-8;
constexpr double kMostKlChange = 0.2;

struct Spread {
  double mean = 0, scale = 0;  // scale: 1 / sqrt(var + floor)
};

// Over the first `count(i)` values of every list, in order.
template <typename Lists, typename Count>
Spread spread_of(const Lists& lists, const Count& count, AdvantageWhitening whitening) {
  double sum = 0, squares = 0;
  size_t n = 0;
  for (size_t i = 0; i < lists.size(); ++i) {
    for (size_t t = 0; t < count(i); ++t) sum += lists[i][t];
    n += count(i);
  }
  Spread spread;
  if (n == 0) return spread;
  spread.mean = sum / static_cast<double>(n);
  for (size_t i = 0; i < lists.size(); ++i) {
    for (size_t t = 0; t < count(i); ++t) {
      const double off = lists[i][t] - spread.mean;
      squares += off * off;
    }
  }
  const double variance = whitening == AdvantageWhitening::kTokensPopulation
                              ? std::max(squares / static_cast<double>(n), kVarianceFloor)
                              : (n > 1 ? squares / static_cast<double>(n - 1) : 0) + kVarianceFloor;
  spread.scale = 1 / std::sqrt(variance);
  return spread;
}

double kl_of(const PpoShaping& shaping, double log_prob, double ref_log_prob) {
  const double logr = ref_log_prob - log_prob;
  const bool k3 = shaping.kl_estimator == KlEstimator::kK3;
  const double estimate = k3 ? tensor::exp_f64(logr) - 1 - logr : -logr;
  return clamped_kl(shaping.kl_clamp, k3, estimate, logr).value;
}

void shape_rewards(const PpoAnswer& answer, const PpoShaping& shaping, PpoTargets& out) {
  const size_t tokens = answer.log_probs.size();
  HONE_CHECK(tokens > 0 && answer.ref_log_probs.size() == tokens);
  HONE_CHECK(answer.values.size() == tokens || answer.values.size() == tokens + 1);
  out.rewards.assign(answer.values.size(), 0);
  for (size_t t = 0; t < tokens; ++t) {
    out.kl.push_back(kl_of(shaping, answer.log_probs[t], answer.ref_log_probs[t]));
    out.rewards[t] = -shaping.kl_coef * out.kl[t];
  }
  out.rewards.back() += answer.score;
}

}  // namespace

std::string_view name(KlEstimator estimator) { return estimator == KlEstimator::kK1 ? "k1" : "k3"; }

std::vector<PpoTargets> ppo_targets(std::span<const PpoAnswer> answers, const PpoShaping& shaping) {
  std::vector<PpoTargets> out(answers.size());
  for (size_t i = 0; i < answers.size(); ++i) shape_rewards(answers[i], shaping, out[i]);
  if (shaping.whiten_rewards) {
    std::vector<std::span<const double>> rewards;
    for (const PpoTargets& target : out) rewards.push_back(target.rewards);
    const Spread spread = spread_of(
        rewards, [&](size_t i) { return rewards[i].size(); }, AdvantageWhitening::kTokensSample);
    for (PpoTargets& target : out) {
      for (double& r : target.rewards) r = (r - spread.mean) * spread.scale + spread.mean;
    }
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    const std::vector<double>& values = answers[i].values;
    PpoTargets& target = out[i];
    target.advantages.resize(values.size());
    target.returns.resize(values.size());
    double last = 0;
    for (size_t t = values.size(); t-- > 0;) {
      const double next = t + 1 < values.size() ? values[t + 1] : 0;
      const double delta = target.rewards[t] + shaping.gamma * next - values[t];
      last = delta + shaping.gamma * shaping.lam * last;
      target.advantages[t] = last;
      target.returns[t] = last + values[t];
    }
    target.advantages.resize(answers[i].log_probs.size());
  }
  std::vector<std::span<const double>> advantages;
  for (const PpoTargets& target : out) advantages.push_back(target.advantages);
  HONE_CHECK(shaping.advantage_whitening != AdvantageWhitening::kAnswers);
  const Spread spread = spread_of(
      advantages, [&](size_t i) { return advantages[i].size(); }, shaping.advantage_whitening);
  for (PpoTargets& target : out) {
    for (double& a : target.advantages) a = (a - spread.mean) * spread.scale;
  }
  return out;
}

PpoLoss ppo_policy_loss(double log_prob, double old_log_prob, double advantage,
                        const PpoClip& clip) {
  const double off = log_prob - old_log_prob;
  const bool beyond = clip.clamp_log_ratio && std::abs(off) > kLogRatioBound;
  const double ratio =
      tensor::exp_f64(beyond ? std::clamp(off, -kLogRatioBound, kLogRatioBound) : off);
  const double kept = std::clamp(ratio, 1 - clip.cliprange, 1 + clip.cliprange);
  const double free = -advantage * ratio, clipped = -advantage * kept;
  PpoLoss out =
      clipped > free ? PpoLoss{clipped, 0, true} : PpoLoss{free, beyond ? 0 : free, false};
  if (clip.dual_clip > 0 && advantage < 0 && out.value > -advantage * clip.dual_clip) {
    out.value = -advantage * clip.dual_clip;
    out.slope = 0;
  }
  return out;
}

PpoLoss ppo_value_loss(double value, double old_value, double target, double cliprange_value) {
  const double kept = std::clamp(value, old_value - cliprange_value, old_value + cliprange_value);
  const double free = value - target, clipped = kept - target;
  if (clipped * clipped > free * free) return {0.5 * clipped * clipped, 0, true};
  return {0.5 * free * free, free, false};
}

double adapted_kl_coef(double kl_coef, double kl, double target, double horizon, size_t answers) {
  const double error = std::clamp(kl / target - 1, -kMostKlChange, kMostKlChange);
  return kl_coef * (1 + error * static_cast<double>(answers) / horizon);
}

}  // namespace hone::train
