// KTO: TRL's loss, metrics and gradient; slopes; what is refused.
#include "train/kto.h"

#include <gtest/gtest.h>

#include <cmath>

#include "train/testing.h"

namespace hone::train {
namespace {

using llm::UnpairedTokens;
using llm::testing::ints_of;
using llm::testing::refusal;

UnpairedTokens judged(std::vector<int32_t> prompt, std::vector<int32_t> completion, bool good) {
  UnpairedTokens row;
  row.prompt = std::move(prompt);
  row.completion = std::move(completion);
  row.desirable = good;
  row.name = "row";
  return row;
}

std::vector<UnpairedTokens> golden_rows(const Json& golden) {
  std::vector<UnpairedTokens> rows;
  for (const Json& row : golden.at("rows").as_array()) {
    rows.push_back(judged(ints_of(row.at("prompt_ids")), ints_of(row.at("completion_ids")),
                          row.at("label").as_bool()));
  }
  return rows;
}

// tests/golden/train/README.md
TEST(Kto, LossMetricsAndGradientAreThoseOfTrl) {
  const Json golden = llm::testing::read_json("tests/golden/train/kto.json");
  const std::vector<UnpairedTokens> rows = golden_rows(golden);
  tensor::Compute compute(2);
  const llm::Model reference =
      llm::testing::load_golden(compute, golden.at("reference").as_string());
  for (const Json& c : golden.at("cases").as_array()) {
    KtoConfig config;
    config.loss_type = *kto_loss_from_name(c.at("loss_type").as_string());
    config.beta = c.at("beta").as_double();
    config.desirable_weight = c.at("desirable_weight").as_double();
    config.undesirable_weight = c.at("undesirable_weight").as_double();
    config.max_steps = 1;
    config.per_device_train_batch_size = rows.size();
    llm::Model model = llm::testing::load_golden(compute, golden.at("policy").as_string());
    llm::make_trainable(compute, model);
    llm::testing::TemporaryFolder folder("kto");
    TrainJob job{compute, real_env(), model, folder.path() + "/run"};
    train_kto(job, config, rows, rows, &reference);
    const Json line = testing::lines_of(real_env(), job.output + "/metrics.jsonl").at(0);
    const std::string what = c.at("loss_type").as_string() + " " + c.at("beta").dump();
    EXPECT_NEAR(line.at("loss").as_double(), c.at("loss").as_double(), 2e-5) << what;
    for (const auto& [key, wanted] : c.at("metrics").as_object()) {
      const double value = wanted.as_double();
      EXPECT_NEAR(line.at(key).as_double(), value, 2e-5 * (1 + std::abs(value)))
          << what << " " << key;
    }
    double squares = 0;
    for (const auto& [name, norm] : c.at("gradient_norms").as_object()) {
      squares += norm.as_double() * norm.as_double();
    }
    EXPECT_NEAR(line.at("grad_norm").as_double(), std::sqrt(squares), 1e-4 * std::sqrt(squares))
        << what;
  }
}

TEST(Kto, SlopesAgreeWithFiniteDifferences) {
  constexpr double kStep = 1e-6;
  for (const auto type : {KtoLossType::kKto, KtoLossType::kApoZeroUnpaired}) {
    KtoConfig config;
    config.loss_type = type;
    config.beta = 0.4;
    config.desirable_weight = 1.5;
    config.undesirable_weight = 0.75;
    for (const double ratio : {-8.0, -0.5, 0.0, 3.0}) {
      for (const double kl : {0.0, 1.25}) {
        for (const bool desirable : {true, false}) {
          for (const double probability : {1.0, 0.8}) {
            const auto value = [&](double at) {
              return kto_loss(config, at, kl, desirable, probability).value;
            };
            EXPECT_NEAR(kto_loss(config, ratio, kl, desirable, probability).slope,
                        (value(ratio + kStep) - value(ratio - kStep)) / (2 * kStep), 1e-8);
          }
        }
      }
    }
  }
}

TEST(Kto, WhatCannotBeIsRefusedWithAReason) {
  const auto with = [](auto change) {
    KtoConfig config;
    change(config);
    return refusal([&] { validate(config); });
  };
  EXPECT_EQ(with([](KtoConfig&) {}), "accepted");
  EXPECT_EQ(with([](KtoConfig& c) { c.beta = 0; }), "--beta is 0: it must be above 0");
  EXPECT_NE(with([](KtoConfig& c) { c.desirable_weight = -1; }), "accepted");
  EXPECT_NE(with([](KtoConfig& c) { c.per_device_train_batch_size = 1; }), "accepted");
  EXPECT_EQ(with([](KtoConfig& c) {
              c.per_device_train_batch_size = 1;
              c.loss_type = KtoLossType::kApoZeroUnpaired;
            }),
            "accepted");
  tensor::Compute compute(1);
  llm::Model model = llm::testing::random_model({});
  llm::testing::TemporaryFolder folder("kto_refused");
  TrainJob job{compute, real_env(), model, folder.path() + "/run"};
  const std::string why = refusal([&] {
    train_kto(job, KtoConfig(), {judged({1, 2}, {3}, true), judged({4}, {5, 6}, true)}, {},
              nullptr);
  });
  EXPECT_NE(why.find("--ref-model"), std::string::npos) << why;
  EXPECT_FALSE(job.env.exists(job.output));
}

TEST(Kto, TheBaseIsTheReferenceOfAnAdapter) {
  tensor::Compute compute(1);
  llm::Model model = llm::testing::random_model({});
  KtoConfig config;
  config.lora_r = 2;
  config.max_steps = 3;
  config.logging_steps = 1;
  config.learning_rate = 1e-2;
  config.per_device_train_batch_size = 2;
  std::vector<UnpairedTokens> rows;
  for (int32_t i = 0; i < 4; ++i) {
    rows.push_back(judged({i, i + 1, 7}, {i + 20, 30, 31}, i % 2 == 0));
  }
  llm::testing::TemporaryFolder folder("kto_lora");
  TrainJob job{compute, real_env(), model, folder.path() + "/run"};
  EXPECT_TRUE(train_kto(job, config, rows, rows, nullptr).adapter.has_value());
  const std::vector<Json> lines = testing::lines_of(real_env(), job.output + "/metrics.jsonl");
  // A new adapter changes nothing: the policy is its own reference.
  EXPECT_EQ(lines[0].at("rewards/chosen").as_double(), 0);
  EXPECT_EQ(lines[0].at("kl").as_double(), 0);
  EXPECT_GT(lines[2].at("rewards/margins").as_double(), 0);
}

TEST(Kto, SettingsComeBackFromAManifest) {
  KtoConfig config;
  config.loss_type = KtoLossType::kApoZeroUnpaired;
  config.desirable_weight = 1.25;
  EXPECT_EQ(kto_config_from_json(config.to_json()).to_json().dump(), config.to_json().dump());
}

}  // namespace
}  // namespace hone::train
