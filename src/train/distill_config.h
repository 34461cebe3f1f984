#pragma once
// Options of distillation, with the names of TRL's GKDConfig.

#include "train/config.h"

namespace hone::train {

struct DistillConfig : TrainConfig {
  DistillConfig() { known_coefficients = teacher = true; }
  double beta = 0.5;         // 0: KL(teacher || student), 1: KL(student || teacher)
  double lmbda = 0.5;        // probability that a step learns from the student's own answers
  double temperature = 0.9;  // of the answers that are drawn; the loss is at 1
  size_t max_new_tokens = 128;
  bool seq_kd = false;
  Json to_json() const;
};

DistillConfig distill_config_from_json(const Json& settings);
void validate(const DistillConfig& config);

}  // namespace hone::train
