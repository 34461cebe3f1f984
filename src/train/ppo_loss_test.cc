// PPO's shaping, advantages and losses against the lines of TRL's PPOTrainer
// (tests/golden/torch/README.md).
#include "train/ppo_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "train/testing.h"

namespace hone::train {
namespace {

using llm::testing::doubles_of;

struct Case {
  std::vector<PpoAnswer> answers;
  PpoShaping shaping;
};

Case case_of(const Json& one) {
  Case out;
  const auto number = [&](const char* key, double* value) {
    if (const Json* found = one.find(key)) *value = found->as_double();
  };
  number("kl_coef", &out.shaping.kl_coef);
  number("gamma", &out.shaping.gamma);
  number("lam", &out.shaping.lam);
  out.shaping.whiten_rewards = one.find("whiten_rewards") != nullptr;
  if (one.find("kl_estimator") != nullptr) out.shaping.kl_estimator = KlEstimator::kK3;
  for (size_t i = 0; i < one.at("scores").size(); ++i) {
    PpoAnswer answer;
    answer.log_probs = doubles_of(one.at("log_probs").as_array()[i]);
    answer.ref_log_probs = doubles_of(one.at("ref_log_probs").as_array()[i]);
    answer.values = doubles_of(one.at("values").as_array()[i]);
    answer.score = one.at("scores").as_array()[i].as_double();
    out.answers.push_back(std::move(answer));
  }
  return out;
}

void expect_row(const std::vector<double>& ours, const Json& wanted, const std::string& what) {
  const std::vector<double> values = doubles_of(wanted);
  ASSERT_EQ(ours.size(), values.size()) << what;
  for (size_t t = 0; t < values.size(); ++t) {
    EXPECT_NEAR(ours[t], values[t], 1e-8 * (1 + std::abs(values[t]))) << what << " " << t;
  }
}

TEST(PpoTargets, AreThoseOfTrlsLines) {
  const Json golden = llm::testing::read_json(llm::testing::kGolden + "ppo.json");
  EXPECT_EQ(golden.at("cases").size(), 5u);
  for (const auto& [name, one] : golden.at("cases").as_object()) {
    const Case c = case_of(one);
    const std::vector<PpoTargets> targets = ppo_targets(c.answers, c.shaping);
    for (size_t i = 0; i < targets.size(); ++i) {
      const std::string what = name + " answer " + std::to_string(i) + " ";
      expect_row(targets[i].kl, one.at("kl").as_array()[i], what + "kl");
      expect_row(targets[i].rewards, one.at("rewards").as_array()[i], what + "rewards");
      expect_row(targets[i].advantages, one.at("advantages").as_array()[i], what + "advantages");
      expect_row(targets[i].returns, one.at("returns").as_array()[i], what + "returns");
    }
  }
}

TEST(PpoLosses, AndTheirSlopesAreThoseOfTrlsLines) {
  const Json golden = llm::testing::read_json(llm::testing::kGolden + "ppo.json");
  const double vf_coef = golden.at("vf_coef").as_double();
  for (const auto& [name, one] : golden.at("cases").as_object()) {
    const Case c = case_of(one);
    const std::vector<PpoTargets> targets = ppo_targets(c.answers, c.shaping);
    double tokens = 0, slots = 0, policy = 0, value = 0, policy_clipped = 0, value_clipped = 0;
    for (const PpoAnswer& answer : c.answers) {
      tokens += static_cast<double>(answer.log_probs.size());
      slots += static_cast<double>(answer.values.size());
    }
    for (size_t i = 0; i < c.answers.size(); ++i) {
      std::vector<double> d_log_probs, d_values;
      const std::vector<double> moved = doubles_of(one.at("new_log_probs").as_array()[i]);
      const std::vector<double> values = doubles_of(one.at("new_values").as_array()[i]);
      for (size_t t = 0; t < moved.size(); ++t) {
        const PpoLoss loss =
            ppo_policy_loss(moved[t], c.answers[i].log_probs[t], targets[i].advantages[t], {});
        policy += loss.value / tokens;
        policy_clipped += loss.clipped ? 1 / tokens : 0;
        d_log_probs.push_back(loss.slope / tokens);
      }
      for (size_t t = 0; t < values.size(); ++t) {
        const PpoLoss loss =
            ppo_value_loss(values[t], c.answers[i].values[t], targets[i].returns[t], 0.2);
        value += loss.value / slots;
        value_clipped += loss.clipped ? 1 / slots : 0;
        d_values.push_back(vf_coef * loss.slope / slots);
      }
      const std::string what = name + " answer " + std::to_string(i) + " ";
      expect_row(d_log_probs, one.at("d_log_probs").as_array()[i], what + "d log-prob");
      expect_row(d_values, one.at("d_values").as_array()[i], what + "d value");
    }
    EXPECT_NEAR(policy, one.at("policy_loss").as_double(), 1e-8) << name;
    EXPECT_NEAR(value, one.at("value_loss").as_double(), 1e-8) << name;
    EXPECT_NEAR(policy + vf_coef * value, one.at("loss").as_double(), 1e-8) << name;
    EXPECT_NEAR(policy_clipped, one.at("policy_clipfrac").as_double(), 1e-6) << name;
    EXPECT_NEAR(value_clipped, one.at("value_clipfrac").as_double(), 1e-6) << name;
    EXPECT_GT(policy_clipped, 0) << name;
    EXPECT_GT(value_clipped, 0) << name;
  }
}

TEST(PpoLosses, FollowTheirDifferences) {
  const double h = 1e-6;
  for (double moved : {-0.5, -0.1, 0.0, 0.1, 0.5}) {
    for (double advantage : {-1.5, 0.75}) {
      const auto at = [&](double x) { return ppo_policy_loss(x, 0, advantage, {}).value; };
      EXPECT_NEAR((at(moved + h) - at(moved - h)) / (2 * h),
                  ppo_policy_loss(moved, 0, advantage, {}).slope, 1e-8);
      const auto value = [&](double x) { return ppo_value_loss(x, 0, advantage, 0.2).value; };
      EXPECT_NEAR((value(moved + h) - value(moved - h)) / (2 * h),
                  ppo_value_loss(moved, 0, advantage, 0.2).slope, 1e-8);
    }
  }
}

TEST(PpoTargets, OneAnswerOfOneTokenIsNoDivisionByZero) {
  const std::vector<PpoTargets> targets =
      ppo_targets(std::vector<PpoAnswer>{{{-1.0}, {-1.5}, {0.5}, 2}}, {});
  EXPECT_EQ(targets[0].advantages, std::vector<double>{0});
  EXPECT_NEAR(targets[0].returns[0], 2 - 0.05 * 0.5, 1e-12);
}

TEST(AdaptedKl, RisesAboveTheTargetAndFallsBelowItByBoundedSteps) {
  EXPECT_NEAR(adapted_kl_coef(0.05, 6.6, 6, 10000, 64), 0.05 * (1 + 0.1 * 64 / 1e4), 1e-15);
  EXPECT_NEAR(adapted_kl_coef(0.05, 60, 6, 10000, 64), 0.05 * (1 + 0.2 * 64 / 1e4), 1e-15);
  EXPECT_NEAR(adapted_kl_coef(0.05, 0, 6, 10000, 64), 0.05 * (1 - 0.2 * 64 / 1e4), 1e-15);
}

}  // namespace
}  // namespace hone::train
