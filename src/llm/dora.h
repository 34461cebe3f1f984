#pragma once
// DoRA (Liu et al., arXiv 2402.09353; PEFT's names): an adapted map has a magnitude for each output
// beside its direction,
//
//   y = g (W x + s B A x) + bias,  g = m / |W + s B A|  (norms of rows, one an output)
//
// The norm has no gradient of its own (section 4.3), so dm = dy z / |W + s B A| with z = W x + s B A x,
// and everything else sees g dy in the place of dy.
//
// |W + s B A|^2 = |W|^2 + 2 s B (W A^T) + s^2 B (A A^T) B^T, row by row in f64: a product of r rows
// with W for each map and change of the values, |W|^2 once.

#include "llm/lora.h"
#include "llm/model.h"
#include "tensor/compute.h"

namespace hone::llm {

// Makes a LoRA adapter one of DoRA whose map is still the same: magnitudes are the norms as they
// stand.
void start_dora(tensor::Compute& compute, const Model& model, LoraAdapter& adapter);

// What follows from magnitudes, A, B and the model's weights, which are loaded: gains and norms.
// Nothing for an adapter without DoRA. Call it when any of these has changed.
void refresh_dora(tensor::Compute& compute, const Model& model, LoraAdapter& adapter);

// y = gain * z + bias, or y += that. z may be y itself; bias may be null.
void apply_gain(tensor::Compute& compute, const LoraPair& pair, const float* bias,
                tensor::View<const float> z, tensor::View<float> y, bool accumulate);

}  // namespace hone::llm
