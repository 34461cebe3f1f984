#include "cli/training_progress.h"

#include <cstdio>

#include "cli/common.h"
#include "cli/ranks.h"

namespace hone::cli {

void TrainingProgress::attach(train::TrainJob& job) {
  job.reference_progress = [this](size_t done, size_t total) {
    if (!reference_) {
      reference_.emplace("reference", "pairs", total, quiet_);
      reference_->start_at(done, static_cast<double>(done) / static_cast<double>(total));
    }
    reference_->update(done, "then " + std::to_string(steps_) + " steps");
    if (done == total) reference_->finish("then " + std::to_string(steps_) + " steps");
    if (ranks().size() > 1) return;  // they stop together, by TrainJob::stop
    stop_if_interrupted("no step is done yet; the same command goes on (hone train with --resume)");
  };
  job.begin = [this](size_t done, double share) {
    training_.emplace(label_, "steps", steps_, quiet_);
    training_->start_at(done, share);
  };
  job.progress = [this](const train::StepReport& report) {
    char loss[48];
    std::snprintf(loss, sizeof loss, "loss %.4f", report.loss);
    const std::string note = loss + (report.note.empty() ? "" : ", " + report.note);
    if (training_) training_->update(report.step, note, report.share_done);
  };
}

void TrainingProgress::finish() {
  if (training_) training_->finish();
}

}  // namespace hone::cli
