#pragma once
// How many layers keep their activations in training, the others being run again before their
// backward (llm/training_pass.h): as many as the memory allows. Decides no bit of a run.

#include <cstdint>
#include <functional>
#include <vector>

#include "cli/common.h"
#include "cli/memory.h"

namespace hone::cli {

struct KeptLayers {
  size_t layers = 0, kept = 0;  // of the model; 0: nothing was chosen
  // The peak with one layer kept, with two, ..., with all.
  std::vector<uint64_t> peaks;

  // As many as this limit allows, but at least one.
  size_t within(uint64_t limit) const;
};

// plan: of a training that keeps one layer; grows to what is chosen. as_few: --recompute, one.
// more: bytes of all activations beyond those of one layer when so many are kept.
KeptLayers keep_layers(MemoryPlan& plan, size_t layers, bool as_few, uint64_t limit,
                       const std::function<uint64_t(size_t kept)>& more);

// training_memory with one layer kept, as keep_layers wants it.
MemoryPlan least_training_memory(const LoadedModel& opened, const LoadedModel* reference,
                                 const train::TrainConfig& config, size_t max_rows);
// What `kept` layers of the model take more than one, in passes of so many rows.
uint64_t more_layers_bytes(const llm::ModelConfig& model, size_t max_rows, size_t kept);

}  // namespace hone::cli
