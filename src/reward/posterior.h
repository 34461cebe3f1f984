#pragma once
// What a label model believes (hone quality aggregate), as a reward.
//
//   posterior  the probability of the label that the answer is. column=posterior, answer=answer,
//              other=zero|none, case=exact|ignore
//
// The column is an object of probabilities by label ({"yes": 0.9, "no": 0.1}), a list of
// {"label", "probability"}, or one number: the probability that the label in the column `answer` is
// right. White space around an answer does not count. A label that is not there has 0, or with
// other=none no value. Probabilities must lie in [0, 1].

#include <memory>

#include "reward/reward.h"
#include "reward/spec.h"

namespace hone::reward {

std::unique_ptr<RewardFunction> make_posterior(Spec spec);

}  // namespace hone::reward
