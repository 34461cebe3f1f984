// Policy losses, reductions and advantages against TRL's own code (tests/golden/train/policy.json),
// slopes against finite differences.
#include "train/policy_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "reward/reward.h"
#include "train/advantages.h"
#include "train/policy_reduction.h"
#include "train/testing.h"

namespace hone::train {
namespace {

using llm::testing::doubles_of;
using Rows = std::vector<std::vector<float>>;

Rows rows_of(const Json& json) {
  Rows rows;
  for (const Json& row : json.as_array()) {
    rows.emplace_back();
    for (double value : doubles_of(row)) rows.back().push_back(static_cast<float>(value));
  }
  return rows;
}

const Json& golden() {
  static const Json json = llm::testing::read_json("tests/golden/train/policy.json");
  return json;
}

PolicyLossType type_of(const std::string& text) {
  for (int i = 0; i <= static_cast<int>(PolicyLossType::kRloo); ++i) {
    if (name(static_cast<PolicyLossType>(i)) == text) return static_cast<PolicyLossType>(i);
  }
  ADD_FAILURE() << text;
  return PolicyLossType::kDapo;
}

PolicyLossConfig config_of(const Json& settings) {
  PolicyLossConfig config;
  config.loss_type = type_of(settings.at("loss_type").as_string());
  const auto number = [&](const char* key, double otherwise) {
    const Json* value = settings.find(key);
    return value == nullptr ? otherwise : value->as_double();
  };
  config.epsilon_high = number("epsilon_high", 0.2);
  config.beta = number("beta", 0);
  if (settings.find("delta") != nullptr) config.delta = number("delta", 0);
  if (settings.find("off_policy_mask_threshold") != nullptr) {
    config.off_policy_mask_threshold = number("off_policy_mask_threshold", 0);
  }
  config.use_bias_correction_kl = settings.find("use_bias_correction_kl") != nullptr;
  if (settings.find("importance_sampling_level") != nullptr) {
    config.importance_sampling_level = ImportanceLevel::kSequence;
  }
  return config;
}

// The table's completions under one case's settings.
struct Batch {
  PolicyLossConfig config;
  Rows now, old, reference, entropy;
  std::vector<double> advantages;
  size_t micro_batch = 8, width = 5;
  double entropy_share = 1;

  explicit Batch(const Json& settings) : config(config_of(settings)) {
    const Json& table = golden().at("table");
    now = rows_of(table.at("now"));
    old = rows_of(table.at("old"));
    reference = rows_of(table.at("reference"));
    entropy = rows_of(table.at("entropy"));
    advantages = doubles_of(table.at("advantages"));
    if (const Json* steps = settings.find("gradient_accumulation_steps")) {
      micro_batch = now.size() / static_cast<size_t>(steps->as_int());
    }
    if (const Json* share = settings.find("top_entropy_quantile")) {
      entropy_share = share->as_double();
    }
  }

  double normaliser() const {
    size_t tokens = 0;
    for (const auto& row : now) tokens += row.size();
    return reduction_normaliser(config.loss_type, {now.size(), now.size() / micro_batch, width,
                                                   static_cast<double>(tokens)});
  }

  CompletionLoss loss_of(size_t i) const {
    const size_t first = i / micro_batch * micro_batch;
    size_t tokens = 0;
    std::vector<float> entropies;
    for (size_t k = first; k < first + micro_batch; ++k) {
      tokens += now[k].size();
      entropies.insert(entropies.end(), entropy[k].begin(), entropy[k].end());
    }
    std::vector<unsigned char> learns;
    if (entropy_share < 1) {
      const double least = entropy_threshold(entropies, entropy_share);
      for (float value : entropy[i]) learns.push_back(static_cast<double>(value) >= least ? 1 : 0);
    }
    return policy_loss(config, {now[i], old[i], reference[i], learns, advantages[i]},
                       token_weight(config.loss_type, now[i].size(), tokens));
  }

