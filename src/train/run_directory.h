#pragma once
// A run on disk (docs/formats/run.md): manifest.json, metrics.jsonl, steps.jsonl, checkpoints/ and
// final/. Whatever moment the power fails, what was acknowledged is whole: files appear by rename
// after a sync, lines behind the last checkpoint are cut when the run resumes.
//
//   steps.jsonl    one line per optimiser step {"step", "loss", "grad_norm", "hash"}: what hone
//                  replay compares; hash is over the parameters after the step.
//   metrics.jsonl  what people plot, every --logging-steps.
//   events.out.tfevents.hone   with --report-to tensorboard: metrics.jsonl for TensorBoard
//   completions.jsonl   of methods that generate: what was said and what it earned.
//   sources.json   where model and data lay: names for hone replay, not part of what the run was.
//
// When a resumed run writes a step that was written before, the lines of steps.jsonl must be equal:
// a difference is an internal error that names the step, since a replay that differs proves
// nothing. Lines of metrics.jsonl are cut and written again; what they hold follows options that
// may change on resume (--logging-steps, --eval-steps).

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "data/run_manifest.h"
#include "train/optimizer.h"

namespace hone::train {

// States beside the policy's own in every checkpoint: NAME.safetensors of each.
using MoreStates = std::map<std::string, Optimizer*>;

struct StepRecord {
  size_t step = 0;
  double loss = 0, grad_norm = 0;
  std::string hash;
};

class RunDirectory {
 public:
  // Creates the run. conflict when the directory holds one already and neither flag is set;
  // --overwrite removes it; --resume needs the same manifest (all that decides bits); with
  // accept_recipe the numerics recipe may be another.
  struct Opening {
    bool resume = false, overwrite = false, accept_recipe = false;
  };
  static RunDirectory open(Env& env, std::string path, const data::RunManifest& manifest,
                           Opening opening);

  const std::string& path() const { return path_; }

  // The newest complete checkpoint: restores parameters, optimiser and exponents and returns its
  // step; 0 when there is none. Log lines behind it are set aside for comparison. A checkpoint of
  // another recipe (accept_recipe) is written into the manifest.
  // Event files are made anew from what metrics.jsonl keeps; with tensorboard they go on.
  // Checkpoints beyond `total_limit` (0: no limit) and halves that a kill left are removed.
  size_t restore(Optimizer& optimizer, size_t total_limit, ReportTo report_to = ReportTo::kNone,
                 const MoreStates& more = {});
  // Writes checkpoints/step-NNNNNN and drops the oldest beyond `total_limit`.
  // files: name to content, kept beside the state.
  void save_checkpoint(Optimizer& optimizer, size_t step, size_t total_limit,
                       const std::map<std::string, std::string>& files = {},
                       const MoreStates& more = {});
  // Such a file of the checkpoint of that step; nothing when it has none.
  std::optional<std::string> checkpoint_file(size_t step, const std::string& name);

  void log_step(const StepRecord& record);
  void log_metrics(const Json& line);
  // {"step", ...}; synced with the next flush.
  void log_completion(const Json& line);
  void flush();

  static std::vector<StepRecord> read_steps(Env& env, const std::string& path);
  static data::RunManifest read_manifest(Env& env, const std::string& path);

  // Paths by the names of the manifest's digests ("model", "data", ...). Empty: nothing is written.
  void write_sources(const std::map<std::string, std::string>& sources);
  // Nothing when the run has none, or a damaged one: the paths can be given again.
  static std::map<std::string, std::string> read_sources(Env& env, const std::string& path);

 private:
  RunDirectory(Env& env, std::string path) : env_(env), path_(std::move(path)) {}
  std::string file(const char* name) const { return path_ + "/" + name; }
  // set_aside may be null.
  void cut_log(const char* name, size_t step, std::vector<std::string>* set_aside);
  std::vector<std::string> checkpoints();
  void drop_checkpoints(size_t total_limit);
  void accept_recipe_of(size_t step, const std::string& recipe);
  void rebuild_events(ReportTo report_to);
  void restore_more(const std::string& checkpoint, size_t step, const MoreStates& more);

  Env& env_;
  std::string path_;
  bool accept_recipe_ = false;
  std::unique_ptr<WritableFile> metrics_, steps_, events_, completions_;
  std::vector<std::string> expected_steps_;  // lines behind the checkpoint, oldest last
};

// Hash of every trained value, for steps.jsonl: equal bits, equal text. `beside` (may be null): what
// is trained beside it.
std::string parameter_hash(tensor::Compute& compute, const llm::Trainable& trainable,
                           const llm::Trainable* beside = nullptr);

}  // namespace hone::train
