// Planted parameters: simulated voters with known strengths, and how often the stated intervals
// hold them. HONE_TEST_LONG=1 runs the 1,000 simulations that issue 4 asks for with its bounds of
// 93 to 97 %; without it there are 300 and the bounds are as wide as the binomial makes them.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/rng.h"
#include "quality/math.h"
#include "quality/rank.h"

namespace hone::quality {
namespace {

bool long_test() {
  const char* value = std::getenv("HONE_TEST_LONG");
  return value != nullptr && std::string(value) != "" && std::string(value) != "0";
}

constexpr size_t kWorkers = 40;
constexpr size_t kVotesOfWorker = 60;  // 20 answers, each given three times: clusters that matter
const std::vector<double> kPlanted = {0.8, 0.3, 0.0, -0.3, -0.8};
constexpr double kPlantedLeft = 0.25;
constexpr double kPlantedTie = 0.7;  // nu, or log theta

enum class World { kNoTies, kDavidson, kRaoKupper };

Winner draw(World world, double d, double u) {
  double left = 0.0, right = 0.0;
  if (world == World::kDavidson) {
    const double a = math::exp(d / 2), b = math::exp(-d / 2), sum = a + b + kPlantedTie;
    left = a / sum;
    right = b / sum;
  } else {
    const double threshold = world == World::kRaoKupper ? kPlantedTie : 0.0;
    left = math::sigmoid(d - threshold);
    right = math::sigmoid(-d - threshold);
  }
  return u < left ? Winner::kLeft : u < left + right ? Winner::kRight : Winner::kTie;
}

ComparisonTable simulate(World world, size_t simulation) {
  Rng rng(11, rng_stream("rank coverage", static_cast<uint64_t>(world), simulation));
  ComparisonTableBuilder builder;
  for (size_t worker = 0; worker < kWorkers; ++worker) {
    for (size_t vote = 0; vote < kVotesOfWorker / 3; ++vote) {
      const size_t left = rng.below(kPlanted.size());
      size_t right = rng.below(kPlanted.size() - 1);
      if (right >= left) ++right;
      const Winner winner =
          draw(world, kPlanted[left] - kPlanted[right] + kPlantedLeft, rng.uniform());
      for (int copy = 0; copy < 3; ++copy) {
        builder.add(std::to_string(left), std::to_string(right), winner, std::to_string(worker));
      }
    }
  }
  return std::move(builder).build();
}

struct Coverage {
  double strengths = 0.0, bootstrap = 0.0, left = 0.0, tie = 0.0, alone = 0.0;
};

Coverage coverage(World world, RankMethod method, size_t simulations, size_t rounds) {
  Coverage held;
  RankOptions options;
  options.method = method;
  options.cluster = ClusterBy::kWorker;
  options.bootstrap_rounds = rounds;
  options.adjust_left = true;
  RankOptions alone = options;
  alone.cluster = ClusterBy::kNone;
  alone.bootstrap_rounds = 0;
  constexpr double kPoints = 400.0 / 2.302585092994045684;
  const double each = static_cast<double>(simulations * kPlanted.size());
  const auto holds = [](const Interval& interval, double value) {
    return interval.low <= value && value <= interval.high ? 1.0 : 0.0;
  };
  for (size_t s = 0; s < simulations; ++s) {
    const ComparisonTable table = simulate(world, s);
    const Ranking ranking = rank(table, options), naive = rank(table, alone);
    for (size_t i = 0; i < ranking.rows.size(); ++i) {
      const double planted = 1000.0 + kPoints * kPlanted[ranking.rows[i].index];
      held.strengths += holds(ranking.rows[i].interval, planted) / each;
      held.bootstrap += holds(ranking.rows[i].bootstrap_interval, planted) / each;
      held.alone +=
          holds(naive.rows[i].interval, 1000.0 + kPoints * kPlanted[naive.rows[i].index]) / each;
    }
    held.left += holds(ranking.left->interval, kPlantedLeft) / static_cast<double>(simulations);
    if (ranking.tie_parameter) {
      const double reach = 2.02 * ranking.tie_parameter_standard_error;
      const double planted = method == RankMethod::kDavidson ? kPlantedTie : std::exp(kPlantedTie);
      held.tie += holds({*ranking.tie_parameter - reach, *ranking.tie_parameter + reach}, planted) /
                  static_cast<double>(simulations);
    }
  }
  return held;
}

void expect_nominal(double share, size_t simulations, const char* what) {
  // The promised two points; with fewer simulations four standard deviations of a binomial.
  const double slack =
      long_test() ? 0.02 : 4.0 * std::sqrt(0.95 * 0.05 / static_cast<double>(simulations));
  EXPECT_GE(share, 0.95 - slack) << what;
  EXPECT_LE(share, 0.95 + slack) << what;
  testing::Test::RecordProperty(what, std::to_string(share));
  std::printf("  %s: %.2f %% of %zu simulations\n", what, 100.0 * share, simulations);
}

TEST(RankCoverage, ClusteredIntervalsHoldWhatWasPlantedAtTheirStatedRate) {
  const size_t simulations = long_test() ? 1000 : 300;
  struct Case {
    World world;
    RankMethod method;
  };
  for (const Case& test : {Case{World::kNoTies, RankMethod::kBradleyTerry},
                           Case{World::kDavidson, RankMethod::kDavidson},
                           Case{World::kRaoKupper, RankMethod::kRaoKupper}}) {
    SCOPED_TRACE(rank_method_name(test.method));
    const Coverage held = coverage(test.world, test.method, simulations, 0);
    expect_nominal(held.strengths, simulations, "strengths");
    expect_nominal(held.left, simulations, "left");
    if (test.world != World::kNoTies) expect_nominal(held.tie, simulations, "tie");
    EXPECT_LT(held.alone, 0.85) << "the same intervals without clusters are too narrow";
  }
}

TEST(RankCoverage, BootstrapIntervalsHoldWhatWasPlanted) {
  const size_t simulations = long_test() ? 1000 : 100;
  const Coverage held = coverage(World::kNoTies, RankMethod::kBradleyTerry, simulations, 200);
  // Percentile intervals of 40 clusters and 200 rounds are known to be a little narrow.
  std::printf("  bootstrap: %.2f %% of %zu simulations\n", 100.0 * held.bootstrap, simulations);
  EXPECT_GE(held.bootstrap, 0.91);
  EXPECT_LE(held.bootstrap, 0.98);
}

TEST(RankCoverage, CrowdBtRecoversWhoAnswersAtRandomAndBackwards) {
  Rng rng(12, rng_stream("crowd-bt planted"));
  // 1,000 votes a worker: with 100 the posterior mode set the strengths 38 % too far apart.
  ComparisonTableBuilder builder;
  for (size_t worker = 0; worker < 60; ++worker) {
    const double eta = worker < 10 ? 0.1 : worker < 20 ? 0.5 : 0.95;
    for (size_t vote = 0; vote < 1000; ++vote) {
      const size_t left = rng.below(kPlanted.size());
      size_t right = rng.below(kPlanted.size() - 1);
      if (right >= left) ++right;
      const double p = math::sigmoid(2.0 * (kPlanted[left] - kPlanted[right]));
      const bool says_left = rng.uniform() < eta * p + (1 - eta) * (1 - p);
      builder.add(std::to_string(left), std::to_string(right),
                  says_left ? Winner::kLeft : Winner::kRight, std::to_string(100 + worker));
    }
  }
  RankOptions options;
  options.method = RankMethod::kCrowdBt;
  options.bootstrap_rounds = 0;
  const ComparisonTable table = std::move(builder).build();
  const Ranking crowd = rank(table, options);
  ASSERT_EQ(crowd.workers.size(), 60u);
  double means[3] = {0.0, 0.0, 0.0};
  for (size_t worker = 0; worker < 60; ++worker) {
    means[worker < 10   ? 0
          : worker < 20 ? 1
                        : 2] += crowd.workers[worker].eta / (worker < 20 ? 10.0 : 40.0);
  }
  EXPECT_LT(means[0], 0.3);
  EXPECT_NEAR(means[1], 0.5, 0.15);
  EXPECT_GT(means[2], 0.85);
  options.method = RankMethod::kBradleyTerry;
  const Ranking plain = rank(table, options);
  for (size_t i = 0; i < kPlanted.size(); ++i) {
    const RankRow& row = crowd.rows[i];
    const double planted = 2.0 * kPlanted[row.index];
    EXPECT_NEAR(row.strength, planted, 0.25) << row.name;
    // Votes at random and backwards flatten the plain ranking; not this one.
    if (std::fabs(planted) > 1.0) {
      EXPECT_LT(std::fabs(plain.rows[i].strength), 0.8 * std::fabs(planted));
    }
  }
}

}  // namespace
}  // namespace hone::quality
