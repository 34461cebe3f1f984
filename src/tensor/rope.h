#pragma once
// Rotary position embedding (Su et al., "RoFormer", 2021) in Hugging Face's half layout: inside a
// head, element i turns with element i + rope_dim / 2; elements from rope_dim on stay.
//
// Inverse frequencies, every step rounded to f32 as transformers computes them (the power itself
// by pow_f64, then rounded):
//   inv[i] = 1 / f32(base ^ f32(2i / rope_dim)), then
//   linear:   inv / factor
//   llama3:   wavelength = 2 pi / inv; above original / low: inv / factor; below original / high:
//             inv; between: (1 - s) * inv / factor + s * inv with
//             s = (original / wavelength - low) / (high - low)
//   divisors: inv / divisor[i] (GGUF's rope_freqs.weight)
// Tables: angle = f32(position) * inv in f32; its sine and cosine from sin_cos_f64, rounded to f32.
// Rotation: out0 = fma(x0, cos, -(x1 * sin)); out1 = fma(x1, cos, x0 * sin). The gradient is the
// rotation by the opposite angle: out0 = fma(x0, cos, x1 * sin); out1 = fma(x1, cos, -(x0 * sin)).
//
// Ownership: a RopeTable owns its rows and grows up to max_positions. Thread rule: reserve() alone;
// after it any number of readers.

#include <cstdint>
#include <vector>

#include "tensor/compute.h"
#include "tensor/view.h"

namespace hone::tensor {

struct RopeScaling {
  enum class Kind { kNone, kLinear, kLlama3 };
  Kind kind = Kind::kNone;
  float factor = 1.0f;
  float low_frequency_factor = 1.0f;  // llama3 only, as the two below
  float high_frequency_factor = 4.0f;
  float original_context_length = 8192.0f;
};

class RopeTable {
 public:
  RopeTable() = default;
  // divisors: empty or rope_dim / 2 values, applied after the scaling.
  RopeTable(size_t rope_dim, double base, const RopeScaling& scaling, std::vector<float> divisors,
            size_t max_positions);

  // Makes rows for positions below `count` (at most max_positions) ready.
  void reserve(size_t count);

  size_t rope_dim() const { return 2 * inverse_frequencies_.size(); }
  size_t max_positions() const { return max_positions_; }
  size_t positions() const { return positions_; }
  const std::vector<float>& inverse_frequencies() const { return inverse_frequencies_; }
  // rope_dim / 2 values for a position below positions().
  const float* cosines(size_t position) const;
  const float* sines(size_t position) const;

 private:
  std::vector<float> inverse_frequencies_;
  std::vector<float> cosines_, sines_;
  size_t positions_ = 0, max_positions_ = 0;
};

// In place; rows has heads * head_dim columns, positions[r] belongs to row r and lies below
// table.positions().
void rope(Compute& compute, View<float> rows, size_t heads, size_t head_dim,
          const int32_t* positions, const RopeTable& table);
void rope_reference(View<float> rows, size_t heads, size_t head_dim, const int32_t* positions,
                    const RopeTable& table);
void rope_backward(Compute& compute, View<float> rows, size_t heads, size_t head_dim,
                   const int32_t* positions, const RopeTable& table);
void rope_backward_reference(View<float> rows, size_t heads, size_t head_dim,
                             const int32_t* positions, const RopeTable& table);

}  // namespace hone::tensor
