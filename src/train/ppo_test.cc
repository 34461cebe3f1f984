// PPO on tiny models: it learns, it goes on where it stopped to the bit, and its first step is
// exactly on the policy that spoke.
#include "train/ppo.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/fault_env.h"
#include "train/testing_online.h"

namespace hone::train {
namespace {

using testing::EvenTokens;
using testing::prompts;

class Nothing : public EvenTokens {
 public:
  std::vector<std::optional<double>> score(std::span<const reward::Sample> samples) override {
    return std::vector<std::optional<double>>(samples.size());
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

PpoConfig small_config(size_t lora_r) {
  PpoConfig config;
  config.lora_r = lora_r;
  config.learning_rate = 1e-2;
  config.lr_scheduler_type = Scheduler::kConstant;
  config.per_device_train_batch_size = 4;
  config.num_mini_batches = 2;
  config.num_iterations = 2;
  config.max_completion_length = 6;
  config.max_steps = 9;  // two generations of four steps, and one of a third
  config.logging_steps = 1;
  config.save_steps = 3;
  config.vf_coef = 0.5;
  config.rewards = {"even"};
  config.complete();
  return config;
}

class Ppo : public ::testing::Test {
 protected:
  struct Outcome {
    std::vector<std::vector<float>> values;
    TrainResult result;
    bool has_score_head = false;
  };
  // One run on a fresh model; stop_after: asked to stop behind that step (0: never).
  Outcome run(Env& env, const PpoConfig& config, bool resume = false, size_t stop_after = 0,
              size_t threads = 1) {
    tensor::Compute compute(threads);
    llm::Model model = llm::testing::random_model(small_shape());
    llm::Model reference = llm::testing::random_model(small_shape());
    std::atomic<bool> stop{stop_after == 1};
    TrainJob job{compute, env, model, "runs/one", resume, false, {}, {}, &stop};
    size_t steps = 0;
    job.progress = [&](const StepReport&) { stop = ++steps + 1 == stop_after; };
    Outcome out;
    const OnlineData data{prompts_, no_prompts_,
                          rewards_, nullptr,
                          {0, 1},   config.beta > 0 && config.lora_r == 0 ? &reference : nullptr};
    out.result = train_ppo(job, config, data);
    out.has_score_head = model.score.rows() > 0 || model.config.score_head ||
                         (out.result.adapter && out.result.adapter->score.rows() > 0);
    out.values = config.lora_r == 0 ? testing::model_values(model)
                                    : testing::adapter_values(model, *out.result.adapter);
    lines_ = testing::lines_of(env, "runs/one/metrics.jsonl");
    return out;
  }
  Ppo() { rewards_.push_back(std::make_unique<EvenTokens>()); }

  std::vector<llm::PromptTokens> prompts_ = prompts(12), no_prompts_;
  reward::Functions rewards_;
  std::vector<Json> lines_;
};

double metric(const Json& line, const char* key) { return line.at(key).as_double(); }

TEST_F(Ppo, RaisesTheScoreAndSpeaksTrlsNames) {
  PpoConfig config = small_config(0);
  config.max_steps = 80;
  config.per_device_train_batch_size = 8;
  config.num_mini_batches = 1;
  config.num_iterations = 4;
  config.beta = 0.01;
  config.complete();
  FaultEnv env;
  const Outcome out = run(env, config);
  EXPECT_FALSE(out.has_score_head);
  EXPECT_GT(metric(lines_.back(), "objective/scores"),
            metric(lines_.front(), "objective/scores") + 0.15);
  for (const char* key :
       {"objective/kl", "objective/entropy", "objective/non_score_reward", "objective/rlhf_reward",
        "policy/approxkl_avg", "policy/clipfrac_avg", "policy/entropy_avg", "loss/policy_avg",
        "loss/value_avg", "val/clipfrac_avg", "val/ratio", "val/ratio_var", "val/num_eos_tokens",
        "episode", "rewards/even/mean"}) {
    EXPECT_NE(lines_.back().find(key), nullptr) << key;
  }
  // At the first step on a generation the policy is the one that spoke: ratio 1, no clip, and whitened
  // advantages sum to 0.
  for (size_t s = 0; s < lines_.size(); s += 4) {
    EXPECT_EQ(metric(lines_[s], "sampling/sampling_logp_difference/max"), 0);
    EXPECT_EQ(metric(lines_[s], "val/ratio"), 1);
    EXPECT_EQ(metric(lines_[s], "policy/clipfrac_avg"), 0);
    EXPECT_NEAR(metric(lines_[s], "loss/policy_avg"), 0, 1e-9);
  }
  EXPECT_NE(metric(lines_[3], "val/ratio"), 1);
  EXPECT_EQ(metric(lines_.front(), "objective/kl"), 0);
  EXPECT_NE(metric(lines_.back(), "objective/kl"), 0);
}

TEST_F(Ppo, AStopAtAnyStepChangesNoBitOfTheRest) {
  for (size_t lora_r : {0u, 2u}) {
    PpoConfig config = small_config(lora_r);
    config.kl_target = 0.5;
    config.missing_eos_penalty = 0.25;
    config.whiten_rewards = lora_r == 0;
    FaultEnv whole_env;
    const Outcome whole = run(whole_env, config);
    ASSERT_EQ(whole.result.steps, 9u);
    const std::string steps = whole_env.read_file("runs/one/steps.jsonl", 1u << 20);
    const std::string metrics = whole_env.read_file("runs/one/metrics.jsonl", 1u << 20);
    for (size_t stop = 1; stop <= 8; ++stop) {
      FaultEnv env;
      ASSERT_TRUE(run(env, config, false, stop).result.stopped);
      const Outcome rest = run(env, config, true, 0, 2);
      EXPECT_TRUE(rest.values == whole.values) << "lora " << lora_r << " stopped after " << stop;
      EXPECT_EQ(env.read_file("runs/one/steps.jsonl", 1u << 20), steps) << stop;
      EXPECT_EQ(env.read_file("runs/one/metrics.jsonl", 1u << 20), metrics) << stop;
    }
  }
}

TEST_F(Ppo, CutsAndThreadsChangeNoBit) {
  PpoConfig config = small_config(0);
  FaultEnv first_env;
  const Outcome first = run(first_env, config);
  config.max_tokens_per_pass = 1;
  config.rollout_batch_size = 3;
  config.recompute = true;
  FaultEnv env;
  EXPECT_TRUE(run(env, config, false, 0, 3).values == first.values);
}

TEST_F(Ppo, SeveralAnswersToAPromptShareItsRows) {
  PpoConfig config = small_config(0);
  config.num_generations = 2;
  config.per_device_train_batch_size = 8;
  config.complete();
  FaultEnv env;
  run(env, config);
  EXPECT_EQ(metric(lines_[0], "sampling/sampling_logp_difference/max"), 0);
  config.prefix_sharing = false;
  FaultEnv apart;
  const double shared = metric(lines_[0], "loss/value_avg");
  run(apart, config);
  EXPECT_NEAR(metric(lines_[0], "loss/value_avg"), shared, 1e-9);
  EXPECT_NEAR(metric(lines_[3], "objective/scores"), metric(lines_[0], "objective/scores"), 1e-12);
}

TEST_F(Ppo, WarmingUpTeachesTheValueHeadAlone) {
  PpoConfig config = small_config(2);
  config.max_steps = 1;
  config.value_warmup_steps = 1;
  FaultEnv env;
  const Outcome warm = run(env, config);
  // The head starts at 0, so the layers get no gradient from it yet: B stays 0.
  for (size_t i = 0; i < warm.values.size(); ++i) {
    // A, B, A, B, ...: every B is as it began.
    if (i % 2 == 0) continue;
    for (float value : warm.values[i]) ASSERT_EQ(value, 0.0f);
  }
  config.value_warmup_steps = 0;
  FaultEnv cold_env;
  const Outcome cold = run(cold_env, config);
  EXPECT_FALSE(cold.values == warm.values);
}

TEST_F(Ppo, ARewardWithoutAValueIsRefusedWithItsRow) {
  rewards_.clear();
  rewards_.push_back(std::make_unique<Nothing>());
  FaultEnv env;
  const std::string said = llm::testing::refusal([&] { run(env, small_config(0)); });
  EXPECT_NE(said.find("prompts.jsonl:"), std::string::npos) << said;
  EXPECT_NE(said.find("PPO needs one for every answer"), std::string::npos) << said;
}

TEST(PpoConfig, WrongNumbersAreNamedAndSettingsComeBack) {
  const auto said = [](const std::function<void(PpoConfig&)>& change) {
    PpoConfig config = small_config(0);
    change(config);
    return llm::testing::refusal([&] { validate(config); });
  };
  EXPECT_EQ(said([](PpoConfig&) {}), "accepted");
  EXPECT_NE(said([](PpoConfig& c) { c.gamma = 1.5; }).find("--gamma"), std::string::npos);
  EXPECT_NE(said([](PpoConfig& c) { c.cliprange = 0; }).find("--cliprange"), std::string::npos);
  EXPECT_NE(said([](PpoConfig& c) { c.kl_target = -1; }).find("--kl-target"), std::string::npos);
  EXPECT_NE(said([](PpoConfig& c) { c.missing_eos_penalty = 0; }).find("--missing-eos-penalty"),
            std::string::npos);
  EXPECT_NE(said([](PpoConfig& c) { c.steps_per_generation = 7; }).find("--steps-per-generation"),
            std::string::npos);
  PpoConfig config = small_config(4);
  config.kl_estimator = KlEstimator::kK3;
  config.missing_eos_penalty = 1;
  EXPECT_EQ(ppo_config_from_json(config.to_json()).to_json().dump(), config.to_json().dump());
}

}  // namespace
}  // namespace hone::train
