#pragma once
// What every method needs around its loop: the trainable parameters, the optimiser, the pass and
// the run directory, put together once. The loop itself stands in each method's file.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/env.h"
#include "data/run_manifest.h"
#include "llm/lora.h"
#include "llm/model.h"
#include "llm/training_pass.h"
#include "train/config.h"
#include "train/run_directory.h"
#include "train/step.h"

namespace hone::train {

struct StepReport {
  size_t step = 0, total_steps = 0;
  double loss = 0;
  size_t rows = 0;  // tokens that were run in this step
};

// What a method is given. References must outlive the training.
struct TrainJob {
  tensor::Compute& compute;
  Env& env;
  llm::Model& model;  // full fine-tuning changes it
  std::string output;
  bool resume = false;
  bool overwrite = false;
  data::RunManifest manifest;  // digests and program; method and settings are added
  std::function<void(const StepReport&)> progress;
  const std::atomic<bool>* stop = nullptr;          // true: finish the step, save, return
  std::map<std::string, std::string> sources = {};  // RunDirectory::write_sources
};

struct TrainResult {
  std::optional<llm::LoraAdapter> adapter;  // with LoRA
  size_t steps = 0;                         // done in all
  bool stopped = false;                     // before the last step, on request
};

struct StepEnd {
  size_t step = 0, total_steps = 0;
  double loss = 0;
  double normaliser = 1;  // the gradient is the sum divided by this
  size_t rows = 0;
  double epoch = 0;
  Json metrics = Json::object();              // added to the step's line
  std::function<Json(size_t step)> evaluate;  // a line of eval_ metrics, or null
};

class TrainingRun {
 public:
  // max_rows: rows of the largest tree that will be run.
  TrainingRun(TrainJob& job, const TrainConfig& config, const data::RunManifest& manifest,
              size_t max_rows);

  RunDirectory& directory() { return directory_; }
  Optimizer& optimizer() { return *optimizer_; }
  llm::TrainingPass& pass() { return *pass_; }

  // The last step that is done: 0, or the checkpoint's.
  size_t restore() { return directory_.restore(*optimizer_); }

  // After the gradients of a step are there: update, steps.jsonl, metrics.jsonl, evaluation and
  // checkpoint when due. Returns false when the run must stop.
  bool end_step(const StepEnd& end);
  TrainResult finish(size_t step, size_t total);

 private:
  TrainJob& job_;
  const TrainConfig& config_;
  std::optional<llm::LoraAdapter> adapter_;
  llm::Trainable trainable_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<llm::TrainingPass> pass_;
  RunDirectory directory_;
};

// Peak bytes of training beside the model's own weights.
size_t planned_training_bytes(const llm::ModelConfig& model, const TrainConfig& config,
                              size_t max_rows);

// The job's manifest with method, settings, seed and recipe filled in.
data::RunManifest make_manifest(const std::string& method, const TrainConfig& config,
                                const Json& settings, data::RunManifest manifest);

}  // namespace hone::train
