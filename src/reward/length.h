#pragma once
// Rewards of an answer's form.
//
//   length    1 at target=N, falling in a straight line to 0 at a distance of scale=S (N); in
//             unit=tokens|words|characters
//   overlong  0 up to max - cache tokens, then falling to -1 at max (DAPO's soft punishment, TRL's
//             get_soft_overlong_punishment): max=N, cache=N
//   ended     1 when the answer came to its end, 0 when it was cut
//   format    1 when the answer is OPEN text CLOSE and whatever behind, OPEN nowhere else:
//             open=<think>, close=</think> (TRL's think_format_reward)

#include <memory>

#include "reward/reward.h"
#include "reward/spec.h"

namespace hone::reward {

std::unique_ptr<RewardFunction> make_length(Spec spec);
std::unique_ptr<RewardFunction> make_overlong(Spec spec);
std::unique_ptr<RewardFunction> make_ended(Spec spec);
std::unique_ptr<RewardFunction> make_format(Spec spec);

}  // namespace hone::reward
