#pragma once
// Row sums of the references: the same 16 virtual lanes and tree as lanes-inl.h, in plain C++.

#include <array>
#include <cmath>
#include <cstddef>

namespace hone::tensor {

inline float tree_16(const std::array<float, 16>& lane) {
  std::array<float, 16> v = lane;
  for (size_t width = 8; width > 0; width /= 2) {
    for (size_t j = 0; j < width; ++j) v[j] = v[j] + v[j + width];
  }
  return v[0];
}

// Sum of a[i] * b[i] with fused multiply-add.
inline float lane_dot_reference(const float* a, const float* b, size_t n) {
  std::array<float, 16> lane{};
  for (size_t i = 0; i < n; ++i) lane[i % 16] = std::fma(a[i], b[i], lane[i % 16]);
  return tree_16(lane);
}

inline float lane_sum_reference(const float* a, size_t n) {
  std::array<float, 16> lane{};
  for (size_t i = 0; i < n; ++i) lane[i % 16] += a[i];
  return tree_16(lane);
}

}  // namespace hone::tensor
