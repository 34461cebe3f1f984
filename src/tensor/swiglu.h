#pragma once
// y = silu(gate) * up (Shazeer, "GLU Variants Improve Transformer", 2020).
//
// gate_up is [M, 2F]: gate in columns 0 .. F - 1, up in F .. 2F - 1. Order per element:
//   y    = (gate / (1 + exp(-gate))) * up
// Backward, s = 1 / (1 + exp(-gate)):
//   dup   = dy * (gate / (1 + exp(-gate)))
//   dgate = (dy * up) * (s * fma(gate, 1 - s, 1))

#include "tensor/compute.h"
#include "tensor/view.h"

namespace hone::tensor {

void swiglu(Compute& compute, View<const float> gate_up, View<float> y);
void swiglu_reference(View<const float> gate_up, View<float> y);

// dgate_up has the layout of gate_up and may be the same memory.
void swiglu_backward(Compute& compute, View<const float> gate_up, View<const float> dy,
                     View<float> dgate_up);
void swiglu_backward_reference(View<const float> gate_up, View<const float> dy,
                               View<float> dgate_up);

}  // namespace hone::tensor
