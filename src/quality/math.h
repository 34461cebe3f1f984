#pragma once
// Exponential, logarithm and their kin with the same bits on every machine: IEEE operations and the
// square root only, compiled with -ffp-contract=off. House rule of the room: nothing whose bits are
// reported calls libm's exp, log or gamma.
//
// The inline functions have no branch, so that a loop over an array of them becomes SIMD
// (-O3; the bits do not depend on the width). Errors, tested against the witness mpmath:
//   exp, log, log1p, sigmoid           below 2 units in the last place, whole range
//   digamma, lgamma (x > 0)            below 1e-14 max(1, |value|)
//   log_beta                           the same
//   incomplete_beta, incomplete_gamma  relative 1e-12 for parameters up to 1e4
//   beta_quantile, gamma_quantile      relative 1e-10
// NaN in, NaN out; poles and limits as in C (log 0 = -inf, exp(710) = inf).
// Pure; any thread.

#include <bit>
#include <cmath>
#include <cstdint>
#include <span>

#include "quality/paired_tests.h"  // Interval

namespace hone::quality::math {

inline constexpr double kLn2High = 0x1.62e42fefa3800p-1;  // times an exponent is exact
inline constexpr double kLn2Low = 0x1.ef35793c76730p-45;
inline constexpr double kInfinity = std::bit_cast<double>(uint64_t{0x7ff0000000000000});

namespace detail {

inline double select(bool condition, double yes, double no) { return condition ? yes : no; }

// log(u) + c / u for u > 0 normal or infinite and |c| at most an ulp of u. u = 2^k (1 + f),
// 1 + f in [sqrt(1/2), sqrt(2)), log(1 + f) = f - (f^2/2 - s (f^2/2 + R)), s = f / (2 + f),
// R(s^2) a polynomial through Chebyshev nodes, relative error 5e-18.
inline double log_core(double u, double c) {
  constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  const uint64_t shifted = std::bit_cast<uint64_t>(u) - kSqrtHalf + (uint64_t{1024} << 52);
  // The exponent + 1024 as the low bits of 2^52.
  const double k = std::bit_cast<double>((shifted >> 52) | 0x4330000000000000) - (0x1p52 + 1024.0);
  const double m = std::bit_cast<double>((shifted & 0x000fffffffffffff) + kSqrtHalf);
  const double f = m - 1.0;
  const double half_square = 0.5 * f * f;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double w = z * z;
  const double even =
      0x1.5555555555558p-1 +
      w * (0x1.2492492dfd86cp-2 + w * (0x1.7462b91b8df9fp-3 + w * 0x1.2b5f68a51190dp-3));
  const double odd = 0x1.9999999995273p-2 + w * (0x1.c71c62d5e53dfp-3 + w * 0x1.39fdcceb4b524p-3);
  const double r = z * (even + z * odd);
  const double low = k * kLn2Low + c / u;
  return k * kLn2High - ((half_square - (s * (half_square + r) + low)) - f);
}

}  // namespace detail

// x = k ln 2 + r, |r| <= ln 2 / 2; e^r = 1 + r + r^2 q(r), q through Chebyshev nodes, relative error
// 2e-17; 2^k in two factors so that results below the normal numbers round once.
inline double exp(double x) {
  constexpr double kRound = 0x1.8p52;
  const double low = x < -750.0 ? -750.0 : x;
  const double clamped = low > 750.0 ? 750.0 : low;
  const double shifted = clamped * 0x1.71547652b82fep+0 + kRound;
  const double k = shifted - kRound;
  const double r = (clamped - k * kLn2High) - k * kLn2Low;
  const double r2 = r * r;
  const double r4 = r2 * r2;
  const double q0 =
      (0.5 + r * 0x1.5555555555556p-3) + r2 * (0x1.5555555553d63p-5 + r * 0x1.11111111109b3p-7);
  const double q1 = (0x1.6c16c1788bd90p-10 + r * 0x1.a01a01a7c41d5p-13) +
                    r2 * (0x1.a019b90d2ae7ap-16 + r * 0x1.71de0dae63bb3p-19);
  const double q2 = 0x1.289185613a3d6p-22 + r * 0x1.af38a9b0ec855p-26;
  const double value = 1.0 + (r + r2 * (q0 + r4 * (q1 + r4 * q2)));
  const double half_shifted = k * 0.5 + kRound;
  const double half = half_shifted - kRound;
  const double rest_shifted = (k - half) + kRound;
  const double first =
      std::bit_cast<double>((std::bit_cast<uint64_t>(half_shifted) << 52) + 0x3ff0000000000000);
  const double second =
      std::bit_cast<double>((std::bit_cast<uint64_t>(rest_shifted) << 52) + 0x3ff0000000000000);
  return value * first * second;
}

inline double log(double x) {
  const bool tiny = x < 0x1p-1022;
  const double scaled = detail::select(tiny, x * 0x1p54, x);
  const double offset = detail::select(tiny, 54.0, 0.0);
  double value = detail::log_core(scaled, 0.0) - offset * (kLn2High + kLn2Low);
  value = detail::select(x == 0.0, -kInfinity, value);
  value = detail::select(x < 0.0, kInfinity - kInfinity, value);
  return detail::select(x < kInfinity, value, x);  // +inf and NaN are their own
}

// log of a positive normal finite number and nothing else: the inner loops'.
inline double log_positive(double x) { return detail::log_core(x, 0.0); }

inline double log1p(double x) {
  const double u = 1.0 + x;
  const double lost = detail::select(x < 1.0, x - (u - 1.0), 1.0 - (u - x));
  double value = detail::log_core(u, lost);
  value = detail::select(u == 1.0, x, value);
  value = detail::select(x == -1.0, -kInfinity, value);
  value = detail::select(x < -1.0, kInfinity - kInfinity, value);
  return detail::select(x < kInfinity, value, x);
}

inline double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }
// log sigmoid(x) = -log(1 + e^-x), without loss for either sign.
inline double log_sigmoid(double x) {
  const double size = detail::select(x < 0.0, -x, x);
  return detail::select(x < 0.0, x, 0.0) - log1p(exp(-size));
}

