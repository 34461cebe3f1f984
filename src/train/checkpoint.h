#pragma once
// The bytes of a checkpoint (docs/formats/checkpoint.md): one safetensors file with, for every
// trained parameter, value, exp_avg and exp_avg_sq as they lie in memory, and one tensor, named for
// the recipe, with the step and the fixed-point exponents.

#include <string>

#include "base/env.h"
#include "train/optimizer.h"

namespace hone::train {

void write_checkpoint(Env& env, const std::string& path, Optimizer& optimizer, size_t step);

struct CheckpointOrigin {
  size_t step = 0;
  std::string recipe;
};
// Throws corrupt_data when the file does not belong to these parameters, conflict when another
// recipe wrote it and accept_recipe is not set.
CheckpointOrigin read_checkpoint(Env& env, const std::string& path, Optimizer& optimizer,
                                 bool accept_recipe = false);

}  // namespace hone::train
