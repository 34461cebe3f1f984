#include "cli/reward_functions.h"

#include <algorithm>

#include "base/env.h"
#include "cli/common.h"
#include "reward/builtin.h"
#include "reward/spec.h"

namespace hone::cli {

namespace {
// Rows of a pass that scores answers (train/model_reward.cc), and what may close an answer.
constexpr size_t kScoreRows = 512;
constexpr size_t kClosing = 16;
}  // namespace

RewardFunctions make_rewards(const std::vector<std::string>& specs) {
  RewardFunctions rewards;
  for (const std::string& text : specs) {
    reward::Spec spec = reward::Spec::parse(text);
    if (spec.kind() != "model") {
      rewards.functions.push_back(reward::make_reward(real_env(), text));
      continue;
    }
    const std::string path = spec.needed("path"), adapter = spec.text_of("adapter", "");
    spec.done();
    auto model = std::make_unique<train::ModelReward>(spec.name(), path, adapter);
    rewards.models.push_back(model.get());
    rewards.model_paths.push_back(path);
    rewards.model_paths.push_back(adapter);
    rewards.functions.push_back(std::move(model));
  }
  return rewards;
}

void RewardFunctions::check(const llm::ModelConfig& policy) const {
  for (const train::ModelReward* model : models) model->check_vocabulary(policy);
}

void RewardFunctions::add_to(MemoryPlan& plan, size_t longest) const {
  for (const train::ModelReward* model : models) {
    plan.add("reward " + model->name(),
             model->memory().packed_bytes +
                 llm::TrainingPass::planned_score_bytes(model->config(), model->lora_rank(),
                                                        std::max(kScoreRows, longest + kClosing),
                                                        llm::PassOptions{true}));
  }
}

void RewardFunctions::load(tensor::Compute& compute) {
  for (train::ModelReward* model : models) model->load(compute);
}

std::map<std::string, std::string> RewardFunctions::digests() const {
  std::map<std::string, std::string> digests;
  for (size_t i = 0; i < models.size(); ++i) {
    digests["reward_model/" + models[i]->name()] = model_digest(model_paths[2 * i]);
    if (model_paths[2 * i + 1].empty()) continue;
    digests["reward_adapter/" + models[i]->name()] = model_digest(model_paths[2 * i + 1]);
  }
  return digests;
}

}  // namespace hone::cli