  double loss() const {
    double sum = 0;
    for (size_t i = 0; i < now.size(); ++i) sum += loss_of(i).value;
    return sum / normaliser();
  }
};

TEST(PolicyLoss, EveryLossGivesTrlsValueAndSlopes) {
  size_t cases = 0;
  for (const auto& [name, one] : golden().at("losses").as_object()) {
    const Batch batch(one.at("settings"));
    // TRL computes in f32.
    const double wanted = one.at("loss").as_double();
    EXPECT_NEAR(batch.loss(), wanted, 2e-6 * (1 + std::abs(wanted))) << name;
    for (size_t i = 0; i < batch.now.size(); ++i) {
      const std::vector<double> slopes = doubles_of(one.at("slopes").as_array()[i]);
      const CompletionLoss loss = batch.loss_of(i);
      ASSERT_EQ(slopes.size(), loss.slopes.size());
      for (size_t t = 0; t < slopes.size(); ++t) {
        EXPECT_NEAR(loss.slopes[t] / batch.normaliser(), slopes[t],
                    2e-6 * (0.1 + std::abs(slopes[t])))
            << name << ", completion " << i << ", token " << t;
      }
    }
    ++cases;
  }
  EXPECT_GT(cases, 70u);
}

TEST(PolicyLoss, WhatIsWatchedIsTrls) {
  for (const auto& [name, one] : golden().at("losses").as_object()) {
    const Json& metrics = one.at("metrics");
    const Batch batch(one.at("settings"));
    double kl = 0, low = 0, high = 0, cispo = 0, phi = 0, tokens = 0, completions = 0;
    for (size_t i = 0; i < batch.now.size(); ++i) {
      const CompletionLoss loss = batch.loss_of(i);
      // TRL counts completions where one ratio stands for all.
      const bool whole = batch.config.loss_type == PolicyLossType::kRloo ||
                         batch.config.importance_sampling_level == ImportanceLevel::kSequence;
      const double unit = whole ? static_cast<double>(batch.now[i].size()) : 1;
      kl += loss.kl;
      low += loss.low_clipped / unit;
      high += loss.high_clipped / unit;
      cispo += loss.cispo_clipped / unit;
      phi += loss.vespo_phi;
      tokens += static_cast<double>(batch.now[i].size()) / unit;
      completions += 1;
    }
    const auto expect = [&](const char* key, double ours) {
      const Json* wanted = metrics.find(key);
      if (wanted == nullptr) return;
      EXPECT_NEAR(ours, wanted->as_double(), 1e-5 * (1 + std::abs(ours))) << name << " " << key;
    };
    double all_tokens = 0;
    for (const auto& row : batch.now) all_tokens += static_cast<double>(row.size());
    expect("kl", kl / all_tokens);
    expect("clip_ratio/low_mean", low / tokens);
    expect("clip_ratio/high_mean", high / tokens);
    expect("clip_ratio/region_mean", (low + high) / tokens);
    expect("cispo_clip_ratio", cispo / tokens);
    expect("vespo/phi_seq_mean", phi / completions);
  }
}

TEST(PolicyLoss, SlopesAreTheFiniteDifferences) {
  for (const auto& [name, one] : golden().at("losses").as_object()) {
    Batch batch(one.at("settings"));
    // Their factors have no gradient: the loss moves otherwise than its slopes say.
    if (batch.config.loss_type == PolicyLossType::kCispo ||
        batch.config.loss_type == PolicyLossType::kVespo) {
      continue;
    }
    for (size_t i = 0; i < batch.now.size(); ++i) {
      const CompletionLoss loss = batch.loss_of(i);
      for (size_t t = 0; t < batch.now[i].size(); ++t) {
        const float middle = batch.now[i][t];
        const float h = 1e-3f;
        batch.now[i][t] = middle + h;
        const double above = batch.loss_of(i).value;
        const double up = static_cast<double>(batch.now[i][t]);
        batch.now[i][t] = middle - h;
        const double below = batch.loss_of(i).value;
        const double down = static_cast<double>(batch.now[i][t]);
        batch.now[i][t] = middle;
        EXPECT_NEAR(loss.slopes[t], (above - below) / (up - down),
                    3e-5 * (1 + std::abs(loss.slopes[t])))
            << name << ", completion " << i << ", token " << t;
      }
    }
  }
}

TEST(PolicyLoss, OnPolicyTheRatioIsOneAndTheSlopeThePolicyGradient) {
  const std::vector<float> lp = {-1.5f, -0.25f, -3.0f};
  for (int i = 0; i <= static_cast<int>(PolicyLossType::kRloo); ++i) {
    PolicyLossConfig config;
    config.loss_type = static_cast<PolicyLossType>(i);
    config.epsilon_high = 5;
    const CompletionLoss loss = policy_loss(config, {lp, lp, {}, {}, 0.75}, 1);
    for (double slope : loss.slopes) EXPECT_DOUBLE_EQ(slope, -0.75) << name(config.loss_type);
    EXPECT_EQ(loss.low_clipped + loss.high_clipped, 0);
  }
}

TEST(PolicyLoss, ExtremeRatiosStayFinite) {
  for (int i = 0; i <= static_cast<int>(PolicyLossType::kRloo); ++i) {
    for (float far : {-500.0f, 500.0f}) {
      for (double advantage : {-1.0, 1.0}) {
        PolicyLossConfig config;
        config.loss_type = static_cast<PolicyLossType>(i);
        config.delta = 3;
        const std::vector<float> now = {-600.0f}, old = {-600.0f - far};
        const CompletionLoss loss = policy_loss(config, {now, old, {}, {}, advantage}, 1);
        EXPECT_TRUE(std::isfinite(loss.value) && std::isfinite(loss.slopes[0]))
            << name(config.loss_type) << far << advantage;
      }
    }
  }
}

std::vector<std::vector<Reward>> rewards_of(const Json& json) {
  std::vector<std::vector<Reward>> rewards;
  for (const Json& row : json.as_array()) {
    rewards.emplace_back();
    for (const Json& value : row.as_array()) {
      rewards.back().push_back(value.is_null() ? Reward() : Reward(value.as_double()));
    }
  }
  return rewards;
}

TEST(Advantages, AreTrls) {
  for (const auto& [name, one] : golden().at("advantages").as_object()) {
    const Json& settings = one.at("settings");
    const auto size = static_cast<size_t>(settings.at("num_generations").as_int());
    const auto rewards = rewards_of(one.at("rewards"));
    std::vector<double> weights, ours;
    if (const Json* given = settings.find("reward_weights")) weights = doubles_of(*given);
    if (name.starts_with("rloo")) {
      std::vector<Reward> sums;
      const Json* beta = settings.find("beta");
      const Json* clip = settings.find("reward_clip_range");
      for (size_t i = 0; i < rewards.size(); ++i) {
        sums.push_back(rloo_reward(reward::weighted_sum(rewards[i], weights),
                                   clip == nullptr ? std::vector<double>() : doubles_of(*clip),
                                   beta == nullptr ? 0 : beta->as_double(),
                                   doubles_of(one.at("kl"))[i]));
      }
      ours = leave_one_out_advantages(sums, size, settings.find("normalize_advantages") != nullptr)
                 .values;
    } else {
      const Json* scale = settings.find("scale_rewards");
      const std::string by = scale == nullptr ? "group" : scale->as_string();
      ours = group_advantages(rewards, weights, size,
                              by == "group"   ? ScaleRewards::kGroup
                              : by == "batch" ? ScaleRewards::kBatch
                                              : ScaleRewards::kNone,
                              settings.find("multi_objective_aggregation") != nullptr
                                  ? RewardAggregation::kNormalizeThenSum
                                  : RewardAggregation::kSumThenNormalize)
                 .values;
    }
    const std::vector<double> wanted = doubles_of(one.at("advantages"));
    ASSERT_EQ(ours.size(), wanted.size()) << name;
    // TRL's deviation passes through f32.
    for (size_t i = 0; i < ours.size(); ++i) {
      EXPECT_NEAR(ours[i], wanted[i], 1e-7 * (1 + std::abs(wanted[i]))) << name << i;
    }
  }
}

TEST(Advantages, EqualRewardsAreWithoutSpreadAndTeachNothing) {
  const std::vector<std::vector<Reward>> rewards = {{0.1}, {0.1}, {0.1}, {0.3}, {0.1}, {0.2}};
  const Advantages a =
      group_advantages(rewards, {}, 3, ScaleRewards::kGroup, RewardAggregation::kSumThenNormalize);
  EXPECT_EQ(a.without_spread, (std::vector<bool>{true, true, true, false, false, false}));
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(a.values[i], 0, 1e-9);
}

TEST(Advantages, OfABatchAreCentredAndScaled) {
  const std::vector<Reward> rewards = {1.0, 0.0, Reward(), 3.0};
  const std::vector<double> plain = batch_advantages(rewards, 2, false).values;
  EXPECT_EQ(plain[2], 0);
  EXPECT_NEAR(plain[0] + plain[1] + plain[3], 0, 1e-12);
  const std::vector<double> grouped = batch_advantages(rewards, 2, true).values;
  EXPECT_GT(grouped[0], grouped[1]);
  EXPECT_NEAR(grouped[3], 0, 1e-12);  // alone in its group
}

}  // namespace
}  // namespace hone::train
