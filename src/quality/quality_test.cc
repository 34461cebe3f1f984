// src/quality against SciPy and statsmodels (tests/golden/quality/) and against what must hold.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "quality/bootstrap.h"
#include "quality/normal.h"
#include "quality/paired_tests.h"
#include "quality/verdict.h"

namespace hone::quality {
namespace {

using Rows = std::vector<std::vector<double>>;

Rows golden(const std::string& name) {
  std::ifstream file("tests/golden/quality/quality.txt");
  Rows rows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first, number;
    words >> first;
    if (first != name) continue;
    rows.emplace_back();
    while (words >> number) rows.back().push_back(std::strtod(number.c_str(), nullptr));
  }
  EXPECT_FALSE(rows.empty()) << name << ": no golden values; tests run from the top of the tree";
  return rows;
}

void expect_close(double value, double expected, double relative, const std::string& what) {
  EXPECT_LE(std::fabs(value - expected), relative * std::fabs(expected))
      << what << ": " << value << " where the witness has " << expected;
}

TEST(Normal, DistributionAndDensityAgreeWithSciPyFarIntoTheTails) {
  for (const auto& row : golden("normal_cdf")) {
    expect_close(normal_cdf(row[0]), row[1], 2e-13, "cdf " + std::to_string(row[0]));
  }
  for (const auto& row : golden("normal_pdf")) {
    expect_close(normal_pdf(row[0]), row[1], 2e-14, "pdf " + std::to_string(row[0]));
  }
}

TEST(Normal, QuantileAgreesWithSciPyAndUndoesTheDistribution) {
  for (const auto& row : golden("normal_quantile")) {
    expect_close(normal_quantile(row[0]), row[1], 1e-12, "quantile " + std::to_string(row[0]));
    expect_close(normal_cdf(normal_quantile(row[0])), row[0], 1e-12, "round trip");
  }
}

TEST(Normal, RefusesWhatHasNoAnswer) {
  for (const double p : {0.0, 1.0, -0.1, 1.1, std::nan("")})
    EXPECT_THROW(normal_quantile(p), Error);
  EXPECT_THROW(normal_cdf(std::nan("")), Error);
  EXPECT_EQ(normal_cdf(std::numeric_limits<double>::infinity()), 1.0);
  EXPECT_EQ(normal_cdf(-std::numeric_limits<double>::infinity()), 0.0);
}

TEST(McNemar, ExactAndMidPAgreeWithStatsmodelsAndSciPy) {
  for (const auto& row : golden("mcnemar")) {
    const auto test = mcnemar(static_cast<uint64_t>(row[0]), static_cast<uint64_t>(row[1]));
    const std::string what = std::to_string(row[0]) + " against " + std::to_string(row[1]);
    if (row[2] < 1e-290) {  // 2^-2002 C(2002, 2): below the doubles, and so for the witness
      EXPECT_LT(test.p, 1e-290) << what;
      continue;
    }
    expect_close(test.p, row[2], 1e-9, "p of " + what);
    expect_close(test.mid_p, row[3], 1e-9, "mid-p of " + what);
  }
}

TEST(McNemar, DoesNotCareWhichSystemIsNamedFirst) {
  EXPECT_EQ(mcnemar(3, 9).p, mcnemar(9, 3).p);
  EXPECT_EQ(mcnemar(0, 0).p, 1.0);
  EXPECT_EQ(mcnemar(1, 1).p, 1.0);
  EXPECT_THROW(mcnemar(~0ull, 1), Error);
}

TEST(SignTest, LeavesZerosOutAndRefusesNaN) {
  const std::vector<double> values = {1.0, 2.0, -1.0, 0.0, 0.5, 0.25, -0.0};
  const SignTest test = sign_test(values);
  EXPECT_EQ(test.positive, 4u);
  EXPECT_EQ(test.negative, 1u);
  EXPECT_EQ(test.zero, 2u);
  EXPECT_EQ(test.test.p, mcnemar(4, 1).p);
  EXPECT_EQ(test.test.p, 0.375);  // 2 (1 + 5) / 32
  const std::vector<double> bad = {std::nan("")};
  EXPECT_THROW(sign_test(bad), Error);
}

TEST(Wilson, AgreesWithStatsmodelsAlsoForHalves) {
  for (const auto& row : golden("wilson")) {
    const Interval interval = wilson_interval(row[0], row[1], row[2]);
    EXPECT_NEAR(interval.low, row[3], 1e-12);
    EXPECT_NEAR(interval.high, row[4], 1e-12);
  }
}

TEST(Wilson, NothingSeenMeansNothingKnownAndNonsenseIsRefused) {
  EXPECT_EQ(wilson_interval(0, 0).low, 0.0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1.0);
  EXPECT_EQ(wilson_interval(0, 5).low, 0.0);
  EXPECT_EQ(wilson_interval(5, 5).high, 1.0);
  EXPECT_THROW(wilson_interval(3, 2), Error);
  EXPECT_THROW(wilson_interval(-1, 2), Error);
  EXPECT_THROW(wilson_interval(1, 2, 1.0), Error);
  EXPECT_THROW(wilson_interval(1, std::nan("")), Error);
}

std::vector<double> skewed_series(size_t n) {  // as in make_quality.py
  std::vector<double> values;
  for (size_t i = 0; i < n; ++i) {
    const double base = static_cast<double>((i * 7919) % 101) / 50.0 - 0.8;
    values.push_back(base * base * base + 0.02);
  }
  return values;
}

TEST(Bootstrap, PercentileAndBcaAgreeWithSciPyWithinTheNoiseOfTheDraws) {
  for (const std::string method : {"percentile", "bca"}) {
    for (const auto& row : golden("bootstrap_" + method)) {
      const auto values = skewed_series(static_cast<size_t>(row[0]));
      const BootstrapResult result = bootstrap_mean(values, {.rounds = 40000});
      expect_close(result.mean, row[1], 1e-12, "mean");
      const Interval interval = method == "bca" ? result.bca : result.percentile;
      // The quantile of 40,000 rounds has a standard error near 0.013 of the mean's own.
      EXPECT_NEAR(interval.low, row[2], 0.06 * result.standard_error) << method;
      EXPECT_NEAR(interval.high, row[3], 0.06 * result.standard_error) << method;
    }
  }
}

TEST(Bootstrap, SameSeedSameBitsOtherSeedOtherDraws) {
  const auto values = skewed_series(40);
  const auto first = bootstrap_mean(values, {.rounds = 500, .seed = 7});
  const auto again = bootstrap_mean(values, {.rounds = 500, .seed = 7});
  const auto other = bootstrap_mean(values, {.rounds = 500, .seed = 8});
  EXPECT_EQ(first.bca.low, again.bca.low);
  EXPECT_EQ(first.percentile.high, again.percentile.high);
  EXPECT_NE(first.percentile.high, other.percentile.high);
}

TEST(Bootstrap, ClustersOfEqualItemsWidenTheInterval) {
  std::vector<double> values;
  std::vector<uint64_t> clusters;
  for (const double value : skewed_series(30)) {
    for (int copy = 0; copy < 4; ++copy) {
      values.push_back(value);
      clusters.push_back(1000 - (values.size() - 1) / 4);
    }
  }
  const auto alone = bootstrap_mean(values, {.rounds = 4000});
  const auto together = bootstrap_mean(values, {.rounds = 4000}, clusters);
  EXPECT_DOUBLE_EQ(alone.mean, together.mean);
  EXPECT_NEAR(together.standard_error / alone.standard_error, 2.0, 0.15);  // sqrt(4)
}

TEST(Bootstrap, ConstantDifferencesGiveAPoint) {
  const std::vector<double> values(12, 0.25);
  const auto result = bootstrap_mean(values, {.rounds = 200});
  EXPECT_EQ(result.bca.low, 0.25);
  EXPECT_EQ(result.bca.high, 0.25);
}

TEST(Bootstrap, RefusesTooFewItemsAndNonsense) {
  const std::vector<double> one = {1.0}, two = {1.0, 2.0};
  const std::vector<double> infinite = {1.0, std::numeric_limits<double>::infinity()};
  const std::vector<uint64_t> same = {5, 5}, three = {1, 2, 3};
  EXPECT_THROW(bootstrap_mean(one), Error);
  EXPECT_THROW(bootstrap_mean(infinite), Error);
  EXPECT_THROW(bootstrap_mean(two, {.rounds = 10}), Error);
  EXPECT_THROW(bootstrap_mean(two, {.confidence = 1.0}), Error);
  EXPECT_THROW(bootstrap_mean(two, {}, same), Error);
  EXPECT_THROW(bootstrap_mean(two, {}, three), Error);
}

TEST(Quantile, InterpolatesAsNumpyDoes) {
  const std::vector<double> values = {1.0, 2.0, 4.0, 8.0};
  EXPECT_EQ(sorted_quantile(values, 0.0), 1.0);
  EXPECT_EQ(sorted_quantile(values, 0.5), 3.0);
  EXPECT_EQ(sorted_quantile(values, 1.0), 8.0);
  EXPECT_THROW(sorted_quantile({}, 0.5), Error);
}

TEST(Power, ItemsNeededAndSmallestEffectAgreeWithTheFormulaInSciPy) {
  for (const auto& row : golden("items_needed_rate")) {
    const PowerOptions options = {.alpha = row[2], .power = row[3]};
    EXPECT_EQ(static_cast<double>(items_needed_rate(row[0], row[1], options)), row[4]);
  }
  for (const auto& row : golden("smallest_detectable_rate")) {
    EXPECT_NEAR(smallest_detectable_rate(static_cast<uint64_t>(row[0]), row[1]), row[2], 1e-9);
  }
  EXPECT_NEAR(smallest_detectable_mean(1319, 0.447213595), 0.0345, 1e-4);
  EXPECT_EQ(items_needed_mean(0.2, 1.0), 197u);  // (1.95996 + 0.84162)^2 / 0.04 = 196.2
}

TEST(Power, RefusesAnEffectOfNothing) {
  EXPECT_THROW(items_needed_rate(0.0, 0.2), Error);
  EXPECT_THROW(items_needed_rate(0.1, 1.2), Error);
  EXPECT_THROW(items_needed_mean(-1.0, 1.0), Error);
  EXPECT_THROW(smallest_detectable_rate(10, 0.1, {.alpha = 0.0}), Error);
  EXPECT_THROW(smallest_detectable_mean(0, 1.0), Error);
}

TEST(Verdict, RatesFollowTheRuleInTheHeader) {
  EXPECT_EQ(judge_rates(200, 60, 10).verdict, Verdict::kBetter);
  EXPECT_EQ(judge_rates(200, 10, 60).verdict, Verdict::kWorse);
  EXPECT_EQ(judge_rates(2000, 30, 32).verdict, Verdict::kNoDifferenceShown);
  EXPECT_EQ(judge_rates(2000, 0, 0).verdict, Verdict::kNoDifferenceShown);

  const Judgement small = judge_rates(40, 6, 4);  // not significant, and 40 could not have shown it
  EXPECT_EQ(small.verdict, Verdict::kTooFew);
  EXPECT_EQ(small.items_more, items_needed_rate(0.05, 0.25) - 40);

  const Judgement lucky = judge_rates(500, 45, 25);  // p = 0.022, but 4 points < what 500 can show
  EXPECT_LT(mcnemar(45, 25).p, 0.05);
  EXPECT_EQ(lucky.verdict, Verdict::kTooFew);
  EXPECT_GT(lucky.smallest_detectable_effect, 0.04);
  EXPECT_EQ(lucky.items_more, items_needed_rate(0.04, 0.14) - 500);

  EXPECT_EQ(judge_rates(9, 9, 0).verdict, Verdict::kTooFew);
  EXPECT_EQ(judge_rates(10, 10, 0).verdict, Verdict::kBetter);
  EXPECT_EQ(judge_rates(0, 0, 0).verdict, Verdict::kTooFew);
  EXPECT_THROW(judge_rates(5, 4, 2), Error);
}

TEST(Verdict, MeansFollowTheRuleInTheHeader) {
  EXPECT_EQ(judge_means(100, 0.5, 1.0, {0.3, 0.7}).verdict, Verdict::kBetter);
  EXPECT_EQ(judge_means(100, -0.5, 1.0, {-0.7, -0.3}).verdict, Verdict::kWorse);
  EXPECT_EQ(judge_means(400, 0.01, 1.0, {-0.09, 0.11}).verdict, Verdict::kNoDifferenceShown);
  const Judgement few = judge_means(100, 0.01, 1.0, {-0.19, 0.21});
  EXPECT_EQ(few.verdict, Verdict::kTooFew);
  EXPECT_EQ(few.items_more, 97u);
  const Judgement lucky = judge_means(100, 0.22, 1.0, {0.02, 0.42});
  EXPECT_EQ(lucky.verdict, Verdict::kTooFew);
  EXPECT_EQ(lucky.items_more, items_needed_mean(0.22, 1.0) - 100);
  EXPECT_EQ(judge_means(9, 5.0, 0.1, {4.0, 6.0}).verdict, Verdict::kTooFew);
}

TEST(Verdict, WordsAreTheOnesThatReportsPromise) {
  EXPECT_EQ(verdict_name(Verdict::kBetter), "better");
  EXPECT_EQ(verdict_name(Verdict::kNoDifferenceShown), "no difference shown");
  EXPECT_EQ(verdict_name(Verdict::kWorse), "worse");
  EXPECT_EQ(verdict_name(Verdict::kTooFew), "too few");
}

}  // namespace
}  // namespace hone::quality
