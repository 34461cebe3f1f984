#pragma once
// Gradients of linear_forward (llm/forward.h): through base and adapter, to inputs and weights.
//
//   dx  = [dx +] sum over calls of dy W, then for each adapted call, in order, dh A
//   dh  = scale * dy B,  h = A x computed again
//   dW += dy^T x,  dbias += column sums of dy,  dA += dh^T x,  dB += dy^T h (factor: scale)
// With DoRA (llm/dora.h) dm += column sums of dy z / |W + scale BA|, z = W x + scale B A x computed
// again, and gain * dy stands for dy in all of these.
// With dropout A reads d(x): h = A d(x), dA += dh^T d(x), dx += mask / (1 - p) (dh A), call by call.

#include <span>

#include "llm/forward.h"
#include "llm/trainable.h"
#include "tensor/matmul.h"

namespace hone::llm {

struct LinearGradientCall {
  LinearKind kind;
  tensor::View<const float> x;  // the forward's input
  tensor::View<const float> dy;
};

// All calls share x's rows and dx. dx.data == nullptr: the input's gradient is not wanted.
// lora_scratch: [M, 2 * sum of the calls' ranks]. dora_scratch: [M, sum of the calls' outputs], with
// DoRA only.
void linear_backward(tensor::Compute& compute, const Layer& layer, const LoraLayer* lora,
                     const LayerParameters& parameters, Trainable& trainable,
                     std::span<const LinearGradientCall> calls,
                     std::span<const tensor::TokenGroup> groups, tensor::View<float> dx,
                     bool accumulate, tensor::View<float> lora_scratch,
                     tensor::FixedStatistics& statistics, const LinearDropout& dropout = {},
                     tensor::View<float> dora_scratch = {});

void merge_statistics(tensor::FixedStatistics& into, const tensor::FixedStatistics& from);

}  // namespace hone::llm
