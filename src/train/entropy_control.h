#pragma once
// GRPO's entropy bonus, and what steers it (TRL's entropy_coef; Skywork-OR1, arXiv 2505.22312): with
// use_adaptive_entropy the coefficient goes up by delta after a step whose entropy was at or below
// the target and down by it after another, and counts only behind one of the first kind.

#include <limits>

#include "base/json.h"
#include "train/online_config.h"

namespace hone::train {

class EntropyControl {
 public:
  explicit EntropyControl(const GrpoConfig& config)
      : config_(config), coefficient_(config.entropy_coef) {}

  bool enabled() const { return config_.entropy_coef != 0 || config_.use_adaptive_entropy; }
  double coefficient() const { return coefficient_; }
  // What the step at hand multiplies its entropy by.
  double applied() const {
    if (!config_.use_adaptive_entropy) return coefficient_;
    return last_entropy_ <= config_.entropy_target ? coefficient_ : 0;
  }
  // Behind a step: the mean entropy of the tokens that learned.
  void update(double entropy);

  // For a checkpoint. from_json throws corrupt_data.
  Json to_json() const;
  void from_json(const Json& json);

 private:
  const GrpoConfig& config_;
  double coefficient_;
  double last_entropy_ = std::numeric_limits<double>::infinity();
};

}  // namespace hone::train
