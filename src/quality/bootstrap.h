#pragma once
// Bootstrap interval of the mean of paired differences (Efron & Tibshirani, "An Introduction to the
// Bootstrap", 1993, chapters 13 and 14).
//
// Each round draws as many items as there are, with replacement, and takes their mean. With
// clusters (several items of one prompt, say) whole clusters are drawn and the mean is over all
// their items. Quantiles interpolate linearly between order statistics, as numpy's default does.
//   percentile  the quantiles of the rounds' means
//   bca         corrected for bias and, by the jackknife, for skewness; the one to quote
//
// Draws come from Rng(seed, stream "bootstrap" of the round), so neither order nor threads matter.
// Time: rounds x items. Pure; throws invalid_input on fewer than 2 items (or clusters), on values
// that are not finite and on options outside their domain.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quality/paired_tests.h"

namespace hone::quality {

struct BootstrapOptions {
  size_t rounds = 10000;     // at least 100, at most 1,000,000
  double confidence = 0.95;  // in (0, 1)
  uint64_t seed = 42;
};

struct BootstrapResult {
  double mean = 0.0;
  double standard_error = 0.0;  // of the rounds' means
  Interval percentile;
  Interval bca;
};

// clusters: empty, or the cluster of each difference (any numbers).
BootstrapResult bootstrap_mean(std::span<const double> differences,
                               const BootstrapOptions& options = {},
                               std::span<const uint64_t> clusters = {});

// The linear quantile of values in ascending order; probability in [0, 1], values not empty.
double sorted_quantile(std::span<const double> sorted, double probability);

}  // namespace hone::quality
