#include <cmath>
#include <vector>

#include "tensor/fixed_point.h"
#include "tensor/lanes_reference.h"
#include "tensor/rms_norm.h"

namespace hone::tensor {

void rms_norm_heads_reference(View<const float> x, size_t heads, size_t head_dim,
                              const float* weight, float eps, View<float> y, float* inverse_rms) {
  for (size_t r = 0; r < x.rows; ++r) {
    for (size_t h = 0; h < heads; ++h) {
      const float* in = x.row(r) + h * head_dim;
      float* out = y.row(r) + h * head_dim;
      const float sum = lane_dot_reference(in, in, head_dim);
      const float inverse = 1.0f / std::sqrt(sum / static_cast<float>(head_dim) + eps);
      for (size_t i = 0; i < head_dim; ++i) out[i] = (in[i] * inverse) * weight[i];
      if (inverse_rms != nullptr) inverse_rms[r * heads + h] = inverse;
    }
  }
}

void rms_norm_reference(View<const float> x, const float* weight, float eps, View<float> y,
                        float* inverse_rms) {
  rms_norm_heads_reference(x, 1, x.cols, weight, eps, y, inverse_rms);
}

void rms_norm_heads_backward_reference(View<const float> x, size_t heads, size_t head_dim,
                                       const float* weight, const float* inverse_rms,
                                       View<const float> dy, View<float> dx, bool accumulate) {
  std::vector<float> h_row(head_dim), g_row(head_dim);
  for (size_t r = 0; r < x.rows; ++r) {
    for (size_t h = 0; h < heads; ++h) {
      const size_t at = h * head_dim;
      const float inverse = inverse_rms[r * heads + h];
      for (size_t i = 0; i < head_dim; ++i) {
        h_row[i] = x.row(r)[at + i] * inverse;
        g_row[i] = dy.row(r)[at + i] * weight[i];
      }
      const float dot = lane_dot_reference(g_row.data(), h_row.data(), head_dim);
      const float mean = dot / static_cast<float>(head_dim);
      float* out = dx.row(r) + at;
      for (size_t i = 0; i < head_dim; ++i) {
        const float inner = std::fma(-h_row[i], mean, g_row[i]);
        out[i] = accumulate ? std::fma(inverse, inner, out[i]) : inverse * inner;
      }
    }
  }
}

void rms_norm_backward_reference(View<const float> x, const float* weight, const float* inverse_rms,
                                 View<const float> dy, View<float> dx, bool accumulate) {
  rms_norm_heads_backward_reference(x, 1, x.cols, weight, inverse_rms, dy, dx, accumulate);
}

FixedStatistics rms_norm_heads_backward_weight_reference(View<const float> x, size_t heads,
                                                         size_t head_dim, const float* inverse_rms,
                                                         View<const float> dy,
                                                         std::span<const TokenGroup> groups,
                                                         FixedGradient grad) {
  FixedStatistics statistics;
  for (const TokenGroup& group : groups) {
    for (size_t i = 0; i < head_dim; ++i) {
      float sum = 0.0f;
      for (size_t r = group.begin; r < group.end; ++r) {
        for (size_t h = 0; h < heads; ++h) {
          const size_t at = h * head_dim + i;
          sum = std::fma(dy.row(r)[at], x.row(r)[at] * inverse_rms[r * heads + h], sum);
        }
      }
      if (!add_fixed(sum, power_of_two(grad.exponent), grad.values + i,
                     &statistics.flushed_to_zero)) {
        statistics.overflow = true;
      }
    }
  }
  return statistics;
}

FixedStatistics rms_norm_backward_weight_reference(View<const float> x, const float* inverse_rms,
                                                   View<const float> dy,
                                                   std::span<const TokenGroup> groups,
                                                   FixedGradient grad) {
  return rms_norm_heads_backward_weight_reference(x, 1, x.cols, inverse_rms, dy, groups, grad);
}

void add_rows_reference(View<float> x, View<const float> y) {
  for (size_t r = 0; r < x.rows; ++r) {
    for (size_t c = 0; c < x.cols; ++c) x.row(r)[c] += y.row(r)[c];
  }
}

}  // namespace hone::tensor
