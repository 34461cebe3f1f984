#pragma once
// What every method needs around its loop: the trainable parameters, the optimiser, the pass and
// the run directory, put together once. The loop itself stands in each method's file.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/env.h"
#include "data/run_manifest.h"
#include "llm/lora.h"
#include "llm/model.h"
#include "llm/training_pass.h"
#include "train/communicator.h"
#include "train/config.h"
#include "train/run_directory.h"
#include "train/step.h"

namespace hone::train {

struct StepReport {
  size_t step = 0, total_steps = 0;
  double loss = 0;
  size_t rows = 0;        // tokens that were run in this step
  double share_done = 0;  // of the work of all steps: rows are not equally long
  std::string note = {};  // of the method, for who watches: "reward 0.25"
};

// What a method is given. References must outlive the training.
struct TrainJob {
  tensor::Compute& compute;
  Env& env;
  llm::Model& model;  // full fine-tuning changes it
  std::string output;
  bool resume = false;
  bool overwrite = false;
  data::RunManifest manifest = {};  // digests and program; method and settings are added
  std::function<void(const StepReport&)> progress = {};
  const std::atomic<bool>* stop = nullptr;          // true: finish the step, save, return
  std::map<std::string, std::string> sources = {};  // RunDirectory::write_sources
  bool accept_recipe = false;                       // resume from another recipe's checkpoint
  // Called while reference log-probabilities are computed, before the first step.
  std::function<void(size_t done, size_t total)> reference_progress = {};
  // Called once, when the steps begin: behind the `done` steps of a checkpoint.
  std::function<void(size_t done, double share_done)> begin = {};
  // Layers whose activations passes keep until their backward, the others are run again: as the memory
  // allows, and decides no bit. 0: one with the config's recompute, else all.
  size_t kept_layers = 0;
  // Null: this process alone. With several ranks env must be a LeaderEnv over them.
  Communicator* ranks = nullptr;
};

inline Communicator& ranks_of(const TrainJob& job) {
  return job.ranks == nullptr ? one_rank() : *job.ranks;
}
// Whether the run is to stop: on all ranks as soon as one of them was asked. Every rank calls it.
bool asked_to_stop(const TrainJob& job);
// Throws conflict that names the rank whose program, model, data or settings are not rank 0's.
void check_same_on_all_ranks(Communicator& ranks, const data::RunManifest& manifest);

struct TrainResult {
  std::optional<llm::LoraAdapter> adapter;  // with LoRA
  size_t steps = 0;                         // done in all
  bool stopped = false;                     // before the last step, on request
};

// How much of a run's work is done after each step, in tokens of a forward pass: what a bar's time
// left is reckoned from, since rows are not equally long.
class WorkShare {
 public:
  // sizes: tokens of each row that DataOrder deals out; eval_tokens: of one evaluation.
  WorkShare(const TrainConfig& config, std::span<const size_t> sizes, size_t total_steps,
            size_t eval_tokens);
  // 0 to 1; tokens: of all steps up to this one.
  double done(size_t step, uint64_t tokens) const;

 private:
  double evaluations(size_t step) const;

