// Rankings against statsmodels, SciPy and evalica (tests/golden/quality/make_rank.py), derivatives
// against finite differences, and what must hold on any table. Public data: rank_published_test.cc;
// planted parameters: rank_coverage_test.cc.

#include "quality/rank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "quality/crowd_bt.h"
#include "quality/davidson.h"
#include "quality/distributions.h"
#include "quality/linear_algebra.h"
#include "quality/rank_bootstrap.h"
#include "quality/rank_effects.h"
#include "quality/rank_fit.h"
#include "quality/rank_test_data.h"
#include "quality/rao_kupper.h"

namespace hone::quality {
namespace {

using test_data::read_rows;

constexpr double kPoints = 400.0 / 2.302585092994045684;

struct Vote {
  std::string left, right;
  Winner winner;
  std::string worker, task;
  double weight = 1.0;
  std::vector<double> covariates;
};

ComparisonTable build(const std::vector<Vote>& votes, std::vector<std::string> covariates = {}) {
  ComparisonTableBuilder builder(std::move(covariates));
  for (const Vote& v : votes) {
    builder.add(v.left, v.right, v.winner, v.worker, v.task, v.weight, v.covariates);
  }
  return std::move(builder).build();
}

std::vector<Vote> golden_votes() {
  std::vector<Vote> votes;
  const auto rows = read_rows("tests/golden/quality/rank_votes.csv");
  for (size_t i = 1; i < rows.size(); ++i) {
    const auto& r = rows[i];
    votes.push_back({r[0],
                     r[1],
                     r[2] == "left"    ? Winner::kLeft
                     : r[2] == "right" ? Winner::kRight
                     : r[2] == "tie"   ? Winner::kTie
                                       : Winner::kBothBad,
                     r[3],
                     r[4],
                     1.0,
                     {std::strtod(r[5].c_str(), nullptr)}});
  }
  EXPECT_EQ(votes.size(), 420u) << "tests run from the top of the tree";
  return votes;
}

ComparisonTable golden_table() { return build(golden_votes(), {"style"}); }

// Lines "name key number ..." of the witness: [key number][which].
std::map<double, std::vector<double>> golden(const std::string& name, const std::string& key) {
  std::map<double, std::vector<double>> values;
  for (const auto& words : read_rows("tests/golden/quality/rank.txt", ' ')) {
    if (words.size() < 3 || words[0] != name || words[1] != key) continue;
    std::vector<double> numbers;
    for (size_t i = 3; i < words.size(); ++i) {
      numbers.push_back(std::strtod(words[i].c_str(), nullptr));
    }
    const double first = std::strtod(words[2].c_str(), nullptr);
    if (numbers.empty()) numbers.push_back(first);
    values[first] = numbers;
  }
  EXPECT_FALSE(values.empty()) << name << " " << key << ": no golden values";
  return values;
}
double golden_one(const std::string& name, const std::string& key) {
  return golden(name, key).begin()->second[0];
}

RankOptions options_for(RankMethod method, ClusterBy cluster = ClusterBy::kNone,
                        size_t rounds = 0) {
  RankOptions options;
  options.method = method;
  options.cluster = cluster;
  options.bootstrap_rounds = rounds;
  return options;
}

std::vector<const RankRow*> by_index(const Ranking& ranking) {
  std::vector<const RankRow*> rows(ranking.rows.size());
  for (const RankRow& row : ranking.rows) rows[row.index] = &row;
  return rows;
}

bool warns_of(const Ranking& ranking, const std::string& words) {
  return std::any_of(
      ranking.warnings.begin(), ranking.warnings.end(),
      [&](const std::string& warning) { return warning.find(words) != std::string::npos; });
}

void expect_finite(const Ranking& ranking) {
  for (const RankRow& row : ranking.rows) {
    for (const double value :
         {row.strength, row.score, row.standard_error, row.interval.low, row.interval.high,
          row.bootstrap_interval.low, row.bootstrap_interval.high}) {
      EXPECT_TRUE(std::isfinite(value)) << row.name;
    }
    EXPECT_LE(row.rank_low, row.rank);
    EXPECT_GE(row.rank_high, row.rank);
  }
  for (const double value : ranking.covariance) EXPECT_TRUE(std::isfinite(value));
  EXPECT_TRUE(std::isfinite(ranking.log_likelihood));
  EXPECT_TRUE(std::isfinite(ranking.tie_parameter.value_or(0.0)));
  EXPECT_TRUE(std::isfinite(ranking.tie_parameter_standard_error));
  std::vector<Effect> effects = ranking.style;
  if (ranking.left) effects.push_back(*ranking.left);
  for (const Effect& effect : effects) {
    for (const double value :
         {effect.value, effect.standard_error, effect.interval.low, effect.interval.high,
          effect.wald_p, effect.likelihood_ratio, effect.likelihood_ratio_p}) {
      EXPECT_TRUE(std::isfinite(value)) << effect.name;
    }
  }
}

constexpr RankMethod kAllMethods[] = {RankMethod::kBradleyTerry, RankMethod::kDavidson,
                                      RankMethod::kRaoKupper,    RankMethod::kCrowdBt,
                                      RankMethod::kElo,          RankMethod::kNewman};

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

// ---- what must hold on any table

void expect_same(const Ranking& x, const Ranking& y) {
  ASSERT_EQ(x.rows.size(), y.rows.size());
  for (size_t i = 0; i < x.rows.size(); ++i) {
    EXPECT_EQ(x.rows[i].name, y.rows[i].name);
    EXPECT_EQ(x.rows[i].score, y.rows[i].score);
    EXPECT_EQ(x.rows[i].standard_error, y.rows[i].standard_error);
    EXPECT_EQ(x.rows[i].bootstrap_interval.low, y.rows[i].bootstrap_interval.low);
    EXPECT_EQ(x.rows[i].bootstrap_interval.high, y.rows[i].bootstrap_interval.high);
  }
  EXPECT_EQ(x.covariance, y.covariance);
  EXPECT_EQ(x.log_likelihood, y.log_likelihood);
  EXPECT_EQ(x.objective, y.objective);
  EXPECT_EQ(x.warnings, y.warnings);
  if (x.left) {
    EXPECT_EQ(x.left->standard_error, y.left->standard_error);
  }
  if (x.fragility) {
    EXPECT_EQ(x.fragility->removed, y.fragility->removed);
  }
}

TEST(Rank, SameBitsForAnyOrderOfRowsAndAnyNumberOfThreads) {
  std::vector<Vote> votes = golden_votes();
  for (size_t i = 0; i < votes.size(); ++i) votes[i].weight = i % 3 == 0 ? 0.7 : 1.3;
  const ComparisonTable table = build(votes, {"style"});
  Rng rng(5, rng_stream("shuffle"));
  for (size_t i = votes.size(); i > 1; --i) std::swap(votes[i - 1], votes[rng.below(i)]);
  const ComparisonTable shuffled = build(votes, {"style"});
  ThreadPool one(1), two(2), three(3);
  for (const RankMethod method : kAllMethods) {
    for (const bool style : {false, true}) {
      const bool newton = method == RankMethod::kBradleyTerry || method == RankMethod::kDavidson ||
                          method == RankMethod::kRaoKupper;
      if (style && !newton) continue;
      RankOptions options = options_for(method, ClusterBy::kWorker, 20);
      options.style = style;
      options.fragility = newton;
      const Ranking alone = rank(table, options);
      expect_finite(alone);
      expect_same(alone, rank(table, options, &one));
      expect_same(alone, rank(table, options, &two));
      expect_same(alone, rank(table, options, &three));
      if (method != RankMethod::kElo) expect_same(alone, rank(shuffled, options, &two));
    }
  }
}

TEST(Rank, ExchangingLeftAndRightChangesOnlyTheSignOfTheSideEffect) {
  std::vector<Vote> votes = golden_votes();
  const ComparisonTable table = build(votes, {"style"});
  for (Vote& v : votes) {
    std::swap(v.left, v.right);
    v.covariates[0] = -v.covariates[0];
    v.winner = v.winner == Winner::kLeft    ? Winner::kRight
               : v.winner == Winner::kRight ? Winner::kLeft
                                            : v.winner;
  }
  const ComparisonTable mirrored = build(votes, {"style"});
  for (const RankMethod method :
       {RankMethod::kBradleyTerry, RankMethod::kDavidson, RankMethod::kRaoKupper}) {
    RankOptions options = options_for(method);
    options.adjust_left = options.style = true;
    const Ranking x = rank(table, options), y = rank(mirrored, options);
    EXPECT_NEAR(x.left->value, -y.left->value, 1e-10);
    EXPECT_NEAR(x.style[0].value, y.style[0].value, 1e-10);
    for (size_t i = 0; i < x.rows.size(); ++i) {
      EXPECT_NEAR(by_index(x)[i]->strength, by_index(y)[i]->strength, 1e-10);
    }
  }
}

TEST(Rank, AWeightCountsLikeThatManyComparisons) {
  std::vector<Vote> once, thrice;
  for (Vote vote : golden_votes()) {
    vote.covariates.clear();
    for (int i = 0; i < 3; ++i) thrice.push_back(vote);
    vote.weight = 3.0;
    once.push_back(vote);
  }
  for (const RankMethod method : {RankMethod::kBradleyTerry, RankMethod::kRaoKupper,
                                  RankMethod::kCrowdBt, RankMethod::kNewman}) {
    const Ranking x = rank(build(once), options_for(method, ClusterBy::kWorker, 20));
    const Ranking y = rank(build(thrice), options_for(method, ClusterBy::kWorker, 20));
    for (size_t i = 0; i < x.rows.size(); ++i) {
      EXPECT_NEAR(x.rows[i].score, y.rows[i].score, 1e-6);
      EXPECT_NEAR(x.rows[i].standard_error, y.rows[i].standard_error, 1e-6);
      EXPECT_NEAR(x.rows[i].bootstrap_interval.low, y.rows[i].bootstrap_interval.low, 1e-4);
      EXPECT_EQ(x.rows[i].votes, y.rows[i].votes);
    }
  }
}

TEST(Rank, CopyingEveryVoteWithinItsClusterDoesNotNarrowTheClusteredInterval) {
  std::vector<Vote> votes = golden_votes(), copied;
  for (const Vote& vote : votes) copied.insert(copied.end(), 4, vote);
  const Ranking x =
      rank(build(votes, {"style"}), options_for(RankMethod::kDavidson, ClusterBy::kWorker));
  const Ranking y =
      rank(build(copied, {"style"}), options_for(RankMethod::kDavidson, ClusterBy::kWorker));
  const Ranking naive = rank(build(copied, {"style"}), options_for(RankMethod::kDavidson));
  for (size_t i = 0; i < x.rows.size(); ++i) {
    EXPECT_NEAR(x.rows[i].standard_error, y.rows[i].standard_error, 1e-6);
    EXPECT_LT(naive.rows[i].standard_error, 0.7 * y.rows[i].standard_error);
  }
}

TEST(Rank, BothBadCountsAsATieAndIsCountedApart) {
  std::vector<Vote> votes = golden_votes();
  const Ranking x = rank(build(votes, {"style"}), options_for(RankMethod::kDavidson));
  double bad = 0.0;
  for (Vote& vote : votes) {
    if (vote.winner != Winner::kBothBad) continue;
    vote.winner = Winner::kTie;
    ++bad;
  }
  const Ranking y = rank(build(votes, {"style"}), options_for(RankMethod::kDavidson));
  EXPECT_GT(bad, 0.0);
  EXPECT_EQ(x.votes_both_bad, bad);
  EXPECT_EQ(y.votes_both_bad, 0.0);
  EXPECT_EQ(x.votes_tie + bad, y.votes_tie);
  EXPECT_NEAR(x.log_likelihood, y.log_likelihood, 1e-10);
  EXPECT_EQ(x.votes_left + x.votes_right + x.votes_tie + x.votes_both_bad, 420.0);
}

TEST(Rank, BootstrapDrawsAsManyClustersAsThereAreAndTheSameForTheSameSeed) {
  std::vector<uint32_t> times(1000), again(1000), other(1000);
  draw_clusters(1, 5, times);
  draw_clusters(1, 5, again);
  draw_clusters(1, 6, other);
  EXPECT_EQ(times, again);
  EXPECT_NE(times, other);
  uint32_t sum = 0;
  size_t absent = 0;
  for (const uint32_t count : times) {
    sum += count;
    absent += count == 0;
  }
  EXPECT_EQ(sum, 1000u);
  EXPECT_NEAR(static_cast<double>(absent), 368.0, 60.0);  // 1000 / e

  // Its spread agrees with the sandwich: the same quantity by another way.
  const Ranking ranking =
      rank(golden_table(), options_for(RankMethod::kBradleyTerry, ClusterBy::kTask, 2000));
  EXPECT_EQ(ranking.bootstrap_rounds, 2000u);
  for (const RankRow& row : ranking.rows) {
    const double width = row.bootstrap_interval.high - row.bootstrap_interval.low;
    EXPECT_NEAR(width / (2 * 1.96 * row.standard_error), 1.0, 0.2) << row.name;
  }
}

TEST(Rank, StylePenaltyShrinksTheCoefficientAndDropsNothingElse) {
  const ComparisonTable table = golden_table();
  RankOptions options = options_for(RankMethod::kBradleyTerry);
  options.style = true;
  const Ranking free = rank(table, options);
  options.style_l2 = 50.0;
  const Ranking held = rank(table, options);
  EXPECT_LT(std::fabs(held.style[0].value), 0.8 * std::fabs(free.style[0].value));
  EXPECT_LT(held.log_likelihood, free.log_likelihood);
  EXPECT_TRUE(held.converged);
}

// ---- degenerate tables

Vote vote(const char* left, const char* right, Winner winner, const char* worker = "",
          const char* task = "") {
  return {left, right, winner, worker, task, 1.0, {}};
}

void expect_all_finite(const std::vector<Vote>& votes) {
  for (const RankMethod method : kAllMethods) {
    for (const ClusterBy cluster :
         {ClusterBy::kAuto, ClusterBy::kNone, ClusterBy::kWorker, ClusterBy::kTask}) {
      SCOPED_TRACE(std::string(rank_method_name(method)) + " " +
                   std::string(cluster_by_name(cluster)));
      RankOptions options = options_for(method, cluster, 10);
      options.fragility = true;
      expect_finite(rank(build(votes), options));
      if (method == RankMethod::kCrowdBt || method == RankMethod::kElo ||
          method == RankMethod::kNewman) {
        continue;
      }
      options.adjust_left = true;
      expect_finite(rank(build(votes), options));
    }
  }
}

TEST(RankDegenerate, OneComparison) {
  const std::vector<Vote> votes = {vote("a", "b", Winner::kLeft, "w", "t")};
  expect_all_finite(votes);
  const Ranking ranking = rank(build(votes));
  EXPECT_EQ(ranking.rows[0].name, "a");
  EXPECT_GT(ranking.prior_precision, 0.0);
  EXPECT_TRUE(warns_of(ranking, "never lost: a; never won: b")) << ranking.warnings[0];
  EXPECT_GT(ranking.rows[0].interval.high, ranking.rows[1].interval.high);
  EXPECT_LT(ranking.rows[0].interval.low, 1000.0) << "one vote proves nothing";
}

TEST(RankDegenerate, OneTieOrOnlyTies) {
  expect_all_finite({vote("a", "b", Winner::kTie)});
  const std::vector<Vote> ties = {vote("a", "b", Winner::kTie, "v"), vote("b", "c", Winner::kTie),
                                  vote("c", "a", Winner::kBothBad, "w"),
                                  vote("a", "c", Winner::kTie, "w")};
  expect_all_finite(ties);
  for (const RankMethod method : kAllMethods) {
    for (const RankRow& row : rank(build(ties), options_for(method)).rows) {
      EXPECT_NEAR(row.score, 1000.0, 1e-6);
      EXPECT_EQ(row.rank_low, 1u);
    }
  }
}

TEST(RankDegenerate, NoTiesMakeTheTieModelsBradleyTerry) {
  std::vector<Vote> votes;
  for (const Vote& v : golden_votes()) {
    if (v.winner == Winner::kLeft || v.winner == Winner::kRight) votes.push_back(v);
  }
  const ComparisonTable table = build(votes, {"style"});
  const Ranking bt = rank(table, options_for(RankMethod::kBradleyTerry));
  const Ranking davidson = rank(table, options_for(RankMethod::kDavidson));
  const Ranking rao_kupper = rank(table, options_for(RankMethod::kRaoKupper));
  EXPECT_EQ(*davidson.tie_parameter, 0.0);
  EXPECT_EQ(*rao_kupper.tie_parameter, 1.0);
  for (size_t i = 0; i < bt.rows.size(); ++i) {
    EXPECT_EQ(bt.rows[i].score, davidson.rows[i].score);
    EXPECT_EQ(bt.rows[i].score, rao_kupper.rows[i].score);
  }
  EXPECT_NEAR(*rank(table, options_for(RankMethod::kNewman)).tie_parameter, 0.0, 0.0);
}

TEST(RankDegenerate, GroupsThatNeverMetAreNamed) {
  const std::vector<Vote> votes = {vote("a", "b", Winner::kLeft), vote("b", "a", Winner::kLeft),
                                   vote("c", "d", Winner::kLeft), vote("d", "c", Winner::kLeft),
                                   vote("d", "c", Winner::kLeft)};
  expect_all_finite(votes);
  const Ranking ranking = rank(build(votes));
  EXPECT_EQ(ranking.components, 2u);
  EXPECT_TRUE(warns_of(ranking, "2 groups that never met (the first: a, b)"));
  for (const RankRow& row : ranking.rows) {
    EXPECT_EQ(row.component, row.name == "a" || row.name == "b" ? 0u : 1u);
  }
}

TEST(RankDegenerate, AThingThatWonEverythingIsFirstAndFiniteAndUnsure) {
  std::vector<Vote> votes = golden_votes();
  for (Vote& v : votes) v.covariates.clear();
  for (int i = 0; i < 8; ++i) votes.push_back(vote("winner", "thing A", Winner::kLeft, "w01"));
  expect_all_finite(votes);
  for (const RankMethod method :
       {RankMethod::kBradleyTerry, RankMethod::kDavidson, RankMethod::kRaoKupper}) {
    const Ranking ranking = rank(build(votes), options_for(method));
    EXPECT_EQ(ranking.rows[0].name, "winner");
    EXPECT_LT(ranking.rows[0].score, 2500.0);
    EXPECT_TRUE(warns_of(ranking, "never lost: winner"));
    EXPECT_TRUE(warns_of(ranking, "standard deviation 3"));
    EXPECT_GT(ranking.rows[0].standard_error, 3 * ranking.rows[1].standard_error);
  }
}

TEST(RankDegenerate, SidesThatNeverChangeLeaveTheSideEffectUnknown) {
  std::vector<Vote> votes;
  for (int i = 0; i < 20; ++i) {
    votes.push_back(vote("a", "b", i % 3 == 0 ? Winner::kRight : Winner::kLeft));
    votes.push_back(vote("a", "b", Winner::kTie));
  }
  expect_all_finite(votes);
  for (const bool adjust : {false, true}) {
    RankOptions options = options_for(RankMethod::kDavidson);
    options.adjust_left = adjust;
    const Ranking ranking = rank(build(votes), options);
    EXPECT_FALSE(ranking.left->identified);
    EXPECT_TRUE(warns_of(ranking, "cannot be told from the strengths"));
    EXPECT_GT(ranking.rows[0].score, 1001.0);
    EXPECT_EQ(ranking.prior_precision, 0.0);
  }
}

TEST(RankDegenerate, TheLeftSideAlwaysWins) {
  std::vector<Vote> votes;
  for (int i = 0; i < 10; ++i) {
    votes.push_back(vote("a", "b", Winner::kLeft, "v"));
    votes.push_back(vote("b", "a", Winner::kLeft, "w"));
  }
  expect_all_finite(votes);
  const Ranking ranking = rank(build(votes), options_for(RankMethod::kBradleyTerry));
  EXPECT_GT(ranking.left->value, 2.0);
  EXPECT_NEAR(ranking.rows[0].score, 1000.0, 1e-6);
}

TEST(RankDegenerate, CovariatesWithoutSpreadOrTwiceTheSameAreLeftOut) {
  std::vector<Vote> votes = golden_votes();
  for (Vote& v : votes) v.covariates = {v.covariates[0], 0.0, 2.0 * v.covariates[0], 1e300};
  RankOptions options = options_for(RankMethod::kBradleyTerry);
  options.style = true;
  const Ranking ranking = rank(build(votes, {"style", "none", "twice", "same"}), options);
  expect_finite(ranking);
  ASSERT_EQ(ranking.style.size(), 4u);
  EXPECT_TRUE(ranking.style[0].identified);
  EXPECT_FALSE(ranking.style[1].identified);
  EXPECT_FALSE(ranking.style[2].identified);
  EXPECT_FALSE(ranking.style[3].identified);
  EXPECT_NEAR(ranking.style[0].value, golden("bradley-terry-style", "extra").at(0.0)[0], 1e-9);
  EXPECT_TRUE(warns_of(ranking, "\"twice\""));
}

TEST(RankDegenerate, OneWorkerIsNoCluster) {
  std::vector<Vote> votes = golden_votes();
  for (Vote& v : votes) v.worker = "only";
  const Ranking ranking =
      rank(build(votes, {"style"}), options_for(RankMethod::kBradleyTerry, ClusterBy::kWorker));
  EXPECT_EQ(ranking.cluster, ClusterBy::kNone);
  EXPECT_TRUE(warns_of(ranking, "only one worker"));
  EXPECT_GT(ranking.rows[0].standard_error, 1.0);
}

TEST(Rank, FragilityTakesOneVoteWhereOneVoteLeads) {
  std::vector<Vote> votes;
  for (int i = 0; i < 10; ++i) {
    votes.push_back(vote("a", "b", Winner::kLeft));
    votes.push_back(vote("b", "a", Winner::kLeft));
    votes.push_back(vote("a", "c", Winner::kLeft));
    votes.push_back(vote("b", "c", Winner::kLeft));
    votes.push_back(vote("c", "a", i < 3 ? Winner::kLeft : Winner::kTie));
    votes.push_back(vote("c", "b", i < 3 ? Winner::kLeft : Winner::kTie));
  }
  votes.push_back(vote("a", "b", Winner::kLeft));
  for (const RankMethod method :
       {RankMethod::kBradleyTerry, RankMethod::kDavidson, RankMethod::kRaoKupper}) {
    RankOptions options = options_for(method);
    options.fragility = true;
    // One vote less is a draw, two less hands over the lead.
    const Ranking ranking = rank(build(votes), options);
    EXPECT_EQ(ranking.rows[0].name, "a");
    ASSERT_TRUE(ranking.fragility->found);
    EXPECT_EQ(ranking.fragility->votes, 2u);
    EXPECT_EQ(ranking.fragility->removed.size(), 2u);
    EXPECT_EQ(ranking.fragility->challenger, 1u);
    EXPECT_EQ(ranking.fragility->of, 61u);
  }
}

TEST(Rank, RefusesWhatHasNoAnswer) {
  const ComparisonTable table = golden_table();
  const auto refuses = [&](auto change) {
    RankOptions options;
    change(options);
    EXPECT_THROW(rank(table, options), Error);
  };
  refuses([](RankOptions& o) { o.confidence = 1.0; });
  refuses([](RankOptions& o) { o.confidence = std::numeric_limits<double>::quiet_NaN(); });
  refuses([](RankOptions& o) { o.bootstrap_rounds = 100001; });
  refuses([](RankOptions& o) { o.iterations_max = 0; });
  refuses([](RankOptions& o) { o.style_l2 = -1.0; });
  refuses([](RankOptions& o) { o.crowd_bt_lambda = 0.0; });
  refuses([](RankOptions& o) { o.crowd_bt_beta = 1.0; });
  refuses([](RankOptions& o) { o.elo_k = 0.0; });
  refuses([](RankOptions& o) { o.method = RankMethod::kElo, o.style = true; });
  refuses([](RankOptions& o) { o.method = RankMethod::kCrowdBt, o.adjust_left = true; });
  EXPECT_THROW(rank(ComparisonTable{}), Error);
  RankOptions style;
  style.style = true;
  EXPECT_THROW(rank(build({vote("a", "b", Winner::kLeft)}), style), Error);
  ComparisonTable broken = table;
  std::swap(broken.comparisons.front(), broken.comparisons.back());
  EXPECT_THROW(rank(broken), Error);
  broken = table;
  broken.comparisons[3].right = 99;
  EXPECT_THROW(rank(broken), Error);
  EXPECT_THROW(parse_rank_method("glicko"), Error);
  EXPECT_THROW(parse_cluster_by("galaxy"), Error);
  for (const RankMethod method : kAllMethods) {
    EXPECT_EQ(parse_rank_method(rank_method_name(method)), method);
  }
}

TEST(Rank, TooManyThingsAreRefusedWithTheBound) {
  ComparisonTableBuilder builder;
  for (size_t i = 0; i <= kRankThingsMax; ++i) {
    builder.add("m" + std::to_string(i), "m" + std::to_string((i + 1) % (kRankThingsMax + 1)),
                Winner::kTie);
  }
  const ComparisonTable table = std::move(builder).build();
  try {
    rank(table);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("2048"), std::string::npos);
  }
}

}  // namespace
}  // namespace hone::quality
