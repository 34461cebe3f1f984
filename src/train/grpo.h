#pragma once
// Group relative policy optimisation, from config to loop: each prompt is answered several times, an
// answer's advantage is its reward against the group's, and the policy loss is one of
// train/policy_loss.h. Formulas, defaults and metrics are TRL's.
//
// With dynamic sampling groups whose rewards are all equal give way to other prompts, drawn by
// (seed, step), as long as max_generation_batches lasts; what then still has no spread stays.

#include "train/online.h"

namespace hone::train {

TrainResult train_grpo(TrainJob& job, const GrpoConfig& config, const OnlineData& data);

}  // namespace hone::train
