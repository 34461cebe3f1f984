#include "train/grpo.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/fault_env.h"
#include "train/testing.h"

namespace hone::train {
namespace {

// The share of an answer's tokens that are even: a reward without words.
class EvenTokens : public reward::RewardFunction {
 public:
  const std::string& name() const override { return name_; }
  std::vector<std::optional<double>> score(std::span<const reward::Sample> samples) override {
    std::vector<std::optional<double>> out;
    for (const reward::Sample& sample : samples) {
      double even = 0;
      for (int32_t id : sample.completion_ids) even += id % 2 == 0 ? 1 : 0;
      out.push_back(even / static_cast<double>(sample.completion_ids.size()));
    }
    return out;
  }

 private:
  std::string name_ = "even";
};

// 1 for every answer to an odd prompt, else as EvenTokens: groups without spread.
class OftenEqual : public EvenTokens {
 public:
  std::vector<std::optional<double>> score(std::span<const reward::Sample> samples) override {
    auto out = EvenTokens::score(samples);
    for (size_t i = 0; i < samples.size(); ++i) {
      if (samples[i].prompt_ids.front() % 2 == 1) out[i] = 1;
    }
    return out;
  }
};

llm::testing::TinyShape small_shape() {
  llm::testing::TinyShape shape;
  shape.layers = 1;
  shape.hidden = 16;
  shape.heads = 2;
  shape.kv_heads = 1;
  shape.intermediate = 24;
  shape.vocab = 32;
  return shape;
}

std::vector<llm::PromptTokens> prompts(size_t count, size_t vocab = 32) {
  Rng rng(5, rng_stream("prompts"));
  std::vector<llm::PromptTokens> out(count);
  for (size_t i = 0; i < count; ++i) {
    out[i].ids = llm::testing::random_tokens(rng, 2 + 3 * (i % 4), vocab);
    out[i].name = "line-" + std::to_string(i + 1);
    out[i].where = "prompts.jsonl:" + std::to_string(i + 1);
  }
  return out;
}

GrpoConfig small_config() {
  GrpoConfig config;
  config.learning_rate = 2e-2;
  config.lr_scheduler_type = Scheduler::kConstant;
  config.num_generations = 4;
  config.per_device_train_batch_size = 8;
  config.max_completion_length = 6;
  config.max_steps = 6;
  config.logging_steps = 1;
  config.rewards = {"even"};
  return config;
}

class Grpo : public ::testing::Test {
 protected:
  struct Outcome {
    std::vector<std::vector<float>> values;
    TrainResult result;
  };
  // One run on a fresh model; stop_after: asked to stop behind that step (0: never).
  Outcome run(Env& env, const GrpoConfig& config, bool resume = false, size_t stop_after = 0,
              size_t threads = 1) {
    tensor::Compute compute(threads);
    llm::Model model = llm::testing::random_model(small_shape());
    llm::Model reference = llm::testing::random_model(small_shape());
    std::atomic<bool> stop{stop_after == 1};
    TrainJob job{compute, env, model, "runs/one", resume, false, {}, {}, &stop};
    size_t steps = 0;
    job.progress = [&](const StepReport&) { stop = ++steps + 1 == stop_after; };
    Outcome out;
    const OnlineData data{prompts_, eval_prompts_,
                          rewards_, nullptr,
                          {0, 1},   config.beta > 0 && config.lora_r == 0 ? &reference : nullptr};
    out.result = train_grpo(job, config, data);
    out.values = config.lora_r == 0 ? testing::model_values(model)
                                    : testing::adapter_values(model, *out.result.adapter);
    return out;
  }
  Outcome run(const GrpoConfig& config, size_t threads = 1) {
    FaultEnv env;
    Outcome out = run(env, config, false, 0, threads);
    lines_ = testing::lines_of(env, "runs/one/metrics.jsonl");
    completions_ = config.log_completions ? testing::lines_of(env, "runs/one/completions.jsonl")
                                          : std::vector<Json>();
    return out;
  }
  Grpo() { rewards_.push_back(std::make_unique<EvenTokens>()); }

  std::vector<llm::PromptTokens> prompts_ = prompts(10), eval_prompts_;
  reward::Functions rewards_;
  std::vector<Json> lines_, completions_;
};

TEST_F(Grpo, RaisesTheReward) {
  GrpoConfig config = small_config();
  config.max_steps = 30;
  eval_prompts_ = prompts(8);
  config.eval_steps = 29;
  run(config);
  double early = 0, late = 0, eval_first = -1, eval_last = 0;
  for (const Json& line : lines_) {
    if (const Json* eval = line.find("eval_reward")) {
      if (eval_first < 0) eval_first = eval->as_double();
      eval_last = eval->as_double();
      continue;
    }
    const double reward = line.at("reward").as_double();
    (line.at("step").as_int() <= 5 ? early : late) +=
        line.at("step").as_int() <= 5 || line.at("step").as_int() > 25 ? reward / 5 : 0;
  }
  EXPECT_GT(late, early + 0.2);
  EXPECT_GT(eval_last, 0.7);
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
    FaultEnv whole_env;
    const Outcome whole = run(whole_env, config);
    for (size_t stop = 1; stop < 6; ++stop) {
      FaultEnv env;
      ASSERT_TRUE(run(env, config, false, stop).result.stopped);
      env.crash();
      const Outcome rest = run(env, config, true);
      EXPECT_TRUE(rest.values == whole.values) << "stopped after " << stop;
      for (const char* name : {"steps.jsonl", "metrics.jsonl", "completions.jsonl"}) {
        const std::string path = std::string("runs/one/") + name;
        EXPECT_EQ(env.read_file(path, 1u << 30), whole_env.read_file(path, 1u << 30))
            << name << ", stopped after " << stop;
      }
    }
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

TEST_F(Grpo, DynamicSamplingAsksOthersInThePlaceOfGroupsWithoutSpread) {
  rewards_.clear();
  rewards_.push_back(std::make_unique<OftenEqual>());
  prompts_ = prompts(40);
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
  EXPECT_EQ(grpo_config_from_json(config.to_json()).to_json().dump(), config.to_json().dump());
}

}  // namespace
}  // namespace hone::train
