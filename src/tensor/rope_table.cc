#include "base/check.h"
#include "tensor/math.h"
#include "tensor/rope.h"

namespace hone::tensor {

namespace {

constexpr float kTwoPi = 6.283185307179586f;

float scale_frequency(float inverse, const RopeScaling& s) {
  if (s.kind == RopeScaling::Kind::kLinear) return inverse / s.factor;
  if (s.kind == RopeScaling::Kind::kNone) return inverse;
  const float wavelength = kTwoPi / inverse;
  if (wavelength > s.original_context_length / s.low_frequency_factor) return inverse / s.factor;
  if (wavelength < s.original_context_length / s.high_frequency_factor) return inverse;
  const float smooth = (s.original_context_length / wavelength - s.low_frequency_factor) /
                       (s.high_frequency_factor - s.low_frequency_factor);
  const float slow = ((1.0f - smooth) * inverse) / s.factor;
  return slow + smooth * inverse;
}

}  // namespace

RopeTable::RopeTable(size_t rope_dim, double base, const RopeScaling& scaling,
                     std::vector<float> divisors, size_t max_positions)
    : max_positions_(max_positions) {
  HONE_CHECK(rope_dim % 2 == 0 && (divisors.empty() || divisors.size() == rope_dim / 2));
  for (size_t i = 0; i < rope_dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(rope_dim);
    const float power = static_cast<float>(pow_f64(base, static_cast<double>(exponent)));
    float inverse = scale_frequency(1.0f / power, scaling);
    if (!divisors.empty()) inverse = inverse / divisors[i];
    inverse_frequencies_.push_back(inverse);
  }
}

void RopeTable::reserve(size_t count) {
  HONE_CHECK(count <= max_positions_);
  if (count <= positions_) return;
  const size_t half = inverse_frequencies_.size();
  cosines_.resize(count * half);
  sines_.resize(count * half);
  for (size_t p = positions_; p < count; ++p) {
    for (size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(p) * inverse_frequencies_[i];
      const SinCos value = sin_cos_f64(static_cast<double>(angle));
      cosines_[p * half + i] = static_cast<float>(value.cos);
      sines_[p * half + i] = static_cast<float>(value.sin);
    }
  }
  positions_ = count;
}

const float* RopeTable::cosines(size_t position) const {
  HONE_DCHECK(position < positions_);
  return cosines_.data() + position * inverse_frequencies_.size();
}

const float* RopeTable::sines(size_t position) const {
  HONE_DCHECK(position < positions_);
  return sines_.data() + position * inverse_frequencies_.size();
}

}  // namespace hone::tensor
