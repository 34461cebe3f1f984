#pragma once
// REINFORCE leave-one-out, from config to loop: an answer's advantage is its reward, less beta times
// its KL to the reference, against the mean of its group's others; the ratio is the whole answer's.
// Formulas, defaults and metrics are TRL's.

#include "train/online.h"

namespace hone::train {

TrainResult train_rloo(TrainJob& job, const RlooConfig& config, const OnlineData& data);

}  // namespace hone::train
