#pragma once
// Online DPO, from config to loop: each prompt is answered twice by the policy, the answer that earns
// more is chosen (the first of equals), and the pair's loss is DPO's (sigmoid, or IPO on sums) against
// the reference. Formulas, defaults and metrics are TRL's; a batch counts prompts, as there. A pair
// of which an answer has no reward is left out.

#include "train/online.h"

namespace hone::train {

TrainResult train_online_dpo(TrainJob& job, const OnlineDpoConfig& config, const OnlineData& data);

}  // namespace hone::train
