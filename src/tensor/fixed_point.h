#pragma once
// Gradients as integers: value = integer * 2^-exponent, so that sums do not depend on order
// (decisions.md, numbers 4 and 5).
//
// A group's f32 sum c becomes the integer nearest to c * 2^exponent (ties to even). The product is
// exact in f64. An integer of 2^50 or more, infinity or NaN is an overflow: the step is computed
// again at another exponent.

#include <bit>
#include <cmath>
#include <cstdint>

namespace hone::tensor {

constexpr double kFixedLimit = 0x1p50;
constexpr int kFixedMinExponent = -60;
constexpr int kFixedMaxExponent = 120;
constexpr int kFixedFirstExponent = 30;  // the first step's: |sum| below 2^20, steps of 2^-30

// 2^exponent; exponent in [-1022, 1023].
inline double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<uint64_t>(1023 + exponent) << 52);
}

// scaled = c * 2^exponent with |scaled| < 2^50.
inline int64_t round_to_fixed(double scaled) {
  return std::bit_cast<int64_t>(scaled + 0x1.8p52) - 0x4338000000000000;
}

// One group's sum added to *value; false on overflow, and then *value is as it was.
inline bool add_fixed(float sum, double scale, int64_t* value, uint64_t* flushed) {
  const double scaled = static_cast<double>(sum) * scale;
  if (!(std::fabs(scaled) < kFixedLimit)) return false;
  const int64_t integer = round_to_fixed(scaled);
  *flushed += integer == 0 && sum != 0.0f;
  *value += integer;
  return true;
}

// The exponent for the next step when this step's largest |gradient| was `largest`: the largest
// value lands near 2^36, which leaves 2^14 of room for growth and for single groups above the sum,
// and 36 bits below. `largest` of 0 keeps the current exponent.
int next_fixed_exponent(double largest, int current);
// After an overflow: 2^20 more room. The same for any number of ranks.
int fixed_exponent_after_overflow(int current);

}  // namespace hone::tensor
