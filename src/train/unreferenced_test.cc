// ORPO, CPO and SimPO: TRL's losses, metrics and gradients; slopes; what may not change a bit.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "train/cpo.h"
#include "train/orpo.h"
#include "train/testing.h"
#include "train/unreferenced_loss.h"

namespace hone::train {
namespace {

using llm::testing::ints_of;
using Pairs = std::vector<llm::PreferenceTokens>;

OrpoConfig orpo_of(const Json& options) {
  OrpoConfig config;
  config.beta = options.at("beta").as_double();
  return config;
}

CpoConfig cpo_of(const Json& options) {
  CpoConfig config;
  config.beta = options.at("beta").as_double();
  config.loss_type = *cpo_loss_from_name(options.at("loss_type").as_string());
  config.label_smoothing = options.at("label_smoothing").as_double();
  config.cpo_alpha = options.at("cpo_alpha").as_double();
  config.simpo_gamma = options.at("simpo_gamma").as_double();
  return config;
}

// The first step's line of a full fine-tuning run over all pairs.
template <typename Config, typename Train>
Json first_line(Config config, const Pairs& pairs, bool prefix_sharing, const Train& train) {
  config.max_steps = 1;
  config.per_device_train_batch_size = pairs.size();
  config.train_sampling_strategy = SamplingStrategy::kSequential;
  config.prefix_sharing = prefix_sharing;
  tensor::Compute compute(2);
  llm::Model model = llm::testing::load_golden(compute, "llama_tied");
  llm::make_trainable(compute, model);
  llm::testing::TemporaryFolder folder("unreferenced");
  TrainJob job{compute, real_env(), model, folder.path() + "/run"};
  train(job, config, pairs, pairs);
  const std::vector<Json> lines = testing::lines_of(real_env(), job.output + "/metrics.jsonl");
  return lines.at(0);
}

// tests/golden/train/README.md
TEST(Unreferenced, LossMetricsAndGradientAreThoseOfTrl) {
  const Json golden = llm::testing::read_json("tests/golden/train/unreferenced.json");
  Pairs pairs;
  for (const Json& p : golden.at("pairs").as_array()) {
    pairs.push_back(testing::pair_of(ints_of(p.at("prompt_ids")), ints_of(p.at("chosen_ids")),
                                     ints_of(p.at("rejected_ids"))));
  }
  for (const Json& c : golden.at("cases").as_array()) {
    const std::string what = c.at("method").as_string() + " " + c.at("options").dump();
    for (const bool sharing : {true, false}) {
      const Json line = c.at("method").as_string() == "orpo"
                            ? first_line(orpo_of(c.at("options")), pairs, sharing, train_orpo)
                            : first_line(cpo_of(c.at("options")), pairs, sharing, train_cpo);
      const double loss = c.at("loss").as_double();
      EXPECT_NEAR(line.at("loss").as_double(), loss, 2e-6 * loss) << what;
      for (const auto& [key, wanted] : c.at("metrics").as_object()) {
        // TRL does not compute what cpo_alpha 0 leaves out, and logs 0.
        if (key == "nll_loss" && c.at("options").find("cpo_alpha") != nullptr &&
            c.at("options").at("cpo_alpha").as_double() == 0) {
          continue;
        }
        const double value = wanted.as_double();
        EXPECT_NEAR(line.at(key).as_double(), value, 5e-6 * (1 + std::abs(value)))
            << what << " " << key;
      }
      double squares = 0;
      for (const auto& [name, norm] : c.at("gradient_norms").as_object()) {
        squares += norm.as_double() * norm.as_double();
      }
      EXPECT_NEAR(line.at("grad_norm").as_double(), std::sqrt(squares), 3e-5 * std::sqrt(squares))
          << what;
    }
  }
}

// By each side's sum: a token's slope is the slope by the sum it stands in.
void expect_slopes(const std::function<UnreferencedLoss(const AnswerLogProbs&)>& loss,
                   const AnswerLogProbs& at, const std::string& what) {
  constexpr double kStep = 1e-6;
  const auto value = [&](double chosen, double rejected) {
    AnswerLogProbs moved = at;
    moved.chosen += chosen;
    moved.rejected += rejected;
    return loss(moved).value;
  };
  const UnreferencedLoss got = loss(at);
  const double by_chosen = (value(kStep, 0) - value(-kStep, 0)) / (2 * kStep);
  const double by_rejected = (value(0, kStep) - value(0, -kStep)) / (2 * kStep);
  EXPECT_NEAR(got.d_chosen, by_chosen, 1e-6 * (1 + std::abs(by_chosen))) << what;
  EXPECT_NEAR(got.d_rejected, by_rejected, 1e-6 * (1 + std::abs(by_rejected))) << what;
}

TEST(Unreferenced, SlopesAgreeWithFiniteDifferences) {
  for (const AnswerLogProbs& at :
       {AnswerLogProbs{-12.5, -20.25, 7, 11}, {-3, -2, 4, 1}, {-0.002, -40, 3, 9}}) {
    for (const double probability : {1.0, 0.7, 0.5}) {
      expect_slopes([&](const AnswerLogProbs& p) { return orpo_loss(0.3, p, probability); }, at,
                    "orpo");
      for (const auto type :
           {CpoLossType::kSigmoid, CpoLossType::kHinge, CpoLossType::kIpo, CpoLossType::kSimpo}) {
        const double smoothing =
            type == CpoLossType::kSigmoid || type == CpoLossType::kSimpo ? 0.1 : 0;
        expect_slopes(
            [&](const AnswerLogProbs& p) {
              return cpo_loss({type, 0.4, smoothing, 0.6}, p, probability);
            },
            at, std::string(name(type)));
      }
    }
  }
}

TEST(Unreferenced, AnAnswerThatIsCertainHasAFiniteLoss) {
  const UnreferencedLoss loss = orpo_loss(0.1, {0, -5, 3, 4}, 1);
  EXPECT_TRUE(std::isfinite(loss.value) && std::isfinite(loss.d_chosen));
}

template <typename Config>
Config small_config() {
  Config config;
  config.learning_rate = 1e-2;
  config.max_steps = 6;
  config.per_device_train_batch_size = 3;
  config.logging_steps = 1;
  config.eval_steps = 3;
  config.save_steps = 1;
  return config;
}

struct Run {
  std::vector<std::vector<float>> values;
  std::vector<Json> lines;
};

template <typename Config, typename Train>
Run run_of(const std::string& folder, const Config& config, size_t stop_after, const Train& train) {
  tensor::Compute compute(1);
  llm::testing::TinyShape shape;
  shape.layers = 1;
  shape.vocab = 32;
  llm::Model model = llm::testing::random_model(shape);
  testing::StoppedJob job(compute, real_env(), model, folder + "/run",
                          real_env().exists(folder + "/run"), stop_after);
  train(job, config, testing::pairs(7, 32), testing::pairs(3, 32));
  return {testing::model_values(model),
          testing::lines_of(real_env(), job.output + "/metrics.jsonl")};
}

template <typename Config, typename Train>
void expect_resume(const Train& train) {
  const auto config = small_config<Config>();
  llm::testing::TemporaryFolder whole("unreferenced_whole");
  const Run expected = run_of(whole.path(), config, 0, train);
  for (const size_t stop : {1, 4}) {
    llm::testing::TemporaryFolder folder("unreferenced_stopped");
    run_of(folder.path(), config, stop, train);
    const Run run = run_of(folder.path(), config, 0, train);
    EXPECT_TRUE(run.values == expected.values) << stop;
    ASSERT_EQ(run.lines.size(), expected.lines.size());
    for (size_t i = 0; i < run.lines.size(); ++i) {
      EXPECT_EQ(run.lines[i].dump(), expected.lines[i].dump());
    }
  }
}

TEST(Unreferenced, ARunThatWasStoppedGoesOnToTheSameBits) {
  expect_resume<OrpoConfig>(train_orpo);
  expect_resume<CpoConfig>(train_cpo);
}

TEST(Unreferenced, PairsThatWeighNothingTeachNothing) {
  tensor::Compute compute(1);
  llm::Model model = llm::testing::random_model({});
  const auto before = testing::model_values(model);
  Pairs pairs = testing::pairs(3, 96);
  for (llm::PreferenceTokens& pair : pairs) pair.weight = 0;
  llm::testing::TemporaryFolder folder("unreferenced_zero");
  TrainJob job{compute, real_env(), model, folder.path() + "/run"};
  train_orpo(job, small_config<OrpoConfig>(), pairs, {});
  EXPECT_TRUE(testing::model_values(model) == before);
}

TEST(Unreferenced, WhatCannotBeIsRefusedWithAReason) {
  const auto cpo = [](auto change) {
    CpoConfig config;
    change(config);
    return llm::testing::refusal([&] { validate(config); });
  };
  EXPECT_EQ(cpo([](CpoConfig&) {}), "accepted");
  EXPECT_EQ(cpo([](CpoConfig& c) { c.beta = 0; }), "--beta is 0: it must be above 0");
  EXPECT_NE(cpo([](CpoConfig& c) { c.label_smoothing = 0.5; }), "accepted");
  EXPECT_NE(cpo([](CpoConfig& c) {
              c.loss_type = CpoLossType::kIpo;
              c.label_smoothing = 0.1;
            }),
            "accepted");
  OrpoConfig orpo;
  orpo.beta = -1;
  EXPECT_EQ(llm::testing::refusal([&] { validate(orpo); }), "--beta is -1: it must be above 0");
}

TEST(Unreferenced, SettingsComeBackFromAManifest) {
  CpoConfig cpo;
  cpo.loss_type = CpoLossType::kSimpo;
  cpo.cpo_alpha = 0;
  EXPECT_EQ(cpo_config_from_json(cpo.to_json()).to_json().dump(), cpo.to_json().dump());
  OrpoConfig orpo;
  orpo.beta = 0.25;
  EXPECT_EQ(orpo_config_from_json(orpo.to_json()).to_json().dump(), orpo.to_json().dump());
}

}  // namespace
}  // namespace hone::train
