#include "train/grpo.h"

#include <gtest/gtest.h>

#include <cmath>

#include "train/testing_online.h"

namespace hone::train {
namespace {

// 1 for every answer to an odd prompt, else as EvenTokens: groups without spread.
class OftenEqual : public testing::EvenTokens {
 public:
  std::vector<std::optional<double>> score(std::span<const reward::Sample> samples) override {
    auto out = testing::EvenTokens::score(samples);
    for (size_t i = 0; i < samples.size(); ++i) {
      if (samples[i].prompt_ids.front() % 2 == 1) out[i] = 1;
    }
    return out;
  }
};

class Grpo : public testing::OnlineTest<GrpoConfig> {
 protected:
  GrpoConfig small_config() const {
    GrpoConfig config;
    testing::make_small(config);
    return config;
  }
};

TEST_F(Grpo, RaisesTheReward) {
  GrpoConfig config = small_config();
  config.max_steps = 30;
  eval_prompts_ = testing::prompts(8);
  config.eval_steps = 29;
  run(config);
  EXPECT_GT(mean_reward(26, 30), mean_reward(1, 5) + 0.2);
  const Json& last = lines_.back();
  EXPECT_GT(last.at("eval_reward").as_double(), 0.7);
  EXPECT_EQ(last.at("step").as_int(), 30);
}

TEST_F(Grpo, TheFirstStepOnAGenerationSeesTheSamplersLogProbabilitiesToTheBit) {
  for (const bool sharing : {true, false}) {
    for (size_t lora_r : {0u, 2u}) {
      GrpoConfig config = small_config();
      if (sharing) {
        config.temperature = 0.7;
        config.top_p = 0.8;
      }
      config.prefix_sharing = sharing;
      config.lora_r = lora_r;
      config.num_iterations = 2;
      run(config);
      for (const Json& line : lines_) {
        const bool first = line.at("step").as_int() % 2 == 1;
        const Json* difference = line.find("sampling/sampling_logp_difference/max");
        ASSERT_EQ(difference != nullptr, first);
        // A cut changes what is drawn and not what is compared.
        const Json* kept = line.find("sampling/kept_mass/mean");
        ASSERT_EQ(kept != nullptr, sharing);
        if (sharing) {
          EXPECT_LT(line.at("sampling/kept_mass/min").as_double(), 1);
        }
        if (first) {
          EXPECT_EQ(difference->as_double(), 0);
          EXPECT_EQ(line.at("clip_ratio/region_mean").as_double(), 0);
        }
      }
    }
  }
}

TEST_F(Grpo, ThreadsBatchesAndPassesChangeNoBit) {
  GrpoConfig config = small_config();
  config.num_iterations = 2;
  const Outcome plain = run(config);
  config.rollout_batch_size = 3;
  config.max_tokens_per_pass = 1;
  config.recompute = true;
  EXPECT_TRUE(run(config, 3).values == plain.values);
  config.seed = 43;
  EXPECT_FALSE(run(config).values == plain.values);
}

TEST_F(Grpo, AStopAnywhereEndsWithTheSameBits) {
  GrpoConfig config = small_config();
  config.num_iterations = 2;
  config.gradient_accumulation_steps = 1;
  config.steps_per_generation = 2;  // a generation serves 2 x 2 steps
  config.per_device_train_batch_size = 8;
  config.max_steps = 6;
  config.beta = 0.1;
  for (size_t lora_r : {0u, 2u}) {
    config.lora_r = lora_r;
    expect_stops_change_nothing(config);
  }
}

TEST_F(Grpo, LossTypesTrainAndAreDifferent) {
  std::vector<std::vector<std::vector<float>>> seen;
  using T = PolicyLossType;
  for (T type :
       {T::kGrpo, T::kBnpo, T::kDrGrpo, T::kDapo, T::kLuspo, T::kCispo, T::kSapo, T::kVespo}) {
    GrpoConfig config = small_config();
    config.loss_type = type;
    config.max_steps = 2;
    config.per_device_train_batch_size = 4;
    config.gradient_accumulation_steps = 2;
    if (type == T::kCispo) config.epsilon_high = 5;
    const Outcome out = run(config);
    for (const auto& values : out.values) {
      for (float value : values) ASSERT_TRUE(std::isfinite(value)) << name(type);
    }
    seen.push_back(out.values);
  }
  // On-policy and at the first step some of them are one another by definition; not all.
  EXPECT_FALSE(seen[0] == seen[3]);
  EXPECT_FALSE(seen[1] == seen[3]);
}

TEST_F(Grpo, AnEntropyBonusKeepsThePolicyOpen) {
  GrpoConfig config = small_config();
  config.max_steps = 25;
  run(config);
  const double plain = lines_.back().at("entropy").as_double();
  config.entropy_coef = 0.5;
  run(config);
  EXPECT_GT(lines_.back().at("entropy").as_double(), plain);
  EXPECT_EQ(lines_.back().at("entropy_coef").as_double(), 0.5);
  EXPECT_GT(lines_[0].at("policy_loss").as_double(), lines_[0].at("loss").as_double());
  // It counts under no bound of the passes.
  config.max_steps = 3;
  const Outcome whole = run(config);
  config.max_tokens_per_pass = 1;
  EXPECT_TRUE(run(config, 3).values == whole.values);
}

TEST_F(Grpo, AnAdaptiveEntropyBonusGoesOnAfterAStop) {
  GrpoConfig config = small_config();
  config.use_adaptive_entropy = true;
  config.entropy_target = 10;  // always below: up by delta a step, and applied from the second on
  config.entropy_coef_delta = 0.01;
  run(config);
  for (size_t i = 0; i < lines_.size(); ++i) {
    EXPECT_NEAR(lines_[i].at("entropy_coef").as_double(), 0.01 * static_cast<double>(i + 1), 1e-12);
  }
  EXPECT_EQ(lines_[0].at("loss").as_double(), lines_[0].at("policy_loss").as_double());
  expect_stops_change_nothing(config);
}

TEST_F(Grpo, DynamicSamplingAsksOthersInThePlaceOfGroupsWithoutSpread) {
  rewards_.clear();
  rewards_.push_back(std::make_unique<OftenEqual>());
  prompts_ = testing::prompts(40);
  GrpoConfig config = small_config();
  config.max_steps = 4;
  run(config);
  double flat = 0;
  for (const Json& line : lines_) flat += line.at("frac_reward_zero_std").as_double();
  ASSERT_GT(flat, 0);
  config.dynamic_sampling = true;
  run(config);
  for (const Json& line : lines_) EXPECT_EQ(line.at("frac_reward_zero_std").as_double(), 0);
  config.max_generation_batches = 1;  // the bound holds: nothing is asked again
  run(config);
  double bounded = 0;
  for (const Json& line : lines_) bounded += line.at("frac_reward_zero_std").as_double();
  EXPECT_EQ(bounded, flat);
}

TEST_F(Grpo, CompletionsAreLoggedWithRewardsAndAdvantage) {
  GrpoConfig config = small_config();
  config.max_steps = 2;
  run(config);
  ASSERT_EQ(completions_.size(), 16u);
  double sum = 0;
  for (size_t i = 0; i < 4; ++i) sum += completions_[i].at("advantage").as_double();
  EXPECT_NEAR(sum, 0, 1e-9);
  EXPECT_EQ(completions_[0].at("step").as_int(), 1);
  EXPECT_EQ(completions_[15].at("step").as_int(), 2);
  EXPECT_TRUE(completions_[0].at("rewards").at("even").is_number());
}

TEST_F(Grpo, WhatCannotBeIsRefused) {
  const auto said = [&](auto change) {
    GrpoConfig config = small_config();
    change(config);
    return llm::testing::refusal([&] { run(config); });
  };
  EXPECT_NE(said([](GrpoConfig& c) { c.num_generations = 3; }).find("multiple of"),
            std::string::npos);
  EXPECT_NE(said([](GrpoConfig& c) { c.num_generations = 1; }).find("2 or more"),
            std::string::npos);
  EXPECT_NE(said([](GrpoConfig& c) { c.temperature = 0; }).find("--temperature"),
            std::string::npos);
  EXPECT_NE(said([](GrpoConfig& c) { c.loss_type = PolicyLossType::kCispo; }).find("cispo"),
            std::string::npos);
  EXPECT_NE(said([](GrpoConfig& c) { c.steps_per_generation = 7; }).find("there are only 10"),
            std::string::npos);
  EXPECT_NE(said([](GrpoConfig& c) {
              c.lora_r = 2;
              c.lora_dropout = 0.1;
            }).find("--lora-dropout"),
            std::string::npos);
  EXPECT_NE(said([](GrpoConfig& c) { c.entropy_coef = std::nan(""); }).find("--entropy-coef"),
            std::string::npos);
  EXPECT_NE(said([](GrpoConfig& c) {
              c.use_adaptive_entropy = true;
              c.entropy_coef = 2;
            }).find("--entropy-coef-max"),
            std::string::npos);
  rewards_.clear();
  EXPECT_NE(said([](GrpoConfig&) {}).find("there is no reward"), std::string::npos);
}

TEST_F(Grpo, SettingsOfAManifestComeBack) {
  GrpoConfig config = small_config();
  config.epsilon_high = 0.28;
  config.delta = 2;
  config.loss_type = PolicyLossType::kSapo;
  config.scale_rewards = ScaleRewards::kBatch;
  config.dynamic_sampling = true;
  config.reward_weights = {0.5};
  config.entropy_coef = 0.01;
  config.use_adaptive_entropy = true;
  config.recorded_rollouts = true;
  EXPECT_EQ(grpo_config_from_json(config.to_json()).to_json().dump(), config.to_json().dump());
}

}  // namespace
}  // namespace hone::train
