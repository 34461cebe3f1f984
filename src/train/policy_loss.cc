#include "train/policy_loss.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "tensor/math.h"

namespace hone::train {

std::string_view name(PolicyLossType type) {
  switch (type) {
    case PolicyLossType::kGrpo: return "grpo";
    case PolicyLossType::kBnpo: return "bnpo";
    case PolicyLossType::kDrGrpo: return "dr_grpo";
    case PolicyLossType::kDapo: return "dapo";
    case PolicyLossType::kLuspo: return "luspo";
    case PolicyLossType::kCispo: return "cispo";
    case PolicyLossType::kSapo: return "sapo";
    case PolicyLossType::kVespo: return "vespo";
    case PolicyLossType::kRloo: return "rloo";
  }
  return "dapo";
}

bool is_clipped(PolicyLossType type) {
  switch (type) {
    case PolicyLossType::kCispo:
    case PolicyLossType::kSapo:
    case PolicyLossType::kVespo: return false;
    default: return true;
  }
}

std::string_view name(ImportanceLevel level) {
  return level == ImportanceLevel::kToken ? "token" : "sequence";
}

namespace {

using tensor::exp_f64;

double log_ratio(const CompletionLogProbs& c, size_t t) {
  return static_cast<double>(c.now[t]) - static_cast<double>(c.old[t]);
}

double sigmoid(double x) {
  if (x >= 0) return 1 / (1 + exp_f64(-x));
  const double e = exp_f64(x);
  return e / (1 + e);
}

// Of one ratio: the loss, its slope by the ratio, and where it was clipped.
struct RatioLoss {
  double value = 0, slope = 0;
  bool low = false, high = false;
};

RatioLoss clipped(const PolicyLossConfig& config, double ratio, double advantage) {
  const double low = 1 - config.epsilon, high = 1 + config.epsilon_high;
  const bool over_delta = config.delta && ratio > *config.delta;
  const double bounded = over_delta ? *config.delta : ratio;
  const double first = bounded * advantage;
  const double second = std::clamp(ratio, low, high) * advantage;
  const bool inside = ratio >= low && ratio <= high;
  RatioLoss out;
  out.value = -std::min(first, second);
  // Inside both are the ratio itself; outside the smaller one decides.
  const double first_slope = over_delta ? 0 : advantage;
  const double second_slope = inside ? advantage : 0;
  out.slope = first < second   ? -first_slope
              : second < first ? -second_slope
                               : -(first_slope + second_slope) / 2;
  out.low = bounded < low && advantage < 0;
  out.high = bounded > high && advantage > 0;
  if (config.dual_clip > 0 && advantage < 0 && out.value > -advantage * config.dual_clip) {
    out.value = -advantage * config.dual_clip;
    out.slope = 0;
  }
  return out;
}

RatioLoss soft_gate(const PolicyLossConfig& config, double ratio, double advantage) {
  const double tau = advantage > 0 ? config.sapo_temperature_pos : config.sapo_temperature_neg;
  const double s = sigmoid(tau * (ratio - 1));
  return {-advantage * 4 * s / tau, -advantage * 4 * s * (1 - s), false, false};
}

double vespo_phi(const PolicyLossConfig& config, const CompletionLogProbs& c) {
  double sum = 0;
  for (size_t t = 0; t < c.now.size(); ++t) sum += std::clamp(log_ratio(c, t), -20.0, 20.0);
  const double log_w = std::clamp(sum, tensor::log_f64(1e-8), 20.0);
  const double k = c.advantage >= 0 ? config.vespo_k_pos : config.vespo_k_neg;
  const double lambda =
      std::max(c.advantage >= 0 ? config.vespo_lambda_pos : config.vespo_lambda_neg, 1e-4);
  return exp_f64(lambda + k * log_w - lambda * exp_f64(log_w));
}

bool is_off_policy(const PolicyLossConfig& config, const CompletionLogProbs& c) {
  if (!config.off_policy_mask_threshold || c.advantage >= 0 || c.now.empty()) return false;
  double sum = 0;
  for (size_t t = 0; t < c.now.size(); ++t) sum -= log_ratio(c, t);
  return sum / static_cast<double>(c.now.size()) > *config.off_policy_mask_threshold;
}

bool learns(const CompletionLogProbs& c, size_t t) { return c.learns.empty() || c.learns[t] != 0; }

// The ratio that token t is weighed by, and of how many tokens' log ratios it is the mean.
class Ratios {
 public:
  Ratios(const PolicyLossConfig& config, const CompletionLogProbs& c)
      : c_(c),
        whole_(config.loss_type == PolicyLossType::kRloo),
        sequence_(whole_ || config.importance_sampling_level == ImportanceLevel::kSequence),
        clamp_(config.clamp_log_ratio && is_clipped(config.loss_type)) {
    if (!sequence_) return;
    double sum = 0;
    for (size_t t = 0; t < c.now.size(); ++t) sum += log_ratio(c, t);
    shared_ = exp_f64(whole_ ? sum : sum * per_token());
  }
  bool sequence() const { return sequence_; }
  double operator[](size_t t) const {
    if (sequence_) return shared_;
    const double x = log_ratio(c_, t);
    return exp_f64(clamp_ ? std::clamp(x, -kLogRatioBound, kLogRatioBound) : x);
  }
  // Whether the ratio still follows the token's log-probability.
  bool moves(size_t t) const {
    return !clamp_ || sequence_ || std::abs(log_ratio(c_, t)) <= kLogRatioBound;
  }
  // d log(shared ratio) / d lp_t.
  double per_token() const { return whole_ ? 1 : 1 / static_cast<double>(c_.now.size()); }

