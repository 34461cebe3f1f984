#include "quality/paired_tests.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "quality/normal.h"

namespace hone::quality {
namespace {

// C(n, k) 2^-n as mantissa and power of two: the value itself may lie far below the smallest double
// while the sum over k, taken relative to it, does not.
struct Scaled {
  double mantissa;
  int64_t exponent;
};

Scaled half_binomial(uint64_t n, uint64_t k) {
  Scaled value{1.0, -static_cast<int64_t>(n)};
  for (uint64_t i = 1; i <= k; ++i) {
    value.mantissa *= static_cast<double>(n - k + i) / static_cast<double>(i);
    int shift = 0;
    value.mantissa = std::frexp(value.mantissa, &shift);
    value.exponent += shift;
  }
  return value;
}

double to_double(double mantissa, int64_t exponent) {
  return std::ldexp(mantissa, static_cast<int>(std::max<int64_t>(exponent, -4000)));
}

}  // namespace

PairedTest mcnemar(uint64_t first_only, uint64_t second_only) {
  if (first_only > (1ull << 32) || second_only > (1ull << 32)) {
    throw invalid_input("McNemar's test is made for counts up to 2^32");
  }
  const uint64_t n = first_only + second_only;
  if (n == 0) return {};
  const uint64_t k = std::min(first_only, second_only);
  const Scaled last = half_binomial(n, k);

  // P(K <= k) / P(K = k), downwards from k until the terms no longer count.
  double sum = 1.0, term = 1.0;
  for (uint64_t i = k; i >= 1 && term > 1e-18 * sum; --i) {
    term *= static_cast<double>(i) / static_cast<double>(n - i + 1);
    sum += term;
  }
  const double p = to_double(2.0 * sum * last.mantissa, last.exponent);
  const double mid_p = to_double((2.0 * sum - 1.0) * last.mantissa, last.exponent);
  return {std::min(1.0, p), std::min(1.0, mid_p)};
}

SignTest sign_test(std::span<const double> differences) {
  SignTest result;
  for (const double difference : differences) {
    if (std::isnan(difference)) throw invalid_input("sign test: a difference is not a number");
    if (difference > 0) ++result.positive;
    if (difference < 0) ++result.negative;
    if (difference == 0) ++result.zero;
  }
  result.test = mcnemar(result.positive, result.negative);
  return result;
}

Interval wilson_interval(double successes, double n, double confidence) {
  if (!(n >= 0.0) || !(successes >= 0.0) || !(successes <= n) || !std::isfinite(n)) {
    throw invalid_input("Wilson interval: needs 0 <= successes <= n, got " +
                        std::to_string(successes) + " of " + std::to_string(n));
  }
  if (!(confidence > 0.0 && confidence < 1.0)) {
    throw invalid_input("Wilson interval: the confidence must lie between 0 and 1");
  }
  if (n == 0.0) return {0.0, 1.0};
  const double z = normal_quantile(0.5 + confidence / 2.0);
  const double rate = successes / n;
  const double center = (rate + z * z / (2.0 * n)) / (1.0 + z * z / n);
  const double half =
      z * std::sqrt(rate * (1.0 - rate) / n + z * z / (4.0 * n * n)) / (1.0 + z * z / n);
  // At 0 and at n the bound is exact; rounding must not leave it just inside.
  return {successes == 0.0 ? 0.0 : std::max(0.0, center - half),
          successes == n ? 1.0 : std::min(1.0, center + half)};
}

}  // namespace hone::quality
