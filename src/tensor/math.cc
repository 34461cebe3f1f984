#include "tensor/math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

namespace hone::tensor {

namespace {

// ln 2 = kLn2Hi + kLn2Lo to twice the precision; the products with small integers are exact inside
// the fused multiply-add.
constexpr double kLn2Hi = 0x1.62e42fefa39efp-1;
constexpr double kLn2Lo = 0x1.abc9e3b39803fp-56;
constexpr double kLog2E = 0x1.71547652b82fep0;
constexpr double kHalfPiHi = 0x1.921fb54442d18p0;
constexpr double kHalfPiLo = 0x1.1a62633145c07p-54;
constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
// Adding and taking away 1.5 * 2^52 rounds to an integer, ties to even.
constexpr double kRound = 0x1.8p52;

// x * 2^n for any n that a result of ours can have; one rounding, at the last product.
double scale_by_power(double x, int n) {
  const int half = n / 2;
  const int rest = n - half;
  const auto power = [](int e) {
    return std::bit_cast<double>(static_cast<uint64_t>(1023 + e) << 52);
  };
  return x * power(half) * power(rest);
}

// ln x = hi + lo with about 30 bits more than f64; x finite and above 0.
struct LongLog {
  double hi, lo;
};

LongLog long_log(double x) {
  int exponent = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    exponent = -54;
  }
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  exponent += static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffu) | 0x3ff0000000000000u);
  if (m > 0x1.6a09e667f3bcdp0) {  // above sqrt 2
    m *= 0.5;
    exponent += 1;
  }
  // ln m = 2 atanh(s), s = (m - 1) / (m + 1), kept in two parts.
  const double f = m - 1.0;
  const double sum = m + 1.0;
  const double sum_lo = m - (sum - 1.0);
  const double s = f / sum;
  const double s_lo = (std::fma(-s, sum, f) - s * sum_lo) / sum;
  const double z = s * s;
  double p = 2.0 / 23;
  for (const double c : {2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9,
                         2.0 / 7, 2.0 / 5, 2.0 / 3}) {
    p = std::fma(p, z, c);
  }
  const double small = std::fma(p * z, s, 2.0 * s_lo);
  const double e = exponent;
  const double big = e * kLn2Hi;
  const double big_lo = std::fma(e, kLn2Hi, -big) + e * kLn2Lo;
  const double twice = 2.0 * s;
  const double head = big + twice;
  const double head_lo = big == 0.0 ? 0.0 : twice - (head - big);
  const double tail = head_lo + big_lo + small;
  const double hi = head + tail;
  return {hi, tail - (hi - head)};
}

}  // namespace

float exp_f32(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const float shifted = std::fma(x, 0x1.715476p0f, 0x1.8p23f);
  const float n = shifted - 0x1.8p23f;
  float r = std::fma(n, -0x1.62e43p-1f, x);
  r = std::fma(n, 0x1.05c61p-29f, r);
  float p = std::fma(0x1.6d1106p-10f, r, 0x1.120b6cp-7f);
  p = std::fma(p, r, 0x1.55551ap-5f);
  p = std::fma(p, r, 0x1.5554dcp-3f);
  p = std::fma(p, r, 0.5f);
  p = std::fma(p, r, 1.0f);
  p = std::fma(p, r, 1.0f);
  const auto k = static_cast<int32_t>(std::bit_cast<uint32_t>(shifted) - 0x4b400000u);
  const int32_t half = k >> 1;
  const auto power = [](int32_t e) {
    return std::bit_cast<float>((static_cast<uint32_t>(e) + 127u) << 23);
  };
  return p * power(half) *
         power(static_cast<int32_t>(static_cast<uint32_t>(k) - static_cast<uint32_t>(half)));
}

