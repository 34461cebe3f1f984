#pragma once
// A reward model as a reward function of the methods that learn from their own answers.
//
// It reads the policy's own token ids, so it must have the policy's vocabulary: nothing is written
// out and read again. The answer is closed as it was when the model was trained: behind a chat prompt
// by what the chat template says after an assistant's words, behind a text by the end token; the
// score stands there. Scores are hone eval reward's, to the bit, whatever the batch.

#include <memory>
#include <string>
#include <vector>

#include "llm/lora.h"
#include "llm/memory_plan.h"
#include "llm/model.h"
#include "llm/text_codec.h"
#include "reward/reward.h"
#include "tensor/compute.h"

namespace hone::train {

class ModelReward : public reward::RewardFunction {
 public:
  // Opens the files: throws not_found or invalid_input when there is no model, no score head or no
  // tokenizer. Weights come with load().
  ModelReward(std::string name, const std::string& model, const std::string& adapter);

  // As wide as the policy's, or invalid_input.
  void check_vocabulary(const llm::ModelConfig& policy) const;
  const llm::WeightMemory& memory() const { return memory_; }
  const llm::ModelConfig& config() const { return model_.config; }
  size_t lora_rank() const { return adapter_ ? adapter_->max_rank() : 0; }
  // `compute` must outlive this. Called once, before score().
  void load(tensor::Compute& compute);

  const std::string& name() const override { return name_; }
  std::vector<std::optional<double>> score(std::span<const reward::Sample> samples) override;

 private:
  std::vector<int32_t> closed(const reward::Sample& sample) const;

  std::string name_, path_;
  llm::Model model_;
  std::optional<llm::LoraAdapter> adapter_;
  std::optional<llm::TextCodec> codec_;
  llm::WeightMemory memory_;
  // A chat's prompt ends in prompt_end_; answers are closed by one of the others.
  std::vector<int32_t> prompt_end_, chat_end_, text_end_;
  tensor::Compute* compute_ = nullptr;
};

}  // namespace hone::train
