// Rankings against statsmodels, SciPy and evalica (tests/golden/quality/make_rank.py), and derivatives
// against finite differences. What must hold on any table: rank_invariants_test.cc; public data:
// rank_published_test.cc; planted parameters: rank_coverage_test.cc.

#include "quality/rank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "quality/crowd_bt.h"
#include "quality/davidson.h"
#include "quality/distributions.h"
#include "quality/linear_algebra.h"
#include "quality/rank_fit.h"
#include "quality/rank_test_votes.h"
#include "quality/rao_kupper.h"
#include "quality/style.h"

namespace hone::quality {
namespace {

using namespace test_data;

// ---- witnesses

struct WitnessCase {
  const char* name;
  RankMethod method;
  bool left, style;
};

TEST(Rank, ScoresErrorsTiesAndEffectsAgreeWithStatsmodelsAndSciPy) {
  const ComparisonTable table = golden_table();
  const ClusterBy clusters[] = {ClusterBy::kNone, ClusterBy::kWorker, ClusterBy::kTask};
  for (const WitnessCase& test :
       {WitnessCase{"bradley-terry", RankMethod::kBradleyTerry, false, false},
        WitnessCase{"bradley-terry-left", RankMethod::kBradleyTerry, true, false},
        WitnessCase{"bradley-terry-style", RankMethod::kBradleyTerry, false, true},
        WitnessCase{"bradley-terry-left-style", RankMethod::kBradleyTerry, true, true},
        WitnessCase{"davidson", RankMethod::kDavidson, false, false},
        WitnessCase{"davidson-left", RankMethod::kDavidson, true, false},
        WitnessCase{"rao-kupper", RankMethod::kRaoKupper, false, false},
        WitnessCase{"rao-kupper-left", RankMethod::kRaoKupper, true, false}}) {
    SCOPED_TRACE(test.name);
    const auto strengths = golden(test.name, "strength");
    for (size_t c = 0; c < 3; ++c) {
      RankOptions options = options_for(test.method, clusters[c]);
      options.adjust_left = test.left;
      options.style = test.style;
      const Ranking ranking = rank(table, options);
      EXPECT_TRUE(ranking.converged);
      EXPECT_NEAR(ranking.log_likelihood, golden_one(test.name, "log_likelihood"), 1e-9);
      const auto rows = by_index(ranking);
      for (const auto& [thing, values] : strengths) {
        const RankRow& row = *rows[static_cast<size_t>(thing)];
        EXPECT_NEAR(row.strength, values[0], 1e-9);
        EXPECT_NEAR(row.score, 1000.0 + kPoints * values[0], 2e-7);
        EXPECT_NEAR(row.standard_error / kPoints, values[1 + c], 1e-7) << "clusters " << c;
        EXPECT_NEAR(std::sqrt(ranking.covariance[row.index * 6 + row.index]), values[1 + c], 1e-7);
      }
      if (test.method != RankMethod::kBradleyTerry) {
        const auto tie = golden(test.name, "tie").at(0.0);
        EXPECT_NEAR(*ranking.tie_parameter, tie[0], 1e-9);
        EXPECT_NEAR(ranking.tie_parameter_standard_error, tie[1 + c], 1e-7);
      }
      if (test.left) {
        const auto left = golden(test.name, "extra").at(0.0);
        EXPECT_NEAR(ranking.left->value, left[0], 1e-9);
        EXPECT_NEAR(ranking.left->standard_error, left[1 + c], 1e-7);
      }
      if (test.style) {
        const auto style = golden(test.name, "extra").at(test.left ? 1.0 : 0.0);
        EXPECT_NEAR(ranking.style[0].value, style[0], 1e-9);
        EXPECT_NEAR(ranking.style[0].standard_error, style[1 + c], 1e-7);
      }
    }
  }
}

TEST(Rank, EffectsAreReportedBesideScoresThatDoNotCarryThem) {
  const ComparisonTable table = golden_table();
  const Ranking ranking = rank(table, options_for(RankMethod::kBradleyTerry));
  EXPECT_NEAR(ranking.log_likelihood, golden_one("bradley-terry", "log_likelihood"), 1e-9);
  EXPECT_NEAR(ranking.left->value, golden("bradley-terry-left", "extra").at(0.0)[0], 1e-9);
  const double ratio = 2.0 * (golden_one("bradley-terry-left", "log_likelihood") -
                              golden_one("bradley-terry", "log_likelihood"));
  EXPECT_NEAR(ranking.left->likelihood_ratio, ratio, 1e-8);
  EXPECT_NEAR(ranking.left->likelihood_ratio_p, std::erfc(std::sqrt(ratio / 2.0)), 1e-8);
  ASSERT_EQ(ranking.style.size(), 1u);
  EXPECT_NEAR(ranking.style[0].value, golden("bradley-terry-style", "extra").at(0.0)[0], 1e-9);
}

TEST(Rank, CrowdBtAgreesWithSciPy) {
  const Ranking ranking = rank(golden_table(), options_for(RankMethod::kCrowdBt));
  EXPECT_TRUE(ranking.converged);
  EXPECT_NEAR(ranking.objective, golden_one("crowd-bt", "objective"), 1e-8);
  const auto rows = by_index(ranking);
  for (const auto& [thing, values] : golden("crowd-bt", "strength")) {
    EXPECT_NEAR(rows[static_cast<size_t>(thing)]->strength, values[0], 1e-6);
  }
  const auto etas = golden("crowd-bt", "eta");
  ASSERT_EQ(ranking.workers.size(), etas.size());
  for (const auto& [worker, values] : etas) {
    EXPECT_NEAR(ranking.workers[static_cast<size_t>(worker)].eta, values[0], 1e-6);
  }
}

TEST(Rank, NewmanAndEloAgreeWithEvalica) {
  const ComparisonTable table = golden_table();
  const Ranking newman = rank(table, options_for(RankMethod::kNewman));
  const Ranking davidson = rank(table, options_for(RankMethod::kDavidson));
  EXPECT_TRUE(newman.converged);
  EXPECT_NEAR(*newman.tie_parameter, 2.0 * golden_one("newman", "v"), 1e-9);
  EXPECT_NEAR(newman.log_likelihood, davidson.log_likelihood, 1e-9);
  const Ranking elo = rank(table, options_for(RankMethod::kElo));
  const auto strengths = golden("newman", "strength"), scores = golden("elo", "score");
  for (const RankRow& row : newman.rows) {
    EXPECT_NEAR(row.strength, strengths.at(row.index)[0], 1e-9);
    EXPECT_NEAR(row.strength, by_index(davidson)[row.index]->strength, 1e-9);
  }
  for (const RankRow& row : elo.rows) EXPECT_NEAR(row.score, scores.at(row.index)[0], 1e-9);
  EXPECT_FALSE(elo.has_intervals);
  EXPECT_TRUE(warns_of(elo, "order of the rows"));
}

TEST(Rank, WorkedExampleOfBradleyTerry) {  // arena-rank's test, after Wikipedia's
  std::vector<Vote> votes;
  const auto add = [&](const char* winner, const char* loser, int count) {
    for (int i = 0; i < count; ++i) {
      if (i % 2 == 0) votes.push_back({winner, loser, Winner::kLeft, "", "", 1.0, {}});
      if (i % 2 == 1) votes.push_back({loser, winner, Winner::kRight, "", "", 1.0, {}});
    }
  };
  add("A", "B", 2), add("B", "A", 3), add("A", "D", 1), add("D", "A", 4);
  add("B", "C", 5), add("C", "B", 3), add("C", "D", 1), add("D", "C", 3);
  const Ranking ranking = rank(build(votes), options_for(RankMethod::kBradleyTerry));
  const double expected[] = {0.640, 1.043, 0.660, 2.270};
  for (const RankRow& row : ranking.rows) {
    EXPECT_NEAR(std::exp(row.strength), expected[row.index], 5e-4) << row.name;
  }
}

TEST(Distributions, TailsAndQuantilesAgreeWithSciPy) {
  for (const auto& words : read_rows("tests/golden/quality/rank.txt", ' ')) {
    if (words.size() != 5) continue;
    const double x = std::strtod(words[2].c_str(), nullptr);
    const double degrees = std::strtod(words[3].c_str(), nullptr);
    const double expected = std::strtod(words[4].c_str(), nullptr);
    double value = expected + 1.0;
    if (words[0] == "chi_square_upper") value = chi_square_upper(x, degrees);
    if (words[0] == "student_cdf") value = student_cdf(x, degrees);
    if (words[0] == "student_quantile") value = student_quantile(x, degrees);
    if (value == expected + 1.0) continue;
    EXPECT_NEAR(value, expected, 1e-9 * std::fabs(expected)) << words[0] << " " << words[2];
  }
  EXPECT_EQ(chi_square_upper(0.0, 1.0), 1.0);
  EXPECT_NEAR(student_cdf(student_quantile(0.9, 7.0), 7.0), 0.9, 1e-10);
  EXPECT_THROW(student_quantile(1.0, 7.0), Error);
  EXPECT_THROW(chi_square_upper(1.0, 0.0), Error);
}

// ---- derivatives

void expect_terms(const std::function<PairTerms(double, double)>& terms, double d, double tie,
                  bool has_tie) {
  constexpr double kStep = 1e-6;
  const PairTerms at = terms(d, tie);
  const PairTerms up = terms(d + kStep, tie), down = terms(d - kStep, tie);
  EXPECT_NEAR(at.by_d, (up.log_likelihood - down.log_likelihood) / (2 * kStep), 1e-7);
  EXPECT_NEAR(at.by_d_d, -(up.by_d - down.by_d) / (2 * kStep), 1e-7);
  if (!has_tie) return;
  const PairTerms more = terms(d, tie + kStep), less = terms(d, tie - kStep);
  EXPECT_NEAR(at.by_tie, (more.log_likelihood - less.log_likelihood) / (2 * kStep), 1e-7);
  EXPECT_NEAR(at.by_d_tie, -(more.by_d - less.by_d) / (2 * kStep), 1e-7);
  EXPECT_NEAR(at.by_d_tie, -(up.by_tie - down.by_tie) / (2 * kStep), 1e-7);
  EXPECT_NEAR(at.by_tie_tie, -(more.by_tie - less.by_tie) / (2 * kStep), 1e-6);
}

TEST(Rank, DerivativesOfEveryModelAgreeWithFiniteDifferences) {
  for (const double d : {-3.0, -0.4, 0.0, 0.7, 5.0}) {
    for (const double tie : {0.2, 0.9, 2.0}) {
      for (const PairOutcomes& n :
           {PairOutcomes{3, 1, 2}, PairOutcomes{0, 4, 0}, PairOutcomes{0, 0, 1.5}}) {
        const auto with = [&](auto model) {
          return [&n, model](double x, double t) { return model(x, t, n); };
        };
        expect_terms(with(bradley_terry_terms), d, tie, false);
        expect_terms(with(davidson_terms), d, tie, true);
        expect_terms(with(davidson_terms), d, -tie, true);
        expect_terms(with(rao_kupper_terms), d, tie, true);
      }
    }
  }
}

TEST(Rank, OutcomesOfEveryModelSumToOne) {
  for (const double d : {-30.0, -1.0, 0.0, 2.5, 700.0}) {
    for (const double tie : {0.01, 0.9, 3.0}) {
      for (const auto model : {davidson_terms, rao_kupper_terms}) {
        const double sum = std::exp(model(d, tie, {1, 0, 0}).log_likelihood) +
                           std::exp(model(d, tie, {0, 1, 0}).log_likelihood) +
                           std::exp(model(d, tie, {0, 0, 1}).log_likelihood);
        EXPECT_NEAR(sum, 1.0, 1e-12) << d << " " << tie;
      }
    }
  }
}

TEST(Rank, GradientAndHessianOfTheWholeModelAgreeWithFiniteDifferences) {
  const ComparisonTable table = golden_table();
  const RankData data(table);
  const StyleCovariates style = scale_covariates(table);
  for (const TieModel tie : {TieModel::kHalf, TieModel::kDavidson, TieModel::kRaoKupper}) {
    for (const bool left : {false, true}) {
      for (const bool styled : {false, true}) {
        ModelSpec spec{tie, left, {}, 0.5};
        if (styled) spec.covariates = {0};
        ComparisonModel model(spec, data.things, style.columns);
        model.set_prior(0.3, 0.2);
        const RankRows rows(data, spec.layout());
        const size_t m = model.size();
        std::vector<double> at(m);
        Rng rng(3, rng_stream("rank test"));
        for (double& value : at) value = 0.5 + 0.3 * rng.normal();
        if (tie != TieModel::kHalf) at[model.tie_index()] = 0.8;
        model.evaluate(rows, at);
        const std::vector<double> gradient(model.gradient().begin(), model.gradient().end());
        const std::vector<double> hessian(model.hessian().begin(), model.hessian().end());
        constexpr double kStep = 1e-5;
        for (size_t i = 0; i < m; ++i) {
          std::vector<double> up = at, down = at;
          up[i] += kStep;
          down[i] -= kStep;
          const double high = model.evaluate(rows, up) - model.penalty(up);
          const std::vector<double> slope_high(model.gradient().begin(), model.gradient().end());
          const double low = model.evaluate(rows, down) - model.penalty(down);
          EXPECT_NEAR(gradient[i], (high - low) / (2 * kStep), 1e-5);
          for (size_t j = 0; j < m; ++j) {
            const double expected = -(slope_high[j] - model.gradient()[j]) / (2 * kStep);
            EXPECT_NEAR(hessian[std::min(i, j) * m + std::max(i, j)], expected, 1e-5);
          }
        }
      }
    }
  }
}

TEST(Rank, CrowdBtGradientAndHessianAgreeWithFiniteDifferences) {
  const ComparisonTable table = golden_table();
  const RankData data(table);
  CrowdBt model(data, {});
  const size_t n = model.things(), workers = model.workers().size();
  std::vector<double> at(n + workers);
  Rng rng(4, rng_stream("rank test"));
  for (double& value : at) value = 0.4 + rng.normal();
  const auto evaluate = [&](const std::vector<double>& x) {
    return model.evaluate(std::span(x).first(n), std::span(x).last(workers));
  };
  const auto slopes = [&] {
    std::vector<double> all(model.gradient_strengths().begin(), model.gradient_strengths().end());
    all.insert(all.end(), model.gradient_logits().begin(), model.gradient_logits().end());
    return all;
  };
  evaluate(at);
  const std::vector<double> gradient = slopes();
  std::vector<double> hessian((n + workers) * (n + workers), 0.0);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i; j < n; ++j) {
      hessian[i * (n + workers) + j] = model.hessian_strengths()[i * n + j];
    }
    for (size_t w = 0; w < workers; ++w) {
      hessian[i * (n + workers) + n + w] = model.hessian_mixed(i, w);
    }
  }
  for (size_t w = 0; w < workers; ++w) {
    hessian[(n + w) * (n + workers) + n + w] = model.hessian_logits()[w];
  }
  constexpr double kStep = 1e-5;
  for (size_t i = 0; i < n + workers; ++i) {
    std::vector<double> up = at, down = at;
    up[i] += kStep;
    down[i] -= kStep;
    const double high = evaluate(up);
    const std::vector<double> slope_high = slopes();
    const double low = evaluate(down);
    const std::vector<double> slope_low = slopes();
    EXPECT_NEAR(gradient[i], (high - low) / (2 * kStep), 1e-6);
    for (size_t j = 0; j < n + workers; ++j) {
      EXPECT_NEAR(hessian[std::min(i, j) * (n + workers) + std::max(i, j)],
                  (slope_high[j] - slope_low[j]) / (2 * kStep), 1e-6);
    }
  }
}

