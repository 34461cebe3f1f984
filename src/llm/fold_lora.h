#pragma once
// An adapter's change written into the weights that it stands on, in memory (hone model merge does it
// from file to file).

#include "llm/lora.h"
#include "llm/model.h"

namespace hone::llm {

// The weights must be f32 (make_trainable): rows of W + scale B A, with DoRA scaled to their
// magnitude, summed in f64 and rounded once. The adapter's score head is left where it is.
void fold_lora(Model& model, const LoraAdapter& adapter);

}  // namespace hone::llm
