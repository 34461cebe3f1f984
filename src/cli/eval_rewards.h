#pragma once
// hone eval rewards: what a model's answers to held-out prompts earn.

#include <string>
#include <vector>

namespace hone::cli {

int eval_rewards(const std::vector<std::string>& arguments);

}  // namespace hone::cli
