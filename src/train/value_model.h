#pragma once
// PPO's value model where it stands apart from the policy (--value-model; TRL's value_model,
// OpenRLHF's critic): a trunk of its own with a value head, trained by the value loss alone, with its
// own optimiser state, clipping and rate. The policy then has no value head.
//
// It reads the policy's own token ids. With LoRA its adapter is new, or goes on from the one that it
// begins with; the base is only read and may be the policy's own. Else all its weights are trained.
// The head begins as the score head of what it begins with, or at 0 where there is none.

#include <memory>
#include <optional>

#include "train/training_run.h"

namespace hone::train {

// What it begins with; taken by ValueModel.
struct ValueStart {
  llm::Model& model;  // f32 and of its own when all weights are trained
  // With LoRA what is trained on; else it is folded into the weights.
  std::optional<llm::LoraAdapter> adapter;
};

// Throws invalid_input when it reads another vocabulary than the policy writes, or less than the
// longest prompt with its answer.
void check_value_model(const llm::ModelConfig& policy, const llm::ModelConfig& value,
                       size_t longest);

// Layers of the value model that keep their activations where so many of the policy's do: the same
// share of them, all where the policy keeps all. 0 stays 0 (TrainJob::kept_layers).
size_t kept_value_layers(size_t kept, const llm::ModelConfig& policy,
                         const llm::ModelConfig& value);

class ValueModel {
 public:
  // max_rows: of the largest tree. compute, model, config and ranks of the job must outlive it.
  ValueModel(TrainJob& job, const TrainConfig& config, double learning_rate, ValueStart& start,
             size_t max_rows);

  llm::TrainingPass& pass() { return *pass_; }
  Optimizer& optimizer() { return *optimizer_; }
  const Companion& companion() const { return companion_; }

 private:
  std::optional<llm::LoraAdapter> adapter_;
  llm::Trainable trainable_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<llm::TrainingPass> pass_;
  Companion companion_;
};

}  // namespace hone::train