 private:
  const CompletionLogProbs& c_;
  bool whole_, sequence_, clamp_;
  double shared_ = 1;
};

}  // namespace

CompletionLoss policy_loss(const PolicyLossConfig& config, const CompletionLogProbs& c,
                           double token_weight) {
  const size_t n = c.now.size();
  HONE_CHECK(c.old.size() == n && (c.learns.empty() || c.learns.size() == n));
  HONE_CHECK(config.beta == 0 || c.reference.size() == n);
  CompletionLoss out;
  out.slopes.assign(n, 0);
  if (n == 0) return out;
  const Ratios ratios(config, c);
  const bool dropped = is_off_policy(config, c);
  const PolicyLossType type = config.loss_type;
  if (type == PolicyLossType::kVespo) out.vespo_phi = vespo_phi(config, c);
  double by_shared = 0;  // d value / d log of a ratio that all tokens share
  for (size_t t = 0; t < n; ++t) {
    const double ratio = ratios[t], lp = static_cast<double>(c.now[t]);
    // RLOO's loss is of the whole completion: each token carries its part.
    const double weight =
        type == PolicyLossType::kRloo ? token_weight / static_cast<double>(n) : token_weight;
    const double share = dropped || !learns(c, t) ? 0 : weight;
    if (type == PolicyLossType::kCispo || type == PolicyLossType::kVespo) {
      const double factor =
          type == PolicyLossType::kCispo ? std::min(ratio, config.epsilon_high) : out.vespo_phi;
      out.value += share * -factor * c.advantage * lp;
      out.slopes[t] += share * -factor * c.advantage;
      if (type == PolicyLossType::kCispo && ratio > config.epsilon_high && c.advantage > 0) {
        out.cispo_clipped += 1;
      }
    } else {
      const RatioLoss loss = type == PolicyLossType::kSapo ? soft_gate(config, ratio, c.advantage)
                                                           : clipped(config, ratio, c.advantage);
      out.value += share * loss.value;
      if (ratios.moves(t)) {
        (ratios.sequence() ? by_shared : out.slopes[t]) += share * loss.slope * ratio;
      }
      out.low_clipped += loss.low ? 1 : 0;
      out.high_clipped += loss.high ? 1 : 0;
    }
    if (config.beta == 0) continue;
    const double q = static_cast<double>(c.reference[t]) - lp;
    const ClampedKl kl = clamped_kl(config.kl_clamp, true, exp_f64(q) - q - 1, q);
    const double k3 = kl.value;
    const double factor = config.use_bias_correction_kl ? ratio : 1;
    out.kl += factor * k3;
    out.value += token_weight * config.beta * factor * k3;
    if (kl.inside) out.slopes[t] += token_weight * config.beta * factor * (1 - exp_f64(q));
    if (config.use_bias_correction_kl && ratios.moves(t)) {
      (ratios.sequence() ? by_shared : out.slopes[t]) += token_weight * config.beta * ratio * k3;
    }
  }
  if (ratios.sequence()) {
    for (double& slope : out.slopes) slope += by_shared * ratios.per_token();
  }
  return out;
}

}  // namespace hone::train
