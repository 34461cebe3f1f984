#pragma once
// Measured, trained on preferences, measured again: one piece of work that hone quickstart shows on
// a terminal and that hone job runs for a server (docs/formats/run.md).
//
// The held-out pairs are scored before and after; the answers to a few prompts are written down on
// both sides. Everything but the training is quick, so only the training has checkpoints: work that
// was stopped goes on from there when it is done again with the same output.
// Owned by one thread. Errors are Error's; Ctrl-C and SIGTERM are looked at between pairs and steps.

#include <optional>
#include <string>
#include <vector>

#include "cli/common.h"
#include "data/dataset.h"
#include "eval/compare.h"
#include "eval/report.h"
#include "train/dpo.h"

namespace hone::cli {

// What a first run is made with: DPO and SFT together on LoRA adapters, two epochs.
train::DpoConfig recommended_settings(uint64_t seed);

// In the order in which they come.
enum class LoopPhase {
  kMeasuringBefore,
  kAnswersBefore,
  kReference,
  kTraining,
  kMeasuringAfter,
  kAnswersAfter
};
// "measuring before", "answers before", "reference", "training", "measuring after", "answers after"
std::string_view loop_phase_name(LoopPhase phase);

struct PreferenceLoop {
  CommonOptions common;
  ModelOptions model;  // a base without adapter
  std::string train_path, held_out_path;
  // Rows of {"prompt"}; empty: the first three prompts of the held-out pairs.
  std::string show_path;
  std::string output;  // a run directory
  train::DpoConfig config;
  size_t answer_tokens = 120;
};

// Who wants to know how far it is. Called by the thread that works.
class LoopWatcher {
 public:
  virtual ~LoopWatcher() = default;
  virtual void begin(LoopPhase phase, size_t total) = 0;  // pairs or answers
  virtual void update(size_t done) = 0;
  virtual void end() = 0;
  // Sets the training's callbacks; `steps` are all of the run's.
  virtual void attach(train::TrainJob& job, size_t steps) = 0;
};

struct LoopPairs {
  data::Dataset train_rows, held_out_rows;
  std::vector<llm::PreferenceTokens> train, held_out;
  size_t train_tokens = 0, held_out_tokens = 0;
  std::vector<Json> show;  // rows of {"prompt"}
};
// The last thing that was said in it, for showing: text, or a list of messages.
std::string prompt_text(const Json& prompt);
// Reads and tokenises; throws invalid_input when a training prompt is held out too.
LoopPairs load_loop_pairs(const PreferenceLoop& loop, const LoadedModel& loaded);
MemoryPlan loop_memory(const PreferenceLoop& loop, const LoadedModel& loaded);

// What is known in the end. It lies in the run as before.json, after.json and shown.json.
struct LoopResult {
  eval::Report before, after;
  std::vector<std::string> answers_before, answers_after;  // one a row of `show`
};
// Tokens a second of reading a text on this machine, measured in about a second.
double reading_rate(tensor::Compute& compute, const LoadedModel& loaded);
// Of all phases, from the rate of reading.
double loop_seconds(const PreferenceLoop& loop, const LoopPairs& pairs, double rate);

// What finished work left, when it is of the same files, settings and program.
std::optional<LoopResult> kept_result(const PreferenceLoop& loop, const LoopPairs& pairs);

// The weights are loaded; loaded.adapter is set at the end. Nothing: the training was stopped and
// saved after `*stopped_at` steps.
std::optional<LoopResult> run_loop(const PreferenceLoop& loop, tensor::Compute& compute,
                                   LoadedModel& loaded, const LoopPairs& pairs,
                                   LoopWatcher& watcher, size_t* stopped_at);

}  // namespace hone::cli
