#pragma once
// What a comparison could have seen, and the one word it may say.
//
// Items needed to see a difference of rates d with discordance s (the share of items on which the
// two systems differ; at least d): n = (z_a sqrt(s) + z_b sqrt(s - d^2))^2 / d^2, z_a = quantile(1
// - alpha/2), z_b = quantile(power) (Connor, "Sample size for testing differences in proportions
// for the paired-sample design", Biometrics 43, 1987). For a mean: n = ((z_a + z_b) sd / d)^2. The
// smallest detectable effect is the d at which this n is the n at hand.
//
// The verdict, for "second against first", by this rule in this order:
//   1. fewer than kFewestItems items                                 -> too few
//   2. significant, and |difference| >= smallest detectable effect   -> better or worse
//   3. significant, but the difference is smaller than that          -> too few: as many more as a
//      difference of the observed size needs (a lucky draw looks like this, too)
//   4. not significant, and n is enough for the effect that matters  -> no difference shown
//   5. otherwise                                                     -> too few: as many more as
//   the
//      effect that matters needs
// Significant: rates: exact McNemar p < alpha. Means: the BCa interval at 1 - alpha leaves 0 out.
// The effect that matters: effect_rate for rates, effect_sd x sd(differences) for means.
//
// Pure; throws invalid_input outside the domains that the fields state.

#include <cstdint>
#include <string_view>

#include "quality/paired_tests.h"

namespace hone::quality {

inline constexpr uint64_t kFewestItems = 10;

struct PowerOptions {
  double alpha = 0.05;        // in (0, 1), two-sided
  double power = 0.8;         // in [0.5, 1)
  double effect_rate = 0.05;  // in (0, 1]: five points of accuracy matter
  double effect_sd = 0.2;     // > 0: a fifth of the differences' standard deviation matters
};

// Infinity never comes out: effect > 0 is required; at most 2^53.
uint64_t items_needed_rate(double effect, double discordance, const PowerOptions& options = {});
uint64_t items_needed_mean(double effect, double sd, const PowerOptions& options = {});

// At most 1: with too few items even a difference of 1 would not be seen, and 1 comes back.
double smallest_detectable_rate(uint64_t n, double discordance, const PowerOptions& options = {});
double smallest_detectable_mean(uint64_t n, double sd, const PowerOptions& options = {});

enum class Verdict { kBetter, kNoDifferenceShown, kWorse, kTooFew };
// "better", "no difference shown", "worse", "too few"
std::string_view verdict_name(Verdict verdict);

struct Judgement {
  Verdict verdict = Verdict::kTooFew;
  double smallest_detectable_effect = 0.0;
  uint64_t items_more = 0;  // for kTooFew: need about this many more
};

// gained: items that only the second got right; lost: only the first.
Judgement judge_rates(uint64_t n, uint64_t gained, uint64_t lost, const PowerOptions& options = {});
// difference: mean of (second - first), turned so that more is better.
Judgement judge_means(uint64_t n, double difference, double sd, const Interval& interval,
                      const PowerOptions& options = {});

}  // namespace hone::quality
