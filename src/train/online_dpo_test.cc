#include "train/online_dpo.h"

#include <gtest/gtest.h>

#include "train/testing_online.h"

namespace hone::train {
namespace {

class OnlineDpo : public testing::OnlineTest<OnlineDpoConfig> {
 protected:
  OnlineDpoConfig small_config() const {
    OnlineDpoConfig config;
    testing::make_small(config);
    config.num_generations = 2;
    config.per_device_train_batch_size = 5;
    config.learning_rate = 1e-2;
    return config;
  }
};

TEST_F(OnlineDpo, RaisesTheReward) {
  OnlineDpoConfig config = small_config();
  config.max_steps = 40;
  run(config);
  EXPECT_GT(mean_reward(36, 40), mean_reward(1, 5) + 0.15);
  const Json& first = lines_.front();
  EXPECT_NEAR(first.at("loss").as_double(), 0.6931471805599453, 1e-12);  // policy = reference
  EXPECT_EQ(first.at("objective/kl").as_double(), 0);
  EXPECT_GE(first.at("objective/scores_margin").as_double(), 0);
  EXPECT_GT(lines_.back().at("objective/kl").as_double(), 0);
}

TEST_F(OnlineDpo, ABatchCountsPrompts) {
  OnlineDpoConfig config = small_config();
  config.max_steps = 1;
  run(config);
  EXPECT_EQ(completions_.size(), 10u);
  for (size_t i = 0; i < 10; i += 2) {
    EXPECT_EQ(completions_[i].at("advantage").as_double(),
              -completions_[i + 1].at("advantage").as_double());
  }
}

TEST_F(OnlineDpo, AStopAnywhereEndsWithTheSameBits) {
  OnlineDpoConfig config = small_config();
  config.num_iterations = 2;
  config.max_steps = 5;
  expect_stops_change_nothing(config);
  config.lora_r = 2;
  expect_stops_change_nothing(config);
}

TEST_F(OnlineDpo, SettingsOfAManifestComeBackAndWrongOnesAreRefused) {
  OnlineDpoConfig config = small_config();
  config.loss_type = PreferenceLossType::kIpo;
  config.missing_eos_penalty = 0.5;
  EXPECT_EQ(online_dpo_config_from_json(config.to_json()).to_json().dump(),
            config.to_json().dump());
  config.num_generations = 4;
  EXPECT_NE(llm::testing::refusal([&] { validate(config); }).find("must be 2"), std::string::npos);
}

}  // namespace
}  // namespace hone::train
