#pragma once
// Root mean square normalisation, its gradients, and the residual addition beside it.
//
// Order (docs/numerics.md), n = number of columns (or of one head):
//   sum     = 16 virtual lanes: lane j takes i % 16 == j ascending, fma(x, x, lane) from 0; then the
//             tree j + (j + 8), + 4, + 2, + 1
//   inverse = 1 / sqrt(sum / n + eps), IEEE division and root
//   y[i]    = (x[i] * inverse) * weight[i]
// Backward, h = x[i] * inverse, g = dy[i] * weight[i]:
//   dot     = the same lanes and tree over fma(g, h, lane)
//   dx[i]   = [dx[i] +] inverse * fma(-h, dot / n, g); accumulating: fma(inverse, ..., dx[i])
//   dweight = for each group fma(dy, h, sum) over its rows ascending from 0, then fixed point
//
// y may be x. Few rows run on the calling thread, many over the pool.

#include <cstdint>
#include <span>

#include "tensor/compute.h"
#include "tensor/matmul.h"
#include "tensor/view.h"

namespace hone::tensor {

// inverse_rms: one per row, or null.
void rms_norm(Compute& compute, View<const float> x, const float* weight, float eps, View<float> y,
              float* inverse_rms);
void rms_norm_reference(View<const float> x, const float* weight, float eps, View<float> y,
                        float* inverse_rms);

void rms_norm_backward(Compute& compute, View<const float> x, const float* weight,
                       const float* inverse_rms, View<const float> dy, View<float> dx,
                       bool accumulate);
void rms_norm_backward_reference(View<const float> x, const float* weight, const float* inverse_rms,
                                 View<const float> dy, View<float> dx, bool accumulate);

// grad.values: one integer a column.
FixedStatistics rms_norm_backward_weight(Compute& compute, View<const float> x,
                                         const float* inverse_rms, View<const float> dy,
                                         std::span<const TokenGroup> groups, FixedGradient grad);
FixedStatistics rms_norm_backward_weight_reference(View<const float> x, const float* inverse_rms,
                                                   View<const float> dy,
                                                   std::span<const TokenGroup> groups,
                                                   FixedGradient grad);

// The same for each of `heads` pieces of head_dim columns side by side, one weight of head_dim for
// all (q and k of Qwen3). inverse_rms: rows * heads, row by row, or null. The weight's group sum
// runs over rows, inside a row over heads, both ascending.
void rms_norm_heads(Compute& compute, View<const float> x, size_t heads, size_t head_dim,
                    const float* weight, float eps, View<float> y, float* inverse_rms);
void rms_norm_heads_reference(View<const float> x, size_t heads, size_t head_dim,
                              const float* weight, float eps, View<float> y, float* inverse_rms);
void rms_norm_heads_backward(Compute& compute, View<const float> x, size_t heads, size_t head_dim,
                             const float* weight, const float* inverse_rms, View<const float> dy,
                             View<float> dx, bool accumulate);
void rms_norm_heads_backward_reference(View<const float> x, size_t heads, size_t head_dim,
                                       const float* weight, const float* inverse_rms,
                                       View<const float> dy, View<float> dx, bool accumulate);
FixedStatistics rms_norm_heads_backward_weight(Compute& compute, View<const float> x, size_t heads,
                                               size_t head_dim, const float* inverse_rms,
                                               View<const float> dy,
                                               std::span<const TokenGroup> groups,
                                               FixedGradient grad);
FixedStatistics rms_norm_heads_backward_weight_reference(View<const float> x, size_t heads,
                                                         size_t head_dim, const float* inverse_rms,
                                                         View<const float> dy,
                                                         std::span<const TokenGroup> groups,
                                                         FixedGradient grad);

// x += y, one rounding each.
void add_rows(Compute& compute, View<float> x, View<const float> y);
void add_rows_reference(View<float> x, View<const float> y);

}  // namespace hone::tensor
