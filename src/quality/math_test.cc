// src/quality/math.h against mpmath (tests/golden/quality/math.txt).

#include "quality/math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

namespace hone::quality::math {
namespace {

std::vector<std::vector<double>> witness(const std::string& name) {
  std::ifstream file("tests/golden/quality/math.txt");
  std::vector<std::vector<double>> rows;
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

double ulp_of(double x) {
  const double size = std::fabs(x);
  return std::nextafter(size, std::numeric_limits<double>::infinity()) - size;
}

template <typename Function>
void expect_within_two_ulp(const std::string& name, const Function& function) {
  for (const auto& row : witness(name)) {
    EXPECT_LE(std::fabs(function(row[0]) - row[1]), 2.0 * ulp_of(row[1]))
        << name << "(" << row[0] << ") is " << function(row[0]) << ", not " << row[1];
  }
}

TEST(Math, ElementaryFunctionsAreWithinTwoUnitsInTheLastPlace) {
  expect_within_two_ulp("exp", [](double x) { return exp(x); });
  expect_within_two_ulp("log", [](double x) { return log(x); });
  expect_within_two_ulp("log1p", [](double x) { return log1p(x); });
  expect_within_two_ulp("sigmoid", [](double x) { return sigmoid(x); });
  expect_within_two_ulp("log_sigmoid", [](double x) { return log_sigmoid(x); });
}

// Many more points, against this machine's libm (itself below one unit).
TEST(Math, ElementaryFunctionsFollowTheStandardLibraryEverywhere) {
  Rng rng(4, rng_stream("math-test"));
  double worst_exp = 0, worst_log = 0, worst_log1p = 0;
  for (int i = 0; i < 200000; ++i) {
    const double x = -740.0 + 1449.0 * rng.uniform();
    const double y = std::ldexp(1.0 + rng.uniform(), static_cast<int>(rng.below(2000)) - 1000);
    const double z = i % 2 ? y : 3.0 * rng.uniform() - 0.9999;
    worst_exp = std::max(worst_exp, std::fabs(exp(x) - std::exp(x)) / ulp_of(std::exp(x)));
    worst_log = std::max(worst_log, std::fabs(log(y) - std::log(y)) / ulp_of(std::log(y)));
    worst_log1p =
        std::max(worst_log1p, std::fabs(log1p(z) - std::log1p(z)) / ulp_of(std::log1p(z)));
  }
  EXPECT_LE(worst_exp, 2.0);
  EXPECT_LE(worst_log, 2.0);
  EXPECT_LE(worst_log1p, 2.5);
}

TEST(Math, EndsOfTheRangeAreThoseOfC) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(exp(-kInfinity), 0.0);
  EXPECT_EQ(exp(-746.0), 0.0);
  EXPECT_EQ(exp(kInfinity), kInfinity);
  EXPECT_EQ(exp(710.0), kInfinity);
  EXPECT_EQ(exp(0.0), 1.0);
  EXPECT_TRUE(std::isnan(exp(nan)));
  EXPECT_EQ(log(0.0), -kInfinity);
  EXPECT_EQ(log(1.0), 0.0);
  EXPECT_EQ(log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(log(-1.0)));
  EXPECT_TRUE(std::isnan(log(nan)));
  EXPECT_EQ(log1p(-1.0), -kInfinity);
  EXPECT_EQ(log1p(0.0), 0.0);
  EXPECT_EQ(log1p(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(log1p(-1.5)));
  EXPECT_EQ(sigmoid(0.0), 0.5);
  EXPECT_EQ(sigmoid(-800.0), 0.0);
  EXPECT_EQ(sigmoid(800.0), 1.0);
  EXPECT_EQ(log_sigmoid(-800.0), -800.0);
  EXPECT_EQ(lgamma(0.0), kInfinity);
  EXPECT_EQ(log_sum_exp({}), -kInfinity);
}

// Loops are vectorised, single calls are not: the bits must not tell.
TEST(Math, ArraysHaveTheBitsOfSingleCalls) {
  Rng rng(5, rng_stream("math-test"));
  std::vector<double> in(1003), out(1003);
  for (double& x : in) x = 200.0 * rng.uniform() - 100.0;
  exp(in, out);
  for (size_t i = 0; i < in.size(); ++i) {
    volatile double x = in[i];
    EXPECT_EQ(out[i], exp(x));
  }
  std::vector<double> back(1003);
  log(out, back);
  for (size_t i = 0; i < in.size(); ++i) {
    volatile double x = out[i];
    EXPECT_EQ(back[i], log(x));
    EXPECT_NEAR(back[i], in[i], 1e-13);
  }
  EXPECT_NEAR(
      log_sum_exp(in),
      [&] {
        double sum = 0;
        for (const double x : in) sum += std::exp(x);
        return std::log(sum);
      }(),
      1e-12);
}

TEST(Math, DigammaAndLogGammaFollowTheWitness) {
  for (const auto& row : witness("digamma")) {
    EXPECT_LE(std::fabs(digamma(row[0]) - row[1]), 1e-14 * std::max(1.0, std::fabs(row[1])))
        << "digamma(" << row[0] << ") is " << digamma(row[0]) << ", not " << row[1];
  }
  for (const auto& row : witness("lgamma")) {
    EXPECT_LE(std::fabs(lgamma(row[0]) - row[1]), 1e-14 * std::max(1.0, std::fabs(row[1])))
        << "lgamma(" << row[0] << ") is " << lgamma(row[0]) << ", not " << row[1];
  }
}

TEST(Math, IncompleteBetaAndGammaFollowTheWitness) {
  for (const auto& row : witness("incomplete_beta")) {
    EXPECT_LE(std::fabs(incomplete_beta(row[0], row[1], row[2]) - row[3]), 1e-12 * row[3])
        << row[0] << " " << row[1] << " " << row[2];
  }
  for (const auto& row : witness("incomplete_gamma")) {
    EXPECT_LE(std::fabs(incomplete_gamma_lower(row[0], row[1]) - row[2]), 1e-12 * row[2])
        << row[0] << " " << row[1];
    EXPECT_LE(std::fabs(incomplete_gamma_upper(row[0], row[1]) - row[3]), 1e-12 * row[3])
        << row[0] << " " << row[1];
  }
  EXPECT_THROW(incomplete_beta(0.0, 1.0, 0.5), Error);
  EXPECT_THROW(incomplete_beta(1.0, 1.0, 1.5), Error);
  EXPECT_THROW(incomplete_gamma_lower(-1.0, 0.5), Error);
}

TEST(Math, QuantilesUndoTheirDistributions) {
  Rng rng(6, rng_stream("math-test"));
  for (int i = 0; i < 2000; ++i) {
    const double a = std::exp(9.0 * rng.uniform() - 2.0), b = std::exp(9.0 * rng.uniform() - 2.0);
    const double p = i % 3 ? 0.025 + 0.95 * rng.uniform() : 0.025;
    const double x = beta_quantile(a, b, p);
    // Near 1 with a small b the distribution climbs by more than that between two doubles.
    const double above = std::min(1.0, x * (1.0 + 1e-15)), below = x * (1.0 - 1e-15);
    EXPECT_LE(incomplete_beta(a, b, below), p * (1.0 + 1e-10)) << a << " " << b;
    EXPECT_GE(incomplete_beta(a, b, above), p * (1.0 - 1e-10)) << a << " " << b;
    EXPECT_NEAR(incomplete_gamma_lower(a, gamma_quantile(a, p)), p, 1e-10 * p) << a;
  }
  EXPECT_NEAR(beta_quantile(1.0, 1.0, 0.3), 0.3, 1e-15);
  const Interval interval = beta_interval(1.0, 1.0);
  EXPECT_NEAR(interval.low, 0.025, 1e-15);
  EXPECT_NEAR(interval.high, 0.975, 1e-15);
  EXPECT_EQ(beta_quantile(3.0, 2.0, 0.0), 0.0);
  EXPECT_EQ(beta_quantile(3.0, 2.0, 1.0), 1.0);
}

}  // namespace
}  // namespace hone::quality::math
