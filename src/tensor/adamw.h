#pragma once
// AdamW (Loshchilov & Hutter, "Decoupled weight decay regularization", 2019) as torch.optim.AdamW
// computes it, over gradients in fixed point (fixed_point.h), with clipping in the same pass.
//
// Order per element, f32 unless said; constants are computed in f64 and rounded once:
//   g = f32(f64(integer) * 2^-exponent) * clip
//   w = w * f32(1 - learning_rate * weight_decay)
//   m = fma(f32(1 - beta1), g - m, m)
//   v = fma(f32(1 - beta2) * g, g, v * f32(beta2))
//   w = fma(-f32(learning_rate / (1 - beta1^step)), m / (sqrt(v) / f32(sqrt(1 - beta2^step)) + eps), w)
// Norm, f64: blocks of 4096 integers; inside a block 8 lanes (i % 8) of fma(x, x, lane) with
// x = f64(integer) * 2^-exponent, tree + 4, + 2, + 1; block sums added in ascending order.
//
// Elements are independent: any layout, padding included (zeros stay zero). Integers stay below
// 2^53 in size.

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/compute.h"
#include "tensor/matmul.h"

namespace hone::tensor {

struct AdamwSettings {
  double learning_rate = 0.0;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  int64_t step = 1;  // the number of this step, counted from 1
};

// A tensor and its gradient, n elements each.
struct AdamwTensor {
  FixedGradient gradient;
  size_t n = 0;
  float *weights = nullptr, *m = nullptr, *v = nullptr;
  float clip = 1.0f;  // the gradient is multiplied by it
};

// weights, m and v are updated; the gradient is read and set to zero, ready for the next step. All
// tensors share one fork.
void adamw(Compute& compute, const AdamwSettings& settings, std::span<const AdamwTensor> tensors);
void adamw_reference(const AdamwSettings& settings, std::span<const AdamwTensor> tensors);

struct GradientNorm {
  double sum_of_squares = 0.0;
  double largest = 0.0;  // |value|, for next_fixed_exponent
};
// One a tensor; of each only gradient and n are read.
std::vector<GradientNorm> gradient_norms(Compute& compute, std::span<const AdamwTensor> tensors);
GradientNorm gradient_norm_reference(FixedGradient gradient, size_t n);

// min(1, max_norm / (norm + 1e-6)); max_norm of 0 means no clipping.
float clip_coefficient(double norm, double max_norm);

}  // namespace hone::tensor
