#pragma once
// The bars of a training run: one for the reference's log-probabilities, one for the steps. Each
// has a clock of its own, so that neither's rate is mixed with the other's.

#include <optional>
#include <string>

#include "cli/progress.h"
#include "train/training_run.h"

namespace hone::cli {

class TrainingProgress {
 public:
  TrainingProgress(std::string label, size_t steps, bool quiet)
      : label_(std::move(label)), steps_(steps), quiet_(quiet) {}

  // Sets the job's callbacks; this object must outlive the training.
  void attach(train::TrainJob& job);
  void finish();

 private:
  std::string label_;
  size_t steps_;
  bool quiet_;
  std::optional<Progress> reference_, training_;
};

}  // namespace hone::cli