// x = 2^k m with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh(s), s = (m - 1) / (m + 1).
float log_f32(float x) {
  const auto bits = std::bit_cast<int32_t>(x);
  const int32_t k = (bits - 0x3f3504f3) >> 23;
  const float f = std::bit_cast<float>(bits - k * (1 << 23)) - 1.0f;
  const float s = f / (2.0f + f);
  const float z = s * s;
  float p = std::fma(z, 0x1.745d18p-3f, 0x1.c71c72p-3f);
  p = std::fma(p, z, 0x1.24924ap-2f);
  p = std::fma(p, z, 0x1.99999ap-2f);
  p = std::fma(p, z, 0x1.555556p-1f);
  const auto n = static_cast<float>(k);
  const float low = std::fma(n, 0x1.0bfbe8p-15f, s + s);
  return std::fma(n, 0x1.62ep-1f, std::fma(s * z, p, low));
}

float sigmoid_f32(float x) { return 1.0f / (1.0f + exp_f32(-x)); }

float silu_f32(float x) { return x / (1.0f + exp_f32(-x)); }

double exp_f64(double x) {
  if (!(x == x)) return x;
  if (x > 710.0) return std::numeric_limits<double>::infinity();
  if (x < -746.0) return 0.0;
  const double n = std::fma(x, kLog2E, kRound) - kRound;
  double r = std::fma(n, -kLn2Hi, x);
  r = std::fma(n, -kLn2Lo, r);
  double p = 1.0 / 6227020800.0;  // Taylor to r^13: |r| <= ln 2 / 2
  for (const double c :
       {1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0,
        1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0}) {
    p = std::fma(p, r, c);
  }
  return scale_by_power(p, static_cast<int>(n));
}

double log_f64(double x) {
  if (!(x == x) || x < 0.0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0.0) return -std::numeric_limits<double>::infinity();
  if (x == std::numeric_limits<double>::infinity()) return x;
  return long_log(x).hi;
}

double pow_f64(double base, double exponent) {
  if (exponent == 0.0 || base == 1.0) return 1.0;
  if (!(base > 0.0) || base == std::numeric_limits<double>::infinity()) {
    return base == 0.0 && exponent > 0.0 ? 0.0 : exp_f64(exponent * log_f64(base));
  }
  const LongLog log = long_log(base);
  const double hi = exponent * log.hi;
  if (!(hi > -800.0 && hi < 800.0)) return exp_f64(hi);
  const double lo = std::fma(exponent, log.hi, -hi) + exponent * log.lo;
  const double e = exp_f64(hi);
  return e == std::numeric_limits<double>::infinity() ? e : std::fma(e, lo, e);
}

double softplus_f64(double x) {
  if (!(x == x)) return x;
  const double u = exp_f64(x > 0.0 ? -x : x);
  // ln(1 + u) for u in [0, 1]: the quotient repairs the rounding of 1 + u.
  const double w = 1.0 + u;
  const double log1p = w == 1.0 ? u : log_f64(w) * (u / (w - 1.0));
  return x > 0.0 ? x + log1p : log1p;
}

SinCos sin_cos_f64(double angle) {
  const double n = std::fma(angle, kTwoOverPi, kRound) - kRound;
  double r = std::fma(n, -kHalfPiHi, angle);
  r = std::fma(n, -kHalfPiLo, r);
  const double z = r * r;
  double s = 1.0 / 355687428096000.0;  // r^17 / 17!
  for (const double c : {-1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0,
                         1.0 / 362880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0}) {
    s = std::fma(s, z, c);
  }
  const double sine = std::fma(s * z, r, r);
  double c = 1.0 / 20922789888000.0;  // r^16 / 16!
  for (const double t : {-1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0, 1.0 / 40320.0,
                         -1.0 / 720.0, 1.0 / 24.0, -0.5}) {
    c = std::fma(c, z, t);
  }
  const double cosine = std::fma(c, z, 1.0);
  switch (static_cast<int64_t>(n) & 3) {
    case 0: return {sine, cosine};
    case 1: return {cosine, -sine};
    case 2: return {-sine, -cosine};
    default: return {-cosine, sine};
  }
}

}  // namespace hone::tensor
