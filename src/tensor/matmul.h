#pragma once
// y = x W^T and its two gradients, the same to the bit for any number of rows, threads, and any
// way of cutting the work.
//
// The contract (docs/numerics.md):
//   forward   y[m][n]  = sum over k: one FMA chain inside each block of 256 k counted from k = 0,
//                        from 0, ascending; block sums added in ascending order.
//   input     dx[m][k] = the same with n in the place of k.
//   weights   for each group of tokens: one FMA chain over its tokens, ascending, from 0, in f32;
//             the group's sum is rounded to an integer multiple of 2^-exponent (ties to even) and
//             added to an int64. Integer sums do not depend on order.
// Stored weights are dequantised first (D1), then enter the chain.
//
// Errors: none; shapes are checked (HONE_CHECK), callers have refused bad files before.

#include <cstdint>
#include <span>

#include "tensor/compute.h"
#include "tensor/panels.h"
#include "tensor/view.h"

namespace hone::tensor {

// One product. Several in a call share one fork-join (q, k and v; gate and up); outputs of
// different parts must not overlap.
struct MatmulPart {
  View<const float> x;                   // [M, K]
  const PanelMatrix* weights = nullptr;  // [N, K]
  View<float> y;                         // [M, N]
  const float* bias = nullptr;           // [N] or null; y = sum + bias
  bool accumulate = false;               // y = fma(scale, sum, y); then bias must be null
  float scale = 1.0f;                    // used only with accumulate
  // Or null: a product with the same rows and the same y that follows this one, as in a call of its
  // own, while y is in the cache (what an adapter adds). Its own `then` is not looked at.
  const MatmulPart* then = nullptr;
};

void matmul(Compute& compute, std::span<const MatmulPart> parts);
void matmul_reference(std::span<const MatmulPart> parts);

// dx = [dx +] sum over terms of dy_t W_t, terms added in order, each sum complete before it is
// added (dx = fma(scale, sum, dx); the first term stores scale * sum when accumulate is false).
struct MatmulInputTerm {
  View<const float> dy;                  // [M, N]
  const PanelMatrix* weights = nullptr;  // [N, K]
  float scale = 1.0f;
};
void matmul_backward_input(Compute& compute, std::span<const MatmulInputTerm> terms, View<float> dx,
                           bool accumulate);
void matmul_backward_input_reference(std::span<const MatmulInputTerm> terms, View<float> dx,
                                     bool accumulate);

// Consecutive rows whose gradient is summed in one f32 chain; at most 256 rows.
struct TokenGroup {
  size_t begin = 0, end = 0;
};

// A gradient in fixed point: value = integer * 2^-exponent, in the layout of PanelMatrix f32.
struct FixedGradient {
  int64_t* values = nullptr;  // ((n / 16) * K + k) * 16 + n % 16
  int exponent = 0;
};
// Returned so that the caller can choose the next step's exponent and detect overflow: any
// |group sum| * 2^exponent >= 2^50 makes `overflow` true and the values meaningless.
struct FixedStatistics {
  bool overflow = false;
  uint64_t flushed_to_zero = 0;  // nonzero group sums that rounded to 0
};
// grad += dy^T x over the groups. dy [M, N], x [M, K].
FixedStatistics matmul_backward_weight(Compute& compute, View<const float> dy, View<const float> x,
                                       std::span<const TokenGroup> groups, FixedGradient grad);
// The same for several dy of one x (q, k and v; gate and up): x is packed once, one fork for all.
// Gradients of different parts must not overlap; the statistics are those of all parts together.
struct WeightPart {
  View<const float> dy;  // [M, N]
  FixedGradient gradient;
};
FixedStatistics matmul_backward_weights(Compute& compute, std::span<const WeightPart> parts,
                                        View<const float> x, std::span<const TokenGroup> groups);
FixedStatistics matmul_backward_weight_reference(View<const float> dy, View<const float> x,
                                                 std::span<const TokenGroup> groups,
                                                 FixedGradient grad);

}  // namespace hone::tensor
