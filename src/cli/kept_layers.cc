#include "cli/kept_layers.h"

#include <algorithm>

#include "llm/training_pass.h"

namespace hone::cli {

size_t KeptLayers::within(uint64_t limit) const {
  size_t fits = 0;
  while (fits < peaks.size() && peaks[fits] <= limit) ++fits;
  return std::max<size_t>(1, fits);
}

KeptLayers keep_layers(MemoryPlan& plan, size_t layers, bool as_few, uint64_t limit,
                       const std::function<uint64_t(size_t)>& more) {
  const char* const kWhat = "activations of more layers";
  KeptLayers chosen;
  chosen.layers = layers;
  for (size_t kept = 1; kept <= layers; ++kept) {
    MemoryPlan with = plan;
    with.add(kWhat, more(kept));
    chosen.peaks.push_back(with.peak_bytes());
  }
  chosen.kept = as_few ? 1 : chosen.within(limit);
  plan.add(kWhat, more(chosen.kept));
  return chosen;
}

MemoryPlan least_training_memory(const LoadedModel& opened, const LoadedModel* reference,
                                 const train::TrainConfig& config, size_t max_rows) {
  train::TrainConfig least = config;
  least.recompute = true;
  return training_memory(opened, reference, least, max_rows);
}

uint64_t more_layers_bytes(const llm::ModelConfig& model, size_t max_rows, size_t kept) {
  const size_t more = std::min(kept, model.layers.size()) - std::min<size_t>(kept, 1);
  return more * llm::kept_layer_bytes(model, max_rows);
}

}  // namespace hone::cli
