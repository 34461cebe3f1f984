// PPO on tiny models: it learns, it goes on where it stopped to the bit, and its first step is
// exactly on the policy that spoke.
#include "train/ppo.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/fault_env.h"
#include "llm/score_head.h"
#include "llm/tree_scoring.h"
#include "train/checkpoint.h"
#include "train/leader_env.h"
#include "train/testing_online.h"
#include "train/testing_ranks.h"

namespace hone::train {
namespace {

using testing::EvenTokens;
using testing::prompts;
using testing::small_shape;

class Nothing : public EvenTokens {
 public:
  std::vector<std::optional<double>> score(std::span<const reward::Sample> samples) override {
    return std::vector<std::optional<double>>(samples.size());
  }
};

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

// What a run may have beside the policy.
struct Beside {
  ValueStart* value = nullptr;
  std::string digest;  // of the value model
  Communicator* ranks = nullptr;
};

class Ppo : public ::testing::Test {
 protected:
  struct Outcome {
    std::vector<std::vector<float>> values;
    TrainResult result;
    bool has_score_head = false;
  };
  // One run on a fresh model; stop_after: asked to stop behind that step (0: never).
  Outcome run(Env& env, const PpoConfig& config, bool resume = false, size_t stop_after = 0,
              size_t threads = 1, const Beside& beside = {}) {
    tensor::Compute compute(threads);
    llm::Model model = llm::testing::random_model(small_shape());
    llm::Model reference = llm::testing::random_model(small_shape());
    testing::StoppedJob job(compute, env, model, "runs/one", resume, stop_after);
    job.ranks = beside.ranks;
    if (beside.value != nullptr) job.manifest.digests["value_model"] = beside.digest;
    Outcome out;
    const OnlineData data{prompts_, no_prompts_,
                          rewards_, nullptr,
                          {0, 1},   config.beta > 0 && config.lora_r == 0 ? &reference : nullptr};
    out.result = train_ppo(job, config, data, beside.value);
    out.has_score_head = model.score.rows() > 0 || model.config.score_head ||
                         (out.result.adapter && out.result.adapter->score.rows() > 0);
    out.values = testing::trained_values(model, out.result);
    if (beside.ranks == nullptr) lines_ = testing::lines_of(env, "runs/one/metrics.jsonl");
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

// The value model apart: of another size than the policy, and as a reward model with a head.
class PpoApart : public Ppo {
 protected:
  enum class Start { kBase, kRewardModel, kAdapter };

  static llm::testing::TinyShape value_shape() {
    llm::testing::TinyShape shape = small_shape();
    shape.layers = 2;
    shape.intermediate = 40;
    return shape;
  }
  static llm::Model value_model(Start start) {
    llm::Model model = llm::testing::random_model(value_shape(), 11);
    if (start == Start::kRewardModel) {
      model.score = llm::new_score_head(model.config.hidden_size, 5);
      model.config.score_head = true;
    }
    return model;
  }
  static PpoConfig apart(size_t lora_r) {
    PpoConfig config = small_config(lora_r);
    config.value_model = true;
    config.value_learning_rate = 3e-2;
    return config;
  }

  Outcome run_apart(Env& env, const PpoConfig& config, Start from = Start::kRewardModel,
                    bool resume = false, size_t stop_after = 0, size_t threads = 1,
                    Communicator* ranks = nullptr, const std::string& digest = "one") {
    llm::Model value = value_model(from);
    ValueStart start{value, std::nullopt};
    if (from == Start::kAdapter) {
      start.adapter = llm::testing::random_adapter(value, 3);
      start.adapter->score = llm::new_score_head(value.config.hidden_size, 6);
    }
    return run(env, config, resume, stop_after, threads, {&start, digest, ranks});
  }
};

TEST_F(PpoApart, AStopAtAnyStepChangesNoBitOfTheRest) {
  for (size_t lora_r : {0u, 2u}) {
    PpoConfig config = apart(lora_r);
    config.value_warmup_steps = 2;
    config.kl_target = 0.5;
    for (Start from : {Start::kRewardModel, Start::kAdapter}) {
      FaultEnv whole_env;
      const Outcome whole = run_apart(whole_env, config, from);
      ASSERT_EQ(whole.result.steps, 9u);
      EXPECT_FALSE(whole.has_score_head);  // final/ holds the policy
      for (size_t stop : {1u, 2u, 3u, 4u, 6u, 8u}) {
        FaultEnv env;
        ASSERT_TRUE(run_apart(env, config, from, false, stop).result.stopped);
        env.crash();
        const Outcome rest = run_apart(env, config, from, true, 0, 2);
        EXPECT_TRUE(rest.values == whole.values) << "lora " << lora_r << " stopped after " << stop;
        for (const char* name : {"steps.jsonl", "metrics.jsonl"}) {
          const std::string path = std::string("runs/one/") + name;
          EXPECT_EQ(env.read_file(path, 1u << 20), whole_env.read_file(path, 1u << 20)) << stop;
        }
        const std::string state = "runs/one/checkpoints/step-000009/value.safetensors";
        EXPECT_EQ(env.read_file(state, 1u << 24), whole_env.read_file(state, 1u << 24)) << stop;
      }
    }
  }
}

TEST_F(PpoApart, CutsThreadsRecomputeAndRanksChangeNoBit) {
  for (size_t lora_r : {0u, 2u}) {
    PpoConfig config = apart(lora_r);
    FaultEnv first_env;
    const Outcome first = run_apart(first_env, config);
    const std::string steps = first_env.read_file("runs/one/steps.jsonl", 1u << 20);
    PpoConfig cut = config;
    cut.max_tokens_per_pass = 1;
    cut.rollout_batch_size = 3;
    cut.recompute = true;
    FaultEnv env;
    EXPECT_TRUE(run_apart(env, cut, Start::kRewardModel, false, 0, 3).values == first.values);
    EXPECT_EQ(env.read_file("runs/one/steps.jsonl", 1u << 20), steps);
    FaultEnv world;
    const auto errors = testing::on_ranks(2, [&](Communicator& ranks) {
      FaultEnv nobodys;
      LeaderEnv shared(ranks.leads() ? world : nobodys, ranks);
      EXPECT_TRUE(run_apart(shared, config, Start::kRewardModel, false, 0, 1, &ranks).values ==
                  first.values);
    });
    EXPECT_EQ(errors, std::vector<std::string>(2));
    EXPECT_EQ(world.read_file("runs/one/steps.jsonl", 1u << 20), steps);
    EXPECT_EQ(world.read_file("runs/one/checkpoints/step-000009/value.safetensors", 1u << 24),
              first_env.read_file("runs/one/checkpoints/step-000009/value.safetensors", 1u << 24));
  }
}

// The policy hears of its values only through advantages. With equal values - a value model that is
// the policy, both heads 0, and the policy's loss told apart by vf_coef 0 - it learns the same.
TEST_F(PpoApart, AValueModelThatSaysWhatTheHeadSaysTeachesThePolicyTheSame) {
  for (size_t lora_r : {0u, 2u}) {
    PpoConfig shared = small_config(lora_r);
    shared.vf_coef = 0;
    shared.max_grad_norm = 0;
    FaultEnv env;
    const Outcome own = run(env, shared);
    const std::vector<Json> own_lines = lines_;
    PpoConfig config = shared;
    config.value_model = true;
    FaultEnv beside;
    const Outcome apart = run_apart(beside, config, Start::kBase);
    EXPECT_TRUE(apart.values == own.values);
    for (size_t s = 0; s < lines_.size(); ++s) {
      for (const char* key : {"loss", "grad_norm", "loss/value_avg", "loss/policy_avg"}) {
        EXPECT_EQ(metric(lines_[s], key), metric(own_lines[s], key)) << key << " " << s;
      }
      EXPECT_EQ(metric(lines_[s], "value/grad_norm"), 0);
    }
  }
}

// One step of the value model, done again here: its values, the loss of every slot, d loss / d head by
// finite differences of what the values would be, and AdamW's first update.
TEST_F(PpoApart, TheHeadsFirstUpdateIsThatOfTheValueLoss) {
  PpoConfig config = apart(2);
  config.num_mini_batches = 1;
  config.max_steps = 1;
  config.max_grad_norm = 0;
  config.beta = 0;
  config.gamma = 0.9;
  config.complete();
  FaultEnv env;
  run_apart(env, config);

  // What was said and earned stands in completions.jsonl; ids are not there, so the same run is asked
  // with a reward that listens.
  struct Heard : EvenTokens {
    std::vector<std::vector<int32_t>> prompts, answers;
    std::vector<bool> ended;
    std::vector<std::optional<double>> score(std::span<const reward::Sample> samples) override {
      for (const reward::Sample& s : samples) {
        prompts.emplace_back(s.prompt_ids.begin(), s.prompt_ids.end());
        answers.emplace_back(s.completion_ids.begin(), s.completion_ids.end());
        ended.push_back(s.ended);
      }
      return EvenTokens::score(samples);
    }
  };
  auto listens = std::make_unique<Heard>();
  Heard& heard = *listens;
  rewards_.clear();
  rewards_.push_back(std::move(listens));
  FaultEnv again;
  run_apart(again, config);
  ASSERT_EQ(heard.answers.size(), 4u);

  // The final norm's output at every slot, by the forward alone.
  tensor::Compute compute(1);
  const llm::Model value = value_model(Start::kRewardModel);
  const size_t hidden = value.config.hidden_size;
  llm::TrainingPass pass(compute, value, nullptr, 256, {});
  struct Slot {
    std::vector<float> hidden;
    double value = 0, target = 0;
  };
  std::vector<float> head(hidden);
  value.score.read_row(0, head.data());
  std::vector<Slot> slots;
  for (size_t i = 0; i < heard.answers.size(); ++i) {
    std::vector<int32_t> ids = heard.prompts[i];
    ids.insert(ids.end(), heard.answers[i].begin(), heard.answers[i].end());
    const size_t tokens = heard.answers[i].size();
    const size_t count = tokens + (tokens < config.max_completion_length ? 1 : 0);
    llm::TreeExample tree{llm::make_sequence(ids), {}};
    for (size_t t = 0; t < count; ++t) {
      const auto at = static_cast<uint32_t>(heard.prompts[i].size() - 1 + t);
      tree.targets.push_back({0, at, false, true});
    }
    std::vector<Slot> mine(count);
    llm::score_trees(pass, std::span(&tree, 1), [&](size_t, const llm::TreeResult& result) {
      for (size_t t = 0; t < count; ++t) {
        const auto state = result.hidden[t].value;
        mine[t].hidden.assign(state.begin(), state.end());
        for (size_t k = 0; k < hidden; ++k) {
          mine[t].value += static_cast<double>(state[k]) * static_cast<double>(head[k]);
        }
      }
    });
    // Returns by their definition: sum of (gamma lam)^k of the deltas, and the value.
    double even = 0;
    for (int32_t id : heard.answers[i]) even += id % 2 == 0 ? 1 : 0;
    for (size_t t = 0; t < count; ++t) {
      double advantage = 0, share = 1;
      for (size_t u = t; u < count; ++u) {
        const double reward = u + 1 == count ? even / static_cast<double>(tokens) : 0;
        const double next = u + 1 < count ? mine[u + 1].value : 0;
        advantage += share * (reward + config.gamma * next - mine[u].value);
        share *= config.gamma * config.lam;
      }
      mine[t].target = advantage + mine[t].value;
    }
    slots.insert(slots.end(), mine.begin(), mine.end());
  }
  const auto loss_of = [&](const std::vector<double>& with) {
    double sum = 0;
    for (const Slot& slot : slots) {
      double now = 0;
      for (size_t k = 0; k < hidden; ++k) now += static_cast<double>(slot.hidden[k]) * with[k];
      const double kept =
          std::clamp(now, slot.value - config.cliprange_value, slot.value + config.cliprange_value);
      sum += 0.5 * std::max((now - slot.target) * (now - slot.target),
                            (kept - slot.target) * (kept - slot.target));
    }
    return sum / static_cast<double>(slots.size());
  };
  std::vector<double> at(head.begin(), head.end());
  EXPECT_NEAR(metric(lines_[0], "loss/value_avg"), loss_of(at), 1e-6);

  // exp_avg behind the first step is (1 - beta1) times the gradient.
  const std::string state = "runs/one/checkpoints/step-000001/value.safetensors";
  llm::LoraAdapter adapter = llm::testing::random_adapter(value, 2);
  adapter.score = llm::zero_score_head(hidden);
  llm::Trainable trainable = llm::lora_parameters(value, adapter);
  Optimizer optimizer(compute, trainable, config);
  EXPECT_EQ(read_checkpoint(env, state, optimizer).step, 1u);
  const auto& moment = optimizer.state()[static_cast<size_t>(trainable.score)];
  double largest = 0;
  for (size_t k = 0; k < hidden; ++k) {
    constexpr double kStep = 1e-5;
    std::vector<double> up = at, down = at;
    up[k] += kStep;
    down[k] -= kStep;
    const double gradient = config.vf_coef * (loss_of(up) - loss_of(down)) / (2 * kStep);
    // Panels: row 0 stands at every 16th value.
    EXPECT_NEAR(static_cast<double>(moment.m[k * 16]), 0.1 * gradient, 1e-6) << k;
    largest = std::max(largest, std::abs(gradient));
  }
  EXPECT_GT(largest, 1e-2);
}

TEST_F(PpoApart, WarmingUpLeavesThePolicyAsItIs) {
  PpoConfig config = apart(0);
  config.max_steps = 3;
  config.value_warmup_steps = 3;
  config.weight_decay = 0.1;
  FaultEnv env;
  llm::Model untouched = llm::testing::random_model(small_shape());
  EXPECT_TRUE(run_apart(env, config).values == testing::model_values(untouched));
  EXPECT_EQ(metric(lines_[2], "grad_norm"), 0);
  EXPECT_GT(metric(lines_[2], "value/grad_norm"), 0);
  EXPECT_EQ(metric(lines_[2], "value/learning_rate"), 3e-2);
  EXPECT_EQ(metric(lines_[2], "policy/clipfrac_avg"), 0);
}

TEST_F(PpoApart, AnotherValueModelOrNoneIsRefusedByName) {
  const PpoConfig config = apart(2);
  FaultEnv env;
  run_apart(env, config, Start::kBase, false, 2);
  const std::string other = llm::testing::refusal(
      [&] { run_apart(env, config, Start::kBase, true, 0, 1, nullptr, "two"); });
  EXPECT_NE(other.find("value_model"), std::string::npos) << other;
  PpoConfig rate = config;
  rate.value_learning_rate = 1e-3;
  EXPECT_NE(llm::testing::refusal([&] {
              run_apart(env, rate, Start::kBase, true);
            }).find("value_learning_rate"),
            std::string::npos);
  // A checkpoint that lost the value model's half.
  env.remove_all("runs/one/checkpoints/step-000002/value.safetensors");
  const std::string half =
      llm::testing::refusal([&] { run_apart(env, config, Start::kBase, true); });
  EXPECT_NE(half.find("step-000002 has no value.safetensors"), std::string::npos) << half;
}

TEST(ValueModel, ThatReadsOtherTokensOrTooFewIsRefused) {
  llm::ModelConfig policy, value;
  policy.vocab_size = 32;
  policy.context_length = 512;
  value = policy;
  const auto said = [&](size_t longest) {
    return llm::testing::refusal([&] { check_value_model(policy, value, longest); });
  };
  EXPECT_EQ(said(4000), "accepted");  // an answer ends where the policy's context does
  value.context_length = 100;
  EXPECT_EQ(said(100), "accepted");
  EXPECT_NE(said(101).find("reads 100 tokens at most"), std::string::npos);
  value.vocab_size = 33;
  EXPECT_NE(said(10).find("the policy's vocabulary"), std::string::npos);
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
  EXPECT_NE(said([](PpoConfig& c) { c.value_learning_rate = 1; }).find("--value-model"),
            std::string::npos);
  EXPECT_NE(said([](PpoConfig& c) {
              c.value_model = true;
              c.value_learning_rate = 0;
            }).find("--value-learning-rate must"),
            std::string::npos);
  PpoConfig apart = small_config(4);
  apart.value_model = true;
  EXPECT_EQ(ppo_config_from_json(apart.to_json()).to_json().dump(), apart.to_json().dump());
  apart.value_learning_rate = 9e-6;
  EXPECT_EQ(ppo_config_from_json(apart.to_json()).to_json().dump(), apart.to_json().dump());
  PpoConfig config = small_config(4);
  config.kl_estimator = KlEstimator::kK3;
  config.missing_eos_penalty = 1;
  EXPECT_EQ(ppo_config_from_json(config.to_json()).to_json().dump(), config.to_json().dump());
}

}  // namespace
}  // namespace hone::train
