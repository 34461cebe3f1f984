// Answers that were recorded: whole runs on them against TRL's own losses
// (tests/golden/train/online_runs.json), and what is wrong with a file is said with its row.
#include "train/recorded_rollouts.h"

#include <gtest/gtest.h>

#include <cmath>

#include "train/testing_online.h"

namespace hone::train {
namespace {

using llm::testing::read_json;

std::vector<data::Row> rows_of(const Json& rollouts) {
  std::vector<data::Row> rows;
  for (const Json& one : rollouts.as_array()) {
    const data::RowKind kinds[] = {data::RowKind::kTokenizedCompletion};
    rows.push_back(data::row_from_json(one, kinds).value());
    rows.back().file = "rollouts.jsonl";
    rows.back().line = rows.size();
  }
  return rows;
}

Json rollouts() { return read_json("tests/golden/train/online_runs.json").at("rollouts"); }

RolloutReader reader(size_t generations = 4) { return {generations, 6, 96, 512, {}, nullptr}; }

void make_like_golden(OnlineConfig& config, const Json& golden) {
  config.learning_rate = golden.at("learning_rate").as_double();
  config.lr_scheduler_type = Scheduler::kConstant;
  config.train_sampling_strategy = SamplingStrategy::kSequential;
  config.num_generations = config.per_device_train_batch_size = 4;
  config.gradient_accumulation_steps = 2;
  config.max_completion_length = static_cast<size_t>(golden.at("max_completion_length").as_int());
  config.max_steps = 4;
  config.max_grad_norm = 0;
  config.logging_steps = 1;
  config.temperature = 1;
  config.recorded_rollouts = true;
}

// What of the settings are options of GRPO.
GrpoConfig grpo_config(const Json& golden, const Json& settings) {
  GrpoConfig config;
  make_like_golden(config, golden);
  config.use_bias_correction_kl = false;
  Json all = config.to_json();
  for (const auto& [key, value] : settings.as_object()) all[key] = value;
  GrpoConfig out = grpo_config_from_json(all);
  out.logging_steps = 1;  // decides no bit and is not among the settings
  return out;
}

// One run on llama_tied as it is; the lines of its metrics.
template <typename Config>
std::vector<Json> lines_of_run(const Config& config, const RecordedRollouts& recorded) {
  tensor::Compute compute(2);
  llm::Model model = llm::testing::load_golden(compute, "llama_tied");
  llm::Model reference = llm::testing::load_golden(compute, "llama_tied");
  llm::make_trainable(compute, model);
  FaultEnv env;
  TrainJob job{compute, env, model, "run"};
  const std::vector<llm::PromptTokens> none;
  const OnlineData data{recorded.prompts, none,     recorded.rewards, nullptr, {},
                        &reference,       &recorded};
  testing::train_method(job, config, data);
  return testing::lines_of(env, "run/metrics.jsonl");
}

TEST(RecordedRollouts, WholeRunsFollowTrl) {
  const Json golden = read_json("tests/golden/train/online_runs.json");
  const RecordedRollouts recorded = recorded_rollouts(rows_of(golden.at("rollouts")), reader());
  Json two = Json::array();
  for (size_t i = 0; i < golden.at("rollouts").size(); ++i) {
    if (i % 4 < 2) two.push_back(golden.at("rollouts").as_array()[i]);
  }
  const RecordedRollouts pairs = recorded_rollouts(rows_of(two), reader(2));
  for (const auto& [name, one] : golden.at("runs").as_object()) {
    const std::string method = one.at("method").as_string();
    std::vector<Json> lines;
    if (method == "grpo") {
      lines = lines_of_run(grpo_config(golden, one.at("settings")), recorded);
    } else if (method == "rloo") {
      RlooConfig config;
      make_like_golden(config, golden);
      config.beta = 0;
      lines = lines_of_run(config, recorded);
    } else {
      OnlineDpoConfig config;
      make_like_golden(config, golden);
      config.num_generations = config.per_device_train_batch_size = 2;
      config.gradient_accumulation_steps = 1;
      config.loss_type = *preference_loss_from_name(one.at("settings").at("loss_type").as_string());
      lines = lines_of_run(config, pairs);
    }
    ASSERT_EQ(lines.size(), 4u) << name;
    for (size_t i = 0; i < 4; ++i) {
      for (const auto& [key, wanted] : one.at("steps").as_array()[i].as_object()) {
        if (key == "advantages") continue;
        const double value = wanted.as_double();
        EXPECT_NEAR(lines[i].at(key).as_double(), value, 3e-4 * std::abs(value) + 3e-5)
            << name << " step " << i + 1 << " " << key;
      }
    }
  }
}

TEST(RecordedRollouts, LogProbabilitiesAreHeldAgainstTheModelThatSpoke) {
  tensor::Compute compute(1);
  const llm::Model model = llm::testing::load_golden(compute, "llama_tied");
  GrpoConfig config;
  Json rows = rollouts();
  EXPECT_LT(
      check_rollouts(compute, model, recorded_rollouts(rows_of(rows), reader()), config, 1e-3),
      1e-4);
  const auto said = [&](const Json& json, double tolerance = 1e-3) {
    const RecordedRollouts recorded = recorded_rollouts(rows_of(json), reader());
    return llm::testing::refusal(
        [&] { check_rollouts(compute, model, recorded, config, tolerance); });
  };
  // Another number.
  Json& log_prob = rows.as_array()[5]["logprobs"].as_array()[1];
  const double before = log_prob.as_double();
  log_prob = before - 0.5;
  EXPECT_NE(said(rows).find("rollouts.jsonl:6: completion_ids[1]"), std::string::npos)
      << said(rows);
  EXPECT_EQ(said(rows, 1), "accepted");
  // Of a cut distribution, whose share is told.
  const double kept = std::exp(-0.25);
  log_prob = before + 0.25;
  Json mass = Json::array();
  for (size_t t = 0; t < rows.as_array()[5].at("logprobs").size(); ++t) {
    mass.push_back(t == 1 ? kept : 1.0);
  }
  rows.as_array()[5]["kept_mass"] = mass;
  EXPECT_EQ(said(rows), "accepted");
  // Another token.
  rows = rollouts();
  rows.as_array()[9]["completion_ids"].as_array()[0] = 1;
  EXPECT_NE(said(rows).find("rollouts.jsonl:10: completion_ids[0] (1)"), std::string::npos);
  // Another temperature.
  config.temperature = 0.5;
  EXPECT_NE(said(rollouts()).find("--temperature 0.5"), std::string::npos);
}

TEST(RecordedRollouts, WhatIsWrongWithARowIsSaid) {
  const auto said = [](const auto& change, RolloutReader options = reader()) {
    Json rows = rollouts();
    change(rows.as_array());
    return llm::testing::refusal([&] { recorded_rollouts(rows_of(rows), options); });
  };
  using Rows = Json::Array;
  EXPECT_EQ(said([](Rows&) {}), "accepted");
  EXPECT_NE(said([](Rows& r) {
              r[2]["logprobs"].as_array().pop_back();
            }).find("rollouts.jsonl:3: \"logprobs\" has"),
            std::string::npos);
  EXPECT_NE(said([](Rows& r) { r[2]["logprobs"].as_array()[0] = 0.25; }).find("0 at most"),
            std::string::npos);
  EXPECT_NE(said([](Rows& r) { r[2]["logprobs"] = "none"; }).find("list of numbers"),
            std::string::npos);
  EXPECT_NE(said([](Rows& r) { r[2]["completion_ids"].as_array()[0] = 96; }).find("knows 0 to 95"),
            std::string::npos);
  EXPECT_NE(said([](Rows& r) { r[5]["group"] = 0; }).find("do not stand together"),
            std::string::npos);
  EXPECT_NE(said([](Rows& r) { r[5]["group"] = Json(); }).find("rollouts.jsonl:6: \"group\""),
            std::string::npos);
  EXPECT_NE(said([](Rows& r) { r[1]["prompt_ids"].as_array()[0] = 4; }).find("another prompt"),
            std::string::npos);
  EXPECT_NE(said([](Rows& r) { r.pop_back(); }).find("has 3 answers and --num-generations is 4"),
            std::string::npos);
  EXPECT_NE(said([](Rows& r) { r[3]["reward"] = "good"; }).find("a number or null"),
            std::string::npos);
  EXPECT_NE(
      said([](Rows& r) { r[3]["rewards"] = Json::object(); }).find("\"reward\" and \"rewards\""),
      std::string::npos);
  EXPECT_NE(said([](Rows& r) {
              Json several = Json::object();
              several["style"] = 1;
              Json row = Json::object();
              for (const auto& [key, value] : r[3].as_object()) {
                if (key != "reward") row[key] = value;
              }
              row["rewards"] = several;
              r[3] = row;
            }).find("other rewards than the rows before"),
            std::string::npos);
  RolloutReader narrow = reader();
  narrow.max_completion_length = 3;
  EXPECT_NE(said([](Rows&) {}, narrow).find("--max-completion-length is 3"), std::string::npos);
  narrow = reader();
  narrow.context_length = 5;
  EXPECT_NE(said([](Rows&) {}, narrow).find("context of 5"), std::string::npos);
  EXPECT_NE(said([](Rows& r) { r.clear(); }).find("no rollouts"), std::string::npos);
}

TEST(RecordedRollouts, SeveralRewardsKeepTheirNamesAndANullIsNone) {
  Json rows = rollouts();
  for (Json& row : rows.as_array()) {
    Json plain = Json::object(), rewards = Json::object();
    for (const auto& [key, value] : row.as_object()) {
      if (key != "reward") plain[key] = value;
    }
    rewards["right"] = 1;
    rewards["short"] = Json();
    plain["rewards"] = rewards;
    row = plain;
  }
  RolloutReader options = reader();
  options.end_of_generation = llm::testing::ints_of(rows.as_array()[0].at("completion_ids"));
  const RecordedRollouts recorded = recorded_rollouts(rows_of(rows), options);
  ASSERT_EQ(recorded.rewards.size(), 2u);
  EXPECT_EQ(recorded.rewards[1]->name(), "short");
  EXPECT_EQ(recorded.groups[0].completions[0].rewards, (std::vector<Reward>{1.0, std::nullopt}));
  EXPECT_TRUE(recorded.groups[0].completions[0].ended);
}

TEST(RecordedRollouts, AStopAnywhereEndsWithTheSameBits) {
  const RecordedRollouts recorded = recorded_rollouts(rows_of(rollouts()), reader());
  const Json golden = read_json("tests/golden/train/online_runs.json");
  GrpoConfig config;
  make_like_golden(config, golden);
  config.entropy_coef = 0.02;
  config.use_adaptive_entropy = true;
  config.entropy_target = 10;
  config.num_iterations = 2;
  config.lora_r = 2;
  tensor::Compute compute(1);
  const auto run = [&](FaultEnv& env, bool resume, size_t stop_after) {
    llm::Model model = llm::testing::load_golden(compute, "llama_tied");
    testing::StoppedJob job(compute, env, model, "run", resume, stop_after);
    const std::vector<llm::PromptTokens> none;
    const OnlineData data{recorded.prompts, none,     recorded.rewards, nullptr, {},
                          nullptr,          &recorded};
    return train_grpo(job, config, data);
  };
  FaultEnv whole;
  run(whole, false, 0);
  for (size_t stop = 1; stop < config.max_steps; ++stop) {
    FaultEnv env;
    ASSERT_TRUE(run(env, false, stop).stopped);
    env.crash();
    run(env, true, 0);
    for (const char* name : {"run/steps.jsonl", "run/metrics.jsonl"}) {
      EXPECT_EQ(env.read_file(name, 1u << 24), whole.read_file(name, 1u << 24)) << stop;
    }
  }
}

}  // namespace
}  // namespace hone::train
