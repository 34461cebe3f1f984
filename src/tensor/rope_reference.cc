#include <cmath>

#include "tensor/rope.h"

namespace hone::tensor {

namespace {

void rotate(View<float> rows, size_t heads, size_t head_dim, const int32_t* positions,
            const RopeTable& table, float direction) {
  const size_t half = table.rope_dim() / 2;
  for (size_t r = 0; r < rows.rows; ++r) {
    const float* cosines = table.cosines(static_cast<size_t>(positions[r]));
    const float* sines = table.sines(static_cast<size_t>(positions[r]));
    for (size_t h = 0; h < heads; ++h) {
      float* x = rows.row(r) + h * head_dim;
      for (size_t i = 0; i < half; ++i) {
        const float x0 = x[i];
        const float x1 = x[i + half];
        const float sine = direction * sines[i];
        x[i] = std::fma(x0, cosines[i], -(x1 * sine));
        x[i + half] = std::fma(x1, cosines[i], x0 * sine);
      }
    }
  }
}

}  // namespace

void rope_reference(View<float> rows, size_t heads, size_t head_dim, const int32_t* positions,
                    const RopeTable& table) {
  rotate(rows, heads, head_dim, positions, table, 1.0f);
}

void rope_backward_reference(View<float> rows, size_t heads, size_t head_dim,
                             const int32_t* positions, const RopeTable& table) {
  rotate(rows, heads, head_dim, positions, table, -1.0f);
}

}  // namespace hone::tensor
