// Reward models against TRL's RewardTrainer in float64 (tests/golden/torch/README.md).
#include "train/reward.h"

#include <gtest/gtest.h>

#include <cmath>

#include "llm/score_head.h"
#include "train/reward_loss.h"
#include "train/testing.h"

namespace hone::train {
namespace {

using llm::Parameter;
using llm::testing::doubles_of;
using llm::testing::ints_of;
using llm::testing::kGolden;
using llm::testing::read_json;

TEST(RewardLoss, HasTrlsValueAndGradientsWithMarginAndCentring) {
  const Json golden = read_json(kGolden + "reward_losses.json");
  const Json::Array& table = golden.at("table").as_array();
  const std::vector<double> margins = doubles_of(golden.at("margins"));
  EXPECT_EQ(golden.at("cases").size(), 4u);
  for (const auto& [name, one] : golden.at("cases").as_object()) {
    const double n = static_cast<double>(table.size()), center = one.at("center").as_double();
    double total = 0;
    for (size_t i = 0; i < table.size(); ++i) {
      const std::vector<double> pair = doubles_of(table[i]);
      const double margin = one.at("margin").as_bool() ? margins[i] : 0;
      const RewardLoss loss = reward_loss(pair[0], pair[1], margin, 1, center);
      total += loss.value / n;
      const auto near = [&](double ours, const char* key) {
        const double wanted = one.at(key).as_array()[i].as_double();
        EXPECT_NEAR(ours / n, wanted, 1e-9 * (1e-6 + std::abs(wanted))) << name << " pair " << i;
      };
      near(loss.d_chosen, "d_chosen");
      near(loss.d_rejected, "d_rejected");
    }
    EXPECT_NEAR(total, one.at("loss").as_double(), 1e-9 * std::abs(total)) << name;
  }
}

TEST(RewardLoss, ADoubtfulLabelIsBothReadingsByTheirProbability) {
  for (double p : {0.0, 0.3, 0.5, 0.9, 1.0}) {
    const RewardLoss both = reward_loss(1.5, -0.5, 0.25, p, 0.01);
    const RewardLoss one = reward_loss(1.5, -0.5, 0.25, 1, 0.01);
    const RewardLoss other = reward_loss(-0.5, 1.5, 0.25, 1, 0.01);
    EXPECT_NEAR(both.value, p * one.value + (1 - p) * other.value, 1e-14);
    EXPECT_NEAR(both.d_chosen, p * one.d_chosen + (1 - p) * other.d_rejected, 1e-14);
    const double h = 1e-5;
    const auto at = [&](double c, double r) { return reward_loss(c, r, 0.25, p, 0.01).value; };
    EXPECT_NEAR((at(1.5 + h, -0.5) - at(1.5 - h, -0.5)) / (2 * h), both.d_chosen, 1e-9);
    EXPECT_NEAR((at(1.5, -0.5 + h) - at(1.5, -0.5 - h)) / (2 * h), both.d_rejected, 1e-9);
  }
}

std::vector<llm::PreferenceTokens> golden_pairs(const Json& golden) {
  std::vector<llm::PreferenceTokens> pairs;
  for (const Json& p : golden.at("pairs").as_array()) {
    pairs.push_back(testing::pair_of(ints_of(p.at("prompt_ids")), ints_of(p.at("chosen_ids")),
                                     ints_of(p.at("rejected_ids"))));
    if (golden.at("margin").as_bool()) pairs.back().margin = p.at("margin").as_double();
  }
  return pairs;
}

RewardConfig golden_config(const Json& golden) {
  const Json& o = golden.at("optimiser");
  RewardConfig config;
  config.learning_rate = o.at("learning_rate").as_double();
  config.weight_decay = o.at("weight_decay").as_double();
  config.max_grad_norm = o.at("max_grad_norm").as_double();
  config.warmup_steps = static_cast<size_t>(o.at("warmup_steps").as_int());
  config.max_steps = static_cast<size_t>(o.at("max_steps").as_int());
  config.train_sampling_strategy = SamplingStrategy::kSequential;
  config.center_rewards_coefficient = golden.at("center").as_double();
  return config;
}

// A summary of a tensor: its norm, and some entries.
void expect_summary(const Parameter& p, const Json& wanted, double norm, double entry_bound,
                    const std::function<double(size_t, size_t)>& at, const std::string& what) {
  EXPECT_NEAR(norm, wanted.at("norm").as_double(), 3e-5 * norm) << what;
  const std::vector<int32_t> places = ints_of(wanted.at("at"));
  const std::vector<double> values = doubles_of(wanted.at("values"));
  for (size_t i = 0; i < places.size(); ++i) {
    const auto flat = static_cast<size_t>(places[i]);
    EXPECT_NEAR(at(flat / p.cols, flat % p.cols), values[i], entry_bound) << what << " " << flat;
  }
}

// Five steps over one batch, as train/reward.cc takes them; names: of a parameter in the golden.
void expect_five_steps(llm::Model& model, llm::LoraAdapter* adapter, llm::Trainable& trainable,
                       tensor::Compute& compute, const Json& golden,
                       const std::function<std::string(const std::string&)>& name) {
  const RewardConfig config = golden_config(golden);
  const std::vector<llm::PreferenceTokens> pairs = golden_pairs(golden);
  Optimizer optimizer(compute, trainable, config);
  llm::TrainingPass pass(compute, model, adapter, 512, {});
  std::vector<llm::TreeExample> batch;
  for (const auto& pair : pairs) batch.push_back(pair.score_tree(true));
  const double n = static_cast<double>(pairs.size());
  double rates = 0;
  for (size_t s = 1; s <= 5; ++s) {
    const Json& step = golden.at("steps").as_array()[s - 1];
    const std::string what = "step " + std::to_string(s) + " ";
    const std::vector<double> chosen = doubles_of(step.at("chosen"));
    const std::vector<double> rejected = doubles_of(step.at("rejected"));
    double total = 0;
    accumulate_gradients(
        pass, optimizer, batch,
        [&](size_t i, const llm::TreeResult& result, std::span<float> coefficients) {
          const double c = static_cast<double>(result.log_probs[0]);
          const double r = static_cast<double>(result.log_probs[1]);
          EXPECT_NEAR(c, chosen[i], 2e-5) << what;
          EXPECT_NEAR(r, rejected[i], 2e-5) << what;
          const RewardLoss loss =
              reward_loss(c, r, pairs[i].margin, 1, config.center_rewards_coefficient);
          total += loss.value / n;
          coefficients[0] = static_cast<float>(loss.d_chosen);
          coefficients[1] = static_cast<float>(loss.d_rejected);
        },
        s);
    EXPECT_NEAR(total, step.at("loss").as_double(), 1e-5 * (1 + total)) << what;
    if (s == 1) {
      EXPECT_EQ(golden.at("gradients").size(), trainable.parameters.size());
      for (const Parameter& p : trainable.parameters) {
        const double norm = llm::testing::gradient_norm(p) / n;
        expect_summary(
            p, golden.at("gradients").at(name(p.name)), norm, 1e-5 * norm + 1e-9,
            [&](size_t r, size_t c) { return llm::testing::gradient_at(p, r, c) / n; },
            what + p.name);
      }
    }
    const double rate = config.learning_rate * schedule_multiplier(config, s, 5);
    const double wanted_norm = step.at("grad_norm").as_double();
    EXPECT_NEAR(optimizer.apply(n, rate, s).grad_norm, wanted_norm, 5e-5 * wanted_norm) << what;
    rates += rate;
    for (const Parameter& p : trainable.parameters) {
      expect_summary(
          p, step.at("weights").at(name(p.name)), llm::testing::value_norm(p), 0.02 * rates + 1e-7,
          [&](size_t r, size_t c) {
            return static_cast<double>(p.values[llm::testing::place_of(p, r, c)]);
          },
          what + p.name);
    }
  }
}

TEST(GoldenReward, FiveStepsOfTheWholeModelFollowTrl) {
  tensor::Compute compute(2);
  const Json golden = read_json(kGolden + "reward_full.json");
  llm::Model model = llm::testing::load_golden(compute, "llama_tied");
  llm::make_trainable(compute, model);
  model.score = llm::zero_score_head(model.config.hidden_size);
  std::vector<float> head;
  for (double value : doubles_of(golden.at("score"))) head.push_back(static_cast<float>(value));
  model.score.write_row(0, head.data());
  llm::Trainable trainable = llm::full_parameters(model, false);
  expect_five_steps(model, nullptr, trainable, compute, golden,
                    [](const std::string& name) { return name; });
}

TEST(GoldenReward, FiveStepsOfAnAdapterWithItsHeadFollowTrlAndPeft) {
  tensor::Compute compute(2);
  const Json golden = read_json(kGolden + "reward_lora.json");
  llm::Model model = llm::testing::load_golden(compute, "llama_tied");
  llm::LoraAdapter adapter = llm::load_lora(model, kGolden + golden.at("adapter").as_string());
  llm::Trainable trainable = llm::lora_parameters(model, adapter);
  expect_five_steps(model, &adapter, trainable, compute, golden,
                    [](const std::string& name) { return "base_model.model." + name; });
}

RewardConfig small_config(size_t lora_r) {
  RewardConfig config;
  config.lora_r = lora_r;
  config.learning_rate = 1e-2;
  config.max_steps = 6;
  config.per_device_train_batch_size = 3;
  config.logging_steps = 1;
  config.eval_steps = 3;
  config.save_steps = 2;
  config.center_rewards_coefficient = 0.01;
  return config;
}

TEST(TrainReward, LearnsItsPairsAndLogsTrlsNames) {
  tensor::Compute compute(2);
  const llm::testing::TemporaryFolder folder("reward_run");
  llm::Model model = llm::testing::random_model({});
  RewardConfig config = small_config(0);
  config.max_steps = 25;
  config.per_device_train_batch_size = 8;
  config.lr_scheduler_type = Scheduler::kConstant;
  config.learning_rate = 3e-3;
  TrainJob job{compute, real_env(), model, folder.path() + "/run"};
  const std::vector<llm::PreferenceTokens> rows = testing::pairs(8, 96);
  EXPECT_EQ(train_reward(job, config, rows, testing::pairs(3, 96)).steps, 25u);
  EXPECT_TRUE(model.config.score_head);
  const std::vector<Json> lines = testing::lines_of(real_env(), job.output + "/metrics.jsonl");
  const auto train_line = [&](bool last) {
    const Json* found = nullptr;
    for (const Json& line : lines) {
      if (line.find("loss") == nullptr) continue;
      if (found == nullptr || last) found = &line;
    }
    return *found;
  };
  const Json first = train_line(false), end = train_line(true);
  EXPECT_LT(end.at("loss").as_double(), 0.6 * first.at("loss").as_double());
  EXPECT_EQ(end.at("accuracy").as_double(), 1);
  EXPECT_GT(end.at("margin").as_double(), 0.5);
  for (const char* key : {"min_reward", "mean_reward", "max_reward", "num_tokens", "grad_norm"}) {
    EXPECT_NE(end.find(key), nullptr) << key;
  }
  EXPECT_LE(end.at("min_reward").as_double(), end.at("mean_reward").as_double());
  EXPECT_LE(end.at("mean_reward").as_double(), end.at("max_reward").as_double());
  const Json& eval = lines[lines.size() - 1];
  for (const char* key : {"eval_loss", "eval_accuracy", "eval_margin", "eval_num_tokens"}) {
    EXPECT_NE(eval.find(key), nullptr) << key;
  }
}

TEST(TrainReward, AStopAndResumeAndAnyCutGiveTheSameBits) {
  for (size_t lora_r : {0u, 2u}) {
    std::string wanted;
    for (const auto& [stop_after, rows_per_pass, threads] :
         {std::tuple<size_t, size_t, size_t>{0, 512, 1}, {1, 512, 2}, {4, 1, 3}}) {
      tensor::Compute compute(threads);
      const llm::testing::TemporaryFolder folder("reward_resume");
      RewardConfig config = small_config(lora_r);
      config.max_tokens_per_pass = rows_per_pass;
      const std::vector<llm::PreferenceTokens> rows = testing::pairs(8, 96);
      for (bool resume : {false, true}) {
        if (resume && stop_after == 0) continue;
        llm::Model model = llm::testing::random_model({});
        testing::StoppedJob job(compute, real_env(), model, folder.path() + "/run", resume,
                                resume ? 0 : stop_after);
        train_reward(job, config, rows, {});
      }
      const std::string steps = real_env().read_file(folder.path() + "/run/steps.jsonl", 1u << 20);
      if (wanted.empty()) wanted = steps;
      EXPECT_EQ(steps, wanted) << "lora " << lora_r << " stop " << stop_after;
      EXPECT_EQ(std::count(steps.begin(), steps.end(), '\n'), 6);
    }
  }
}

TEST(TrainReward, WeightAndProbabilityOfARowCount) {
  const auto loss_of = [](double weight, double probability) {
    tensor::Compute compute(1);
    const llm::testing::TemporaryFolder folder("reward_weight");
    llm::Model model = llm::testing::random_model({});
    std::vector<llm::PreferenceTokens> rows = testing::pairs(2, 96);
    for (auto& row : rows) row.weight = row.probability = 1;
    rows[1].weight = weight;
    rows[0].probability = probability;
    RewardConfig config = small_config(0);
    config.max_steps = 1;
    config.per_device_train_batch_size = 2;
    TrainJob job{compute, real_env(), model, folder.path() + "/run"};
    train_reward(job, config, rows, {});
    return testing::lines_of(real_env(), job.output + "/metrics.jsonl")[0].at("loss").as_double();
  };
  EXPECT_NE(loss_of(1, 1), loss_of(0, 1));
  EXPECT_NE(loss_of(0, 1), loss_of(0, 0.25));
}

TEST(StepLoss, IsTrlsCrossEntropyOverTwoClasses) {
  for (double score : {-3.0, -0.25, 0.0, 1.5}) {
    for (bool right : {false, true}) {
      const StepLoss loss = step_loss(score, right);
      // log softmax of the logits (0, score).
      const double log_sum = std::log(1 + std::exp(score));
      EXPECT_NEAR(loss.value, log_sum - (right ? score : 0), 1e-12);
      const double h = 1e-6;
      EXPECT_NEAR((step_loss(score + h, right).value - step_loss(score - h, right).value) / (2 * h),
                  loss.slope, 1e-9);
    }
  }
}

TEST(TrainProcessReward, LearnsWhichStepsAreRight) {
  tensor::Compute compute(2);
  const llm::testing::TemporaryFolder folder("process_reward");
  llm::Model model = llm::testing::random_model({});
  Rng rng(8, rng_stream("steps"));
  std::vector<llm::StepTokens> rows(6);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].tokens = llm::testing::random_tokens(rng, 20 + i, 96);
    rows[i].ends = {7, 12, static_cast<uint32_t>(19 + i)};
    rows[i].labels = {1, static_cast<uint8_t>(i % 2), 0};
    rows[i].weight = i == 5 ? 0.5 : 1;
  }
  RewardConfig config = small_config(0);
  config.process = true;
  config.max_steps = 40;
  config.per_device_train_batch_size = 6;
  config.lr_scheduler_type = Scheduler::kConstant;
  config.learning_rate = 3e-3;
  TrainJob job{compute, real_env(), model, folder.path() + "/run"};
  train_process_reward(job, config, rows, rows);
  const std::vector<Json> lines = testing::lines_of(real_env(), job.output + "/metrics.jsonl");
  EXPECT_NEAR(lines.front().at("loss").as_double(), std::log(2.0), 0.5);
  EXPECT_EQ(lines.back().at("eval_accuracy").as_double(), 1);
  EXPECT_LT(lines.back().at("eval_loss").as_double(), 0.3);
}

TEST(RewardPairs, APairThatIsTooLongIsLeftOutAndCounted) {
  const std::vector<llm::PreferenceTokens> all = {testing::pair_of({1, 2, 3}, {4, 5}, {6}),
                                                  testing::pair_of({1, 2, 3}, {4}, {5, 6, 7})};
  EXPECT_EQ(reward_pairs(all, 6).pairs.size(), 2u);
  const RewardPairs kept = reward_pairs(all, 5);
  EXPECT_EQ(kept.pairs.size(), 1u);
  EXPECT_EQ(kept.too_long, 1u);
  EXPECT_EQ(kept.pairs[0].chosen.size(), 2u);
  EXPECT_EQ(reward_pairs(all, 0).too_long, 0u);
}

}  // namespace
}  // namespace hone::train