  size_t total_steps_, eval_steps_, eval_tokens_;
  double per_token_;  // forward and backward
  double whole_ = 1;
};

// What is trained beside the policy by a loss of its own (PPO's value model). Must outlive the run.
struct Companion {
  std::string name;  // of its file in a checkpoint, and in front of its metrics
  Optimizer* optimizer = nullptr;
  double learning_rate = 0;  // the peak; the schedule is the run's
};

struct StepEnd {
  size_t step = 0, total_steps = 0;
  double loss = 0;
  double normaliser = 1;  // the gradient is the sum divided by this
  Accumulated gradients;
  double share_done = 0;  // of the work of all steps, this one included
  double epoch = 0;
  Json metrics = Json::object();              // added to the step's line
  std::function<Json(size_t step)> evaluate;  // a line of eval_ metrics, or null
  std::string note = {};                      // StepReport's
  // What a checkpoint behind this step needs beside the state, or null: name to content.
  std::function<std::map<std::string, std::string>()> checkpoint_files = {};
  double companion_normaliser = 1;  // of the companion's gradient
  bool rests = false;               // the policy: the companion alone learns in this step
};

// Which heads a method trains beside the layers.
struct TrainedHeads {
  bool language = true;          // false: an untied head is left as it is
  bool score = false;            // made from the seed where model and adapter have none
  bool score_from_zero = false;  // a new one, all 0
  // Tokens behind the vocabulary (llm/predictor_tokens.h), from the seed where the model has none.
  size_t predictors = 0;
};

class TrainingRun {
 public:
  // max_rows: rows of the largest tree that will be run.
  // companion: null, or what is in the run's checkpoints, hashes and updates too.
  TrainingRun(TrainJob& job, const TrainConfig& config, const data::RunManifest& manifest,
              size_t max_rows, TrainedHeads heads = {}, const Companion* companion = nullptr);

  RunDirectory& directory() { return directory_; }
  Optimizer& optimizer() { return *optimizer_; }
  llm::TrainingPass& pass() { return *pass_; }
  Communicator& ranks() { return ranks_of(job_); }
  // What is trained when it is not the model itself; else null.
  const llm::LoraAdapter* adapter() const { return adapter_ ? &*adapter_ : nullptr; }

  // The last step that is done: 0, or the checkpoint's.
  size_t restore() {
    return directory_.restore(*optimizer_, config_.save_total_limit, config_.report_to,
                              more_states());
  }
  // Tells the job that steps begin.
  void begin(size_t done, double share_done) {
    if (job_.begin) job_.begin(done, share_done);
  }

  // True when the step's line will be in metrics.jsonl.
  bool logs(size_t step, size_t total) const {
    return step % config_.logging_steps == 0 || step == total;
  }
  // Whether the pass's results carry mean logits; computes the head's mean row when it is not the
  // one of the last call.
  void watch_mean_logits(bool wanted);

  // After the gradients of a step are there: update, steps.jsonl, metrics.jsonl, evaluation and
  // checkpoint when due. Returns false when the run must stop.
  bool end_step(const StepEnd& end);
  TrainResult finish(size_t step, size_t total);

 private:
  static TrainJob& checked(TrainJob& job, const data::RunManifest& manifest);
  void check_same_weights(size_t step, const std::string& hash);
  MoreStates more_states() const;
  // Both updates of a step, and their keys of its line.
  struct Update {
    double grad_norm = 0;
    Json head = Json::object(),
         tail = Json::object();  // of the line, before and behind the method's
  };
  Update update(const StepEnd& end);

  TrainJob& job_;
  const TrainConfig& config_;
  const Companion* companion_;
  std::optional<llm::LoraAdapter> adapter_;
  llm::Trainable trainable_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<llm::TrainingPass> pass_;
  std::vector<double> mean_head_row_;
  RunDirectory directory_;
};

// kept_layers: TrainJob's.
llm::PassOptions pass_options(const TrainConfig& config, size_t kept_layers = 0);

// A new adapter as the options say, which changes nothing yet.
llm::LoraAdapter new_lora(tensor::Compute& compute, const llm::Model& model,
                          const TrainConfig& config);

// Peak bytes of training beside the model's own weights: never below the truth, and within some 10 %
// of it (docs/results/plan-2026-11-29.md).
size_t planned_training_bytes(const llm::ModelConfig& model, const TrainConfig& config,
                              size_t max_rows);
// Of these, what one trained model takes: gradients, moments and activations, not the program.
size_t planned_trained_bytes(const llm::ModelConfig& model, const TrainConfig& config,
                             size_t max_rows);

// The job's manifest with method, settings, seed and recipe filled in.
data::RunManifest make_manifest(const std::string& method, const TrainConfig& config,
                                const Json& settings, data::RunManifest manifest);

}  // namespace hone::train
