#pragma once
// What --reward names, made: the built-in functions, and reward models, whose weights come later.

#include <map>
#include <string>
#include <vector>

#include "cli/memory.h"
#include "reward/reward.h"
#include "train/model_reward.h"

namespace hone::cli {

struct RewardFunctions {
  reward::Functions functions;
  std::vector<train::ModelReward*> models;  // of `functions`
  std::vector<std::string> model_paths;     // of each: model, then adapter (may be empty)

  // Refuses reward models that read other tokens; adds their memory to the plan.
  void check(const llm::ModelConfig& policy) const;
  // longest: tokens of a prompt with its answer.
  void add_to(MemoryPlan& plan, size_t longest) const;
  void load(tensor::Compute& compute);
  // "reward_model/NAME" and "reward_adapter/NAME" of a manifest.
  std::map<std::string, std::string> digests() const;
};

// Specs as --reward has them; "model:path=M,adapter=A" is a reward model. Throws as
// reward::make_reward.
RewardFunctions make_rewards(const std::vector<std::string>& specs);

}  // namespace hone::cli
