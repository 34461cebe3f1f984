#pragma once
// head_backward (log_softmax.h) of a loss that also reads the rows' entropies: a sum of coefficient *
// log_prob over targets and by_entropy * entropy over rows.
//
// Order: as head_backward's, with dlogit = exp_f32(a) * fma(-E, a + H, -C), a = logit - lse, E the
// row's by_entropy, H its entropy, before the targets' coefficients are added.

#include "tensor/log_softmax.h"

namespace hone::tensor {

// rows: from head_log_probs of the same hidden and weights; by_entropy: one a row.
FixedStatistics head_backward_with_entropy(Compute& compute, View<const float> hidden,
                                           const PanelMatrix& weights,
                                           std::span<const HeadTarget> targets,
                                           std::span<const HeadRowResult> rows,
                                           std::span<const float> by_entropy, View<float> dhidden,
                                           const FixedGradient* dw,
                                           std::span<const TokenGroup> groups, Buffer& memory);
FixedStatistics head_backward_with_entropy_reference(
    View<const float> hidden, const PanelMatrix& weights, std::span<const HeadTarget> targets,
    std::span<const HeadRowResult> rows, std::span<const float> by_entropy, View<float> dhidden,
    const FixedGradient* dw, std::span<const TokenGroup> groups);

}  // namespace hone::tensor
