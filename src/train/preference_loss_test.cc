#include "train/preference_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "train/testing.h"

namespace hone::train {
namespace {

using llm::testing::doubles_of;

std::vector<PairLogProbs> table(const Json& golden) {
  std::vector<PairLogProbs> pairs;
  for (const Json& row : golden.at("table").as_array()) {
    const std::vector<double> r = doubles_of(row);
    pairs.push_back({r[0], r[1], r[2], r[3], static_cast<size_t>(r[4]), static_cast<size_t>(r[5])});
  }
  return pairs;
}

void expect_near(double ours, double wanted, const std::string& what) {
  EXPECT_NEAR(ours, wanted, 2e-9 * std::max(1.0, std::abs(wanted))) << what;
}

TEST(PreferenceLoss, EveryLossGivesTrlsValueAndGradients) {
  const Json golden = llm::testing::read_json(llm::testing::kGolden + "dpo_losses.json");
  const std::vector<PairLogProbs> pairs = table(golden);
  const double n = static_cast<double>(pairs.size());
  std::vector<bool> seen(preference_loss_names().size(), false);
  for (const auto& [name, one] : golden.at("cases").as_object()) {
    const Json& types = one.at("loss_type");
    const Json* weights = one.find("loss_weights");
    const Json* smoothing = one.find("label_smoothing");
    const double e = smoothing == nullptr ? 0 : smoothing->as_double();
    double chosen_tokens = 0;
    for (const PairLogProbs& pair : pairs) chosen_tokens += static_cast<double>(pair.chosen_tokens);
    double total = 0;
    for (size_t i = 0; i < pairs.size(); ++i) {
      double value = 0, d_chosen = 0, d_rejected = 0;
      for (size_t k = 0; k < types.size(); ++k) {
        const auto type = preference_loss_from_name(types.as_array()[k].as_string());
        ASSERT_TRUE(type.has_value()) << name;
        seen[static_cast<size_t>(*type)] = true;
        const double w = weights == nullptr ? 1 : weights->as_array()[k].as_double();
        if (*type == PreferenceLossType::kSft) {  // dpo.cc's: over all chosen tokens of the batch
          value -= w * n * pairs[i].chosen / chosen_tokens;
          d_chosen -= w * n / chosen_tokens;
          continue;
        }
        const PairLoss loss = preference_loss(*type, one.at("beta").as_double(), e, pairs[i]);
        value += w * loss.value;
        d_chosen += w * loss.d_chosen;
        d_rejected += w * loss.d_rejected;
      }
      total += value / n;
      const std::string what = name + " pair " + std::to_string(i);
      if (const Json* per_pair = one.find("per_pair")) {
        expect_near(value, per_pair->as_array()[i].as_double(), what);
      }
      expect_near(d_chosen / n, one.at("grad_logp_chosen").as_array()[i].as_double(), what);
      expect_near(d_rejected / n, one.at("grad_logp_rejected").as_array()[i].as_double(), what);
    }
    expect_near(total, one.at("loss").as_double(), name);
  }
  for (size_t i = 0; i < seen.size(); ++i) {  // those that sort are in dpo_family_test.cc
    const std::string loss = preference_loss_names()[i];
    EXPECT_TRUE(seen[i] || is_coupled(*preference_loss_from_name(loss))) << loss;
  }
}

TEST(PreferenceLoss, AProbabilityMixesBothOrdersAndForSigmoidIsLabelSmoothing) {
  const PairLogProbs pair{-12, -15, -13, -13.5, 7, 9};
  const PairLogProbs swapped{-15, -12, -13.5, -13, 9, 7};
  for (const std::string& name : preference_loss_names()) {
    if (name == "sft" || is_coupled(*preference_loss_from_name(name))) continue;
    const PreferenceLossType type = *preference_loss_from_name(name);
    const double e = type == PreferenceLossType::kExoPair ? 0.1 : 0.0;
    const PairLoss mixed = preference_loss(type, PreferenceForm{0.1, e}, pair, 0.7);
    const PairLoss a = preference_loss(type, 0.1, e, pair),
                   b = preference_loss(type, 0.1, e, swapped);
    EXPECT_NEAR(mixed.value, 0.7 * a.value + 0.3 * b.value, 1e-12) << name;
    const auto at = [&](double chosen, double rejected) {
      PairLogProbs moved = pair;
      moved.chosen += chosen;
      moved.rejected += rejected;
      return preference_loss(type, PreferenceForm{0.1, e}, moved, 0.7).value;
    };
    const double h = 1e-4;
    EXPECT_NEAR(mixed.d_chosen, (at(h, 0) - at(-h, 0)) / (2 * h), 1e-5) << name;
    EXPECT_NEAR(mixed.d_rejected, (at(0, h) - at(0, -h)) / (2 * h), 1e-5) << name;
  }
  EXPECT_NEAR(
      preference_loss(PreferenceLossType::kSigmoid, PreferenceForm{0.1, 0}, pair, 0.8).value,
      preference_loss(PreferenceLossType::kSigmoid, 0.1, 0.2, pair).value, 1e-12);
}

TEST(PreferenceLoss, ExtremeMarginsStayFinite) {
  for (const std::string& name : preference_loss_names()) {
    if (name == "sft" || is_coupled(*preference_loss_from_name(name))) continue;
    for (double margin : {-3000.0, 3000.0}) {
      const PairLoss loss =
          preference_loss(*preference_loss_from_name(name), 0.1, 0, {margin, 0, 0, 0, 3, 3});
      EXPECT_TRUE(std::isfinite(loss.value) && std::isfinite(loss.d_chosen)) << name << margin;
    }
  }
}

TEST(PreferenceLoss, AnUnknownNameIsNothing) {
  EXPECT_FALSE(preference_loss_from_name("sigmoidal").has_value());
  EXPECT_FALSE(preference_loss_from_name("").has_value());
}

}  // namespace
}  // namespace hone::train
