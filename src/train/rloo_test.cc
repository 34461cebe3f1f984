#include "train/rloo.h"

#include <gtest/gtest.h>

#include "base/fault_env.h"
#include "train/testing_online.h"

namespace hone::train {
namespace {

class Rloo : public testing::OnlineTest<RlooConfig> {
 protected:
  RlooConfig small_config() const {
    RlooConfig config;
    testing::make_small(config);
    return config;
  }
};

TEST_F(Rloo, RaisesTheReward) {
  RlooConfig config = small_config();
  config.max_steps = 30;
  config.beta = 0;
  run(config);
  EXPECT_GT(mean_reward(26, 30), mean_reward(1, 5) + 0.15);
  EXPECT_TRUE(lines_[0].find("kl") == nullptr);
}

TEST_F(Rloo, TheKlInTheRewardHoldsThePolicyAtItsReference) {
  RlooConfig config = small_config();
  config.max_steps = 30;
  config.learning_rate = 3e-3;
  double kl[2] = {0, 0};
  for (const bool held : {false, true}) {
    config.beta = held ? 2 : 1e-6;
    run(config);
    EXPECT_EQ(lines_[0].at("kl").as_double(), 0);  // before the first update both are one model
    for (size_t i = 20; i < 30; ++i) kl[held ? 1 : 0] += lines_[i].at("kl").as_double() / 10;
  }
  EXPECT_GT(kl[0], 0);
  EXPECT_LT(kl[1], kl[0] / 2);
}

TEST_F(Rloo, AStopAnywhereEndsWithTheSameBits) {
  RlooConfig config = small_config();
  config.num_iterations = 3;
  config.max_steps = 5;
  for (size_t lora_r : {0u, 2u}) {
    config.lora_r = lora_r;
    expect_stops_change_nothing(config);
  }
}

TEST_F(Rloo, SettingsOfAManifestComeBack) {
  RlooConfig config = small_config();
  config.normalize_advantages = true;
  config.reward_clip_range = {-1, 1};
  EXPECT_EQ(rloo_config_from_json(config.to_json()).to_json().dump(), config.to_json().dump());
  config.reward_clip_range = {1, -1};
  EXPECT_NE(llm::testing::refusal([&] { validate(config); }).find("--reward-clip-range"),
            std::string::npos);
}

}  // namespace
}  // namespace hone::train
