#include <cmath>

#include "tensor/math.h"
#include "tensor/swiglu.h"

namespace hone::tensor {

void swiglu_reference(View<const float> gate_up, View<float> y) {
  for (size_t r = 0; r < y.rows; ++r) {
    const float* gate = gate_up.row(r);
    const float* up = gate + y.cols;
    for (size_t i = 0; i < y.cols; ++i) y.row(r)[i] = silu_f32(gate[i]) * up[i];
  }
}

void swiglu_backward_reference(View<const float> gate_up, View<const float> dy,
                               View<float> dgate_up) {
  const size_t n = dy.cols;
  for (size_t r = 0; r < dy.rows; ++r) {
    for (size_t i = 0; i < n; ++i) {
      const float gate = gate_up.row(r)[i];
      const float up = gate_up.row(r)[n + i];
      const float grad = dy.row(r)[i];
      const float s = sigmoid_f32(gate);
      dgate_up.row(r)[i] = (grad * up) * (s * std::fma(gate, 1.0f - s, 1.0f));
      dgate_up.row(r)[n + i] = grad * silu_f32(gate);
    }
  }
}

}  // namespace hone::tensor
