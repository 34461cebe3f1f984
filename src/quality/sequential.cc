#include "quality/sequential.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

bool inside(double p) { return p > 0.0 && p < 1.0; }

}  // namespace

Sprt::Sprt(const SprtOptions& options) {
  if (!inside(options.good) || !inside(options.bad) || options.bad >= options.good) {
    throw invalid_input("sequential test: needs 0 < bad < good < 1, got bad " +
                        std::to_string(options.bad) + " and good " + std::to_string(options.good));
  }
  if (!inside(options.alpha) || !inside(options.beta) || options.alpha + options.beta >= 1.0) {
    throw invalid_input("sequential test: alpha and beta must lie between 0 and 1 and sum to less");
  }
  step_right_ = math::log(options.bad / options.good);
  step_wrong_ = math::log((1.0 - options.bad) / (1.0 - options.good));
  const bool strict = options.bounds == SprtBounds::kStrict;
  accuse_at_ = math::log((strict ? 1.0 : 1.0 - options.beta) / options.alpha);
  clear_at_ = math::log(options.beta / (strict ? 1.0 : 1.0 - options.alpha));
}

SprtDecision Sprt::add(bool right) {
  (right ? right_ : wrong_) += 1;
  if (decision_ != SprtDecision::kContinue) return decision_;
  log_ratio_ += right ? step_right_ : step_wrong_;
  if (log_ratio_ >= accuse_at_) decision_ = SprtDecision::kBad;
  if (log_ratio_ <= clear_at_) decision_ = SprtDecision::kGood;
  if (decision_ != SprtDecision::kContinue) decided_after_ = right_ + wrong_;
  return decision_;
}

BettingTest::BettingTest(double floor) : floor_(floor) {
  if (!inside(floor)) {
    throw invalid_input("betting test: the floor must lie between 0 and 1, got " +
                        std::to_string(floor));
  }
  // Of what a value of 1 may cost at most: 98 % down to half a per cent, in steps of sqrt(1/2).
  double share = 0.98;
  for (double& stake : stake_) {
    stake = share / (1.0 - floor);
    share *= 0x1.6a09e667f3bcdp-1;
  }
}

void BettingTest::add(double value) {
  if (!(value >= 0.0 && value <= 1.0)) {
    throw invalid_input("betting test: a value must lie between 0 and 1, got " +
                        std::to_string(value));
  }
  for (size_t i = 0; i < kStakes; ++i) {
    log_wealth_[i] += math::log(1.0 + stake_[i] * (floor_ - value));
  }
  ++count_;
  max_wealth_ = std::max(max_wealth_, wealth());
}

double BettingTest::wealth() const {
  const double sum = math::log_sum_exp(log_wealth_) - math::log(static_cast<double>(kStakes));
  return math::exp(std::min(sum, 690.0));
}

double BettingTest::anytime_p() const { return 1.0 / max_wealth_; }

}  // namespace hone::quality
