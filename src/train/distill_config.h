#pragma once
// Options of distillation, with the names of TRL's GKDConfig.

#include "train/config.h"

namespace hone::train {

struct DistillConfig : TrainConfig {
  DistillConfig() { known_coefficients = teacher = true; }
  // known_coefficients and teacher follow from the others.
  void complete() { known_coefficients = teacher = !sparse(); }
  double beta = 0.5;         // 0: KL(teacher || student), 1: KL(student || teacher)
  double lmbda = 0.5;        // probability that a step learns from the student's own answers
  double temperature = 0.9;  // of the answers that are drawn; the loss is at 1
  size_t max_new_tokens = 128;
  bool seq_kd = false;
  // The teacher's most likely words of each token, all others as one; 0: its whole distribution.
  size_t teacher_top_k = 0;
  // What it says was recorded (train/teacher_words.h); then lmbda is 0 and seq_kd is not set.
  bool recorded_teacher = false;

  // Whether the loss reads some of the teacher's words.
  bool sparse() const { return teacher_top_k > 0 || recorded_teacher; }
  Json to_json() const;
};

DistillConfig distill_config_from_json(const Json& settings);
void validate(const DistillConfig& config);

}  // namespace hone::train