TEST(LinearAlgebra, FactorSolveInverseAndSandwichUndoTheirMatrix) {
  for (const size_t n : {1u, 2u, 5u, 37u, 150u}) {
    Rng rng(n, rng_stream("matrix"));
    std::vector<double> root(n * n), matrix(n * n, 0.0);
    for (double& value : root) value = rng.normal();
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) {
        for (size_t k = 0; k < n; ++k) matrix[i * n + j] += root[i * n + k] * root[j * n + k];
      }
      matrix[i * n + i] += 1.0;
    }
    std::vector<double> factor = matrix, inverse(n * n), middle(n * n);
    ASSERT_EQ(cholesky(factor, n), kPositiveDefinite);
    cholesky_inverse(factor, n, inverse);
    sandwich_product(inverse, matrix, n, middle);  // A^-1 A A^-1
    ThreadPool pool(2);
    std::vector<double> threaded(n * n);
    cholesky_inverse(factor, n, threaded, &pool);
    EXPECT_EQ(threaded, inverse);
    std::vector<double> x(n), b(n, 0.0);
    for (double& value : x) value = rng.normal();
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) b[i] += matrix[i * n + j] * x[j];
    }
    cholesky_solve(factor, n, b);
    for (size_t i = 0; i < n; ++i) {
      EXPECT_NEAR(b[i], x[i], 1e-8);
      for (size_t j = 0; j < n; ++j) {
        double product = 0.0;
        for (size_t k = 0; k < n; ++k) product += matrix[i * n + k] * inverse[k * n + j];
        EXPECT_NEAR(product, i == j ? 1.0 : 0.0, 1e-8);
        EXPECT_NEAR(middle[i * n + j], inverse[i * n + j], 1e-8);
      }
    }
  }
  std::vector<double> singular = {1, 2, 3, 2, 4, 6, 3, 6, 10};
  EXPECT_EQ(cholesky(singular, 3), 1u);
}

}  // namespace
}  // namespace hone::quality
