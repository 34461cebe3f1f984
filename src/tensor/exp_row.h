#pragma once
// out[i] = e^(x[i] / divisor - shift), the operations of exp_f32 on vectors: probabilities of a row
// of logits for sampling. One division and one subtraction, each rounded; any thread.

#include <cstddef>

namespace hone::tensor {

void exp_row(const float* x, size_t n, float divisor, float shift, float* out);
void exp_row_reference(const float* x, size_t n, float divisor, float shift, float* out);

}  // namespace hone::tensor
