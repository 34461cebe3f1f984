#include "tensor/fixed_point.h"

#include <algorithm>

namespace hone::tensor {

int next_fixed_exponent(double largest, int current) {
  if (!(largest > 0.0) || largest > 0x1p1000) return current;
  const int magnitude =
      static_cast<int>((std::bit_cast<uint64_t>(largest) >> 52) & 0x7ff) - 1023;  // floor log2
  return std::clamp(36 - magnitude, kFixedMinExponent, kFixedMaxExponent);
}

int fixed_exponent_after_overflow(int current) {
  return std::clamp(current - 20, kFixedMinExponent, kFixedMaxExponent);
}

}  // namespace hone::tensor
