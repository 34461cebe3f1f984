#pragma once
// What the tests of this room share: reproducible numbers and bitwise comparison.

#include <bit>
#include <cstdint>
#include <vector>

namespace hone::tensor {

// Uniform numbers in [-1, 1) from a counter, by a mixing step of our own (splitmix64).
inline std::vector<float> test_numbers(size_t n, uint64_t seed) {
  std::vector<float> values(n);
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (float& value : values) {
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    value = static_cast<float>(static_cast<double>(z >> 40) * 0x1p-23 - 1.0);
  }
  return values;
}

// Number of values that differ in any bit.
inline size_t count_different(const float* a, const float* b, size_t n) {
  size_t different = 0;
  for (size_t i = 0; i < n; ++i) {
    different += std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i]);
  }
  return different;
}
inline size_t count_different(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() ? count_different(a.data(), b.data(), a.size()) : ~size_t{0};
}

}  // namespace hone::tensor
