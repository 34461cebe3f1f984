#include "registry/gate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace hone::registry {
namespace {

const std::string kHeldout(64, 'a'), kSecond(64, 'b'), kCandidate(64, 'c'), kChampion(64, 'd');

GateComparison on(const std::string& data, quality::Verdict verdict) {
  GateComparison set;
  set.data_digest = data;
  set.metric = "likelihood_accuracy";
  set.candidate_digest = kCandidate;
  set.champion_digest = kChampion;
  set.n = 200;
  set.champion_mean = 0.6;
  set.candidate_mean = 0.8;
  set.verdict = verdict;
  return set;
}

class GateTest : public ::testing::Test {
 protected:
  GateTest() {
    gate_.heldout_digest = kHeldout;
    evidence_.main = on(kHeldout, quality::Verdict::kBetter);
  }
  void add_floor(double floor, bool no_worse) {
    gate_.floor_digest = kSecond;
    gate_.floor = floor;
    gate_.no_worse = no_worse;
    evidence_.second = on(kSecond, quality::Verdict::kNoDifferenceShown);
  }
  GateOutcome outcome() const { return decide(gate_, evidence_, kCandidate, kChampion).outcome; }
  std::string refusal() const {
    try {
      decide(gate_, evidence_, kCandidate, kChampion);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  }
  GateSettings gate_;
  GateEvidence evidence_;
};

TEST_F(GateTest, TheVerdictDecides) {
  EXPECT_EQ(outcome(), GateOutcome::kPromoted);
  evidence_.main.verdict = quality::Verdict::kWorse;
  EXPECT_EQ(outcome(), GateOutcome::kWorse);
  evidence_.main.verdict = quality::Verdict::kTooFew;
  EXPECT_EQ(outcome(), GateOutcome::kTooFew);
  evidence_.main.verdict = quality::Verdict::kNoDifferenceShown;
  EXPECT_EQ(outcome(), GateOutcome::kKept);
}

TEST_F(GateTest, TooFewItemsWeighMoreThanAGoodVerdict) {
  gate_.items_min = 201;
  EXPECT_EQ(outcome(), GateOutcome::kTooFew);
  gate_.items_min = 200;
  EXPECT_EQ(outcome(), GateOutcome::kPromoted);
}

TEST_F(GateTest, APromptThatWasTrainedOnKeepsTheChampion) {
  evidence_.overlap_main = 1;
  EXPECT_EQ(outcome(), GateOutcome::kKept);
  evidence_.overlap_main = 0;
  evidence_.overlap_second = 3;
  EXPECT_EQ(outcome(), GateOutcome::kKept);
}

TEST_F(GateTest, TheFloorHolds) {
  add_floor(0.8, false);
  EXPECT_EQ(outcome(), GateOutcome::kPromoted);
  gate_.floor = 0.81;
  EXPECT_EQ(outcome(), GateOutcome::kKept);
  evidence_.second->candidate_mean = std::nan("");
  EXPECT_EQ(outcome(), GateOutcome::kKept) << "what is no number is not above a floor";
}

TEST_F(GateTest, WorseOnTheSecondSetCountsOnlyWhenAsked) {
  add_floor(0.1, false);
  evidence_.second->verdict = quality::Verdict::kWorse;
  EXPECT_EQ(outcome(), GateOutcome::kPromoted);
  gate_.no_worse = true;
  EXPECT_EQ(outcome(), GateOutcome::kKept);
}

TEST_F(GateTest, EvidenceAboutSomethingElseIsRefused) {
  evidence_.main.data_digest = kSecond;
  EXPECT_NE(refusal().find("the data that the gate names"), std::string::npos);
  evidence_.main = on(kHeldout, quality::Verdict::kBetter);
  evidence_.main.candidate_digest = kChampion;
  EXPECT_NE(refusal().find("the candidate"), std::string::npos);
  evidence_.main = on(kHeldout, quality::Verdict::kBetter);
  evidence_.main.champion_digest = kCandidate;
  EXPECT_NE(refusal().find("the model that the alias answers with now"), std::string::npos);
  evidence_.main = on(kHeldout, quality::Verdict::kBetter);
  gate_.floor_digest = kSecond;
  EXPECT_NE(refusal().find("floor on a second set"), std::string::npos);
}

TEST_F(GateTest, TheFirstModelNeedsNoChampion) {
  evidence_.main.verdict = quality::Verdict::kTooFew;
  evidence_.main.champion_digest.clear();
  EXPECT_EQ(decide(gate_, evidence_, kCandidate, "").outcome, GateOutcome::kPromoted);
  add_floor(0.9, true);
  EXPECT_EQ(decide(gate_, evidence_, kCandidate, "").outcome, GateOutcome::kKept);
}

TEST_F(GateTest, AFloorThatNoModelReachesIsRefused) {
  add_floor(1, false);
  gate_.floor_metric = "likelihood_accuracy";
  check_floor(gate_);
  gate_.floor_metric = "reward_margin";
  gate_.floor = -60;
  check_floor(gate_);
  for (const double floor : {60.0, 1.001, -0.1}) {
    gate_.floor_metric = "likelihood_accuracy";
    gate_.floor = floor;
    EXPECT_THROW(check_floor(gate_), Error) << floor;
  }
}

TEST_F(GateTest, SettingsSurviveTheirJsonAndWrongOnesAreNamed) {
  add_floor(0.25, true);
  gate_.items_min = 40;
  EXPECT_EQ(GateSettings::from_json(gate_.to_json()).to_json(), gate_.to_json());
  const auto refused = [](const char* text) {
    try {
      GateSettings::from_json(Json::parse(text).value());
    } catch (const Error& error) {
      return error.message();
    }
    return std::string();
  };
  EXPECT_NE(refused("[]").find("JSON object"), std::string::npos);
  EXPECT_NE(refused(R"({"heldout_digest":"x"})").find("heldout_digest"), std::string::npos);
  EXPECT_NE(refused(R"({"alpha":0.1})").find("\"alpha\" is no setting"), std::string::npos);
  EXPECT_NE(refused(R"({"floor":"high"})").find("floor must be a number"), std::string::npos);
  EXPECT_NE(refused(R"({"items_min":1.5})").find("whole number"), std::string::npos);
}

}  // namespace
}  // namespace hone::registry
