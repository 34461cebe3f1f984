// How many layers keep their activations (TrainJob::kept_layers) decides memory and time, and no bit.
#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "train/testing.h"
#include "train/value_model.h"

namespace hone::train {
namespace {

std::string steps_of_run(size_t kept_layers, size_t lora_r, double dropout) {
  llm::testing::TinyShape shape;
  shape.layers = 4;
  FaultEnv env;
  tensor::Compute compute(2);
  llm::Model model = llm::testing::random_model(shape);
  SftConfig config;
  config.max_steps = 2;
  config.lora_r = lora_r;
  config.lora_dropout = dropout;
  TrainJob job{compute, env, model, "run"};
  job.kept_layers = kept_layers;
  train_sft(job, config, testing::sft_rows(12, shape.vocab), {});
  return env.read_file("run/steps.jsonl", 1u << 20);
}

TEST(KeptLayers, OfARunDecideNoBit) {
  for (const size_t lora_r : {0, 3}) {
    const double dropout = lora_r == 0 ? 0 : 0.2;
    const std::string all = steps_of_run(0, lora_r, dropout);
    EXPECT_FALSE(all.empty());
    for (const size_t kept : {1, 2, 3, 4, 50}) {
      EXPECT_EQ(steps_of_run(kept, lora_r, dropout), all) << kept << " kept, lora " << lora_r;
    }
  }
}

TEST(KeptLayers, OfAValueModelAreTheSameShareOfItsOwn) {
  llm::ModelConfig policy, value;
  policy.layers.resize(4);
  value.layers.resize(6);
  EXPECT_EQ(kept_value_layers(0, policy, value), 0u);
  EXPECT_EQ(kept_value_layers(1, policy, value), 2u);
  EXPECT_EQ(kept_value_layers(2, policy, value), 3u);
  EXPECT_EQ(kept_value_layers(4, policy, value), 6u);
  EXPECT_EQ(kept_value_layers(9, policy, value), 6u);
}

}  // namespace
}  // namespace hone::train
