#pragma once
// What the tests of the methods share which learn from their own answers: rewards without words, a
// tiny model, prompts, and runs that are stopped and go on.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/fault_env.h"
#include "train/grpo.h"
#include "train/online_dpo.h"
#include "train/rloo.h"
#include "train/testing.h"

namespace hone::train::testing {

// The share of an answer's tokens that are even.
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

inline std::vector<llm::PromptTokens> prompts(size_t count, size_t vocab = 32) {
  Rng rng(5, rng_stream("prompts"));
  std::vector<llm::PromptTokens> out(count);
  for (size_t i = 0; i < count; ++i) {
    out[i].ids = llm::testing::random_tokens(rng, 2 + 3 * (i % 4), vocab);
    out[i].name = "line-" + std::to_string(i + 1);
    out[i].where = "prompts.jsonl:" + std::to_string(i + 1);
  }
  return out;
}

// Six steps of two groups of four short answers.
inline void make_small(OnlineConfig& config) {
  config.learning_rate = 2e-2;
  config.lr_scheduler_type = Scheduler::kConstant;
  config.num_generations = 4;
  config.per_device_train_batch_size = 8;
  config.max_completion_length = 6;
  config.max_steps = 6;
  config.logging_steps = 1;
  config.rewards = {"even"};
}

inline TrainResult train_method(TrainJob& job, const GrpoConfig& config, const OnlineData& data) {
  return train_grpo(job, config, data);
}
inline TrainResult train_method(TrainJob& job, const RlooConfig& config, const OnlineData& data) {
  return train_rloo(job, config, data);
}

inline TrainResult train_method(TrainJob& job, const OnlineDpoConfig& config,
                                const OnlineData& data) {
  return train_online_dpo(job, config, data);
}

template <typename Config>
class OnlineTest : public ::testing::Test {
 protected:
  OnlineTest() { rewards_.push_back(std::make_unique<EvenTokens>()); }

  struct Outcome {
    std::vector<std::vector<float>> values;
    TrainResult result;
  };

  // One run on a fresh model; stop_after: asked to stop behind that step (0: never).
  Outcome run(Env& env, const Config& config, bool resume = false, size_t stop_after = 0,
              size_t threads = 1) {
    tensor::Compute compute(threads);
    llm::Model model = llm::testing::random_model(small_shape()),
               reference = llm::testing::random_model(small_shape());
    StoppedJob job(compute, env, model, "runs/one", resume, stop_after);
    const OnlineData data{prompts_, eval_prompts_,
                          rewards_, nullptr,
                          {0, 1},   config.beta > 0 && config.lora_r == 0 ? &reference : nullptr};
    Outcome out;
    out.result = train_method(job, config, data);
    out.values = trained_values(model, out.result);
    return out;
  }
  // The same in a world of its own, whose logs are kept.
  Outcome run(const Config& config, size_t threads = 1) {
    FaultEnv env;
    Outcome out = run(env, config, false, 0, threads);
    lines_ = lines_of(env, "runs/one/metrics.jsonl");
    completions_ =
        config.log_completions ? lines_of(env, "runs/one/completions.jsonl") : std::vector<Json>();
    return out;
  }

  // Of the training lines of these steps.
  double mean_reward(int64_t first, int64_t last) const {
    double sum = 0;
    for (const Json& line : lines_) {
      const int64_t step = line.at("step").as_int();
      const Json* reward = line.find("reward");
      if (reward != nullptr && step >= first && step <= last) sum += reward->as_double();
    }
    return sum / static_cast<double>(last - first + 1);
  }

  void expect_stops_change_nothing(const Config& config) {
    FaultEnv whole_env;
    const Outcome whole = run(whole_env, config);
    for (size_t stop = 1; stop < config.max_steps; ++stop) {
      FaultEnv env;
      ASSERT_TRUE(run(env, config, false, stop).result.stopped);
      env.crash();  // what a stop has saved is safe
      const Outcome rest = run(env, config, true);
      EXPECT_TRUE(rest.values == whole.values) << "stopped after " << stop;
      for (const char* name : {"steps.jsonl", "metrics.jsonl", "completions.jsonl"}) {
        const std::string path = std::string("runs/one/") + name;
        EXPECT_EQ(env.read_file(path, 1u << 30), whole_env.read_file(path, 1u << 30))
            << name << ", stopped after " << stop;
      }
    }
  }

  std::vector<llm::PromptTokens> prompts_ = prompts(10), eval_prompts_;
  reward::Functions rewards_;
  std::vector<Json> lines_, completions_;
};

}  // namespace hone::train::testing