// Digamma for x > 0: psi(x) = psi(x + 8) - sum of 1 / (x + i), the eight terms paired to one
// division, then the asymptotic series (Abramowitz & Stegun 6.3.5, 6.3.18).
inline double digamma(double x) {
  const double size = x < 1e30 ? x : 1e30;
  const double y = size * (size + 7.0);
  const double a = y * (y + 6.0);
  const double b = (y + 10.0) * (y + 12.0);
  const double below =
      (2.0 * size + 7.0) * (((2.0 * y + 6.0) * b + (2.0 * y + 22.0) * a) / (a * b));
  const double z = x + 8.0;
  const double inverse = 1.0 / z;
  const double w = inverse * inverse;
  const double series =
      w *
      (1.0 / 12 -
       w * (1.0 / 120 -
            w * (1.0 / 252 -
                 w * (1.0 / 240 -
                      w * (1.0 / 132 -
                           w * (691.0 / 32760 -
                                w * (1.0 / 12 - w * (3617.0 / 8160 - w * 43867.0 / 14364))))))));
  return (log(z) - 0.5 * inverse - series) - below;
}

// log Gamma(x) for x > 0 by Stirling's series at x or, below 8, at x + 8.
double lgamma(double x);
double log_beta(double a, double b);

void exp(std::span<const double> in, std::span<double> out);  // in may be out; equal lengths
void log(std::span<const double> in, std::span<double> out);

// log(sum of e^x); -inf for nothing.
double log_sum_exp(std::span<const double> values);

// Regularised incomplete beta I_x(a, b) = P(Beta(a, b) <= x), a, b > 0, and gammas: P(a, x) (lower)
// and Q(a, x) (upper), each without cancellation. Binomial, Student, F and chi-square tails are one
// line of these. Arguments outside throw invalid_input.
double incomplete_beta(double a, double b, double x);
double incomplete_gamma_lower(double a, double x);
double incomplete_gamma_upper(double a, double x);
double beta_quantile(double a, double b, double probability);  // [0, 1]
double gamma_quantile(double a, double probability);           // scale 1
// The central interval of Beta(a, b).
Interval beta_interval(double a, double b, double confidence = 0.95);

}  // namespace hone::quality::math
