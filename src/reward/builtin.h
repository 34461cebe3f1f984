#pragma once
// The reward function that a spec names (docs/training.md lists them).

#include <memory>
#include <string>
#include <vector>

#include "reward/reward.h"

namespace hone {
class Env;
}

namespace hone::reward {

// Throws invalid_input for an unknown name (with the nearest words that are known) or key.
std::unique_ptr<RewardFunction> make_reward(Env& env, const std::string& spec);
std::vector<std::string> builtin_names();
// Whether making and using it runs another program: then a file may not name it, only a person.
bool runs_a_program(const std::string& spec);

}  // namespace hone::reward
