#pragma once
// --value-model of hone train ppo: opened, counted and refused before anything is loaded.

#include <optional>
#include <string>

#include "cli/common.h"
#include "cli/memory.h"
#include "train/value_model.h"

namespace hone::cli {

struct ValueInput {
  std::string path;
  // A model of its own; none: the policy's base, which nothing changes, serves both.
  std::optional<LoadedModel> own;
  std::optional<llm::LoraAdapter> adapter;

  const llm::ModelConfig& config(const LoadedModel& policy) const {
    return own ? own->model.config : policy.model.config;
  }
  // Weights that are its own, gradients, moments and activations of a pass of max_rows rows which
  // keeps one layer's (cli/kept_layers.h).
  void add_to(MemoryPlan& plan, const LoadedModel& policy, const train::TrainConfig& config,
              size_t max_rows) const;
  // Of its activations, where so many of the policy's layers keep theirs.
  uint64_t more_layers_bytes(const LoadedModel& policy, size_t max_rows, size_t kept) const;
  // Behind load_weights of the policy.
  void load(tensor::Compute& compute, LoadedModel& policy, const train::TrainConfig& config);
  // Takes the adapter.
  train::ValueStart start(LoadedModel& policy);
};

// Whether the path is an adapter: a folder with adapter_config.json, or a GGUF file that says so.
bool names_adapter(const std::string& path);

// path: a model, or an adapter of the policy's base (a folder with adapter_config.json, or a GGUF
// adapter). Throws not_found, or invalid_input when it reads other tokens than the policy, or is an
// adapter of another base.
ValueInput open_value_model(const std::string& path, const LoadedModel& policy,
                            const train::TrainConfig& config);

}  // namespace hone::cli
