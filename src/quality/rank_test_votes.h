#pragma once
// Tests only: small tables of votes, the golden ones of tests/golden/quality (make_rank.py), and what
// the two files of tests about rankings ask of a result.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "quality/rank.h"
#include "quality/rank_test_data.h"

namespace hone::quality::test_data {

inline constexpr double kPoints = 400.0 / 2.302585092994045684;

struct Vote {
  std::string left, right;
  Winner winner;
  std::string worker, task;
  double weight = 1.0;
  std::vector<double> covariates;
};

inline ComparisonTable build(const std::vector<Vote>& votes,
                             std::vector<std::string> covariates = {}) {
  ComparisonTableBuilder builder(std::move(covariates));
  for (const Vote& v : votes) {
    builder.add(v.left, v.right, v.winner, v.worker, v.task, v.weight, v.covariates);
  }
  return std::move(builder).build();
}

inline std::vector<Vote> golden_votes() {
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

inline ComparisonTable golden_table() { return build(golden_votes(), {"style"}); }

// Lines "name key number ..." of the witness: [key number][which].
inline std::map<double, std::vector<double>> golden(const std::string& name,
                                                    const std::string& key) {
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
inline double golden_one(const std::string& name, const std::string& key) {
  return golden(name, key).begin()->second[0];
}

inline RankOptions options_for(RankMethod method, ClusterBy cluster = ClusterBy::kNone,
                               size_t rounds = 0) {
  RankOptions options;
  options.method = method;
  options.cluster = cluster;
  options.bootstrap_rounds = rounds;
  return options;
}

inline std::vector<const RankRow*> by_index(const Ranking& ranking) {
  std::vector<const RankRow*> rows(ranking.rows.size());
  for (const RankRow& row : ranking.rows) rows[row.index] = &row;
  return rows;
}

inline bool warns_of(const Ranking& ranking, const std::string& words) {
  return std::any_of(
      ranking.warnings.begin(), ranking.warnings.end(),
      [&](const std::string& warning) { return warning.find(words) != std::string::npos; });
}

inline void expect_finite(const Ranking& ranking) {
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

inline constexpr RankMethod kAllMethods[] = {RankMethod::kBradleyTerry, RankMethod::kDavidson,
                                             RankMethod::kRaoKupper,    RankMethod::kCrowdBt,
                                             RankMethod::kElo,          RankMethod::kNewman};

}  // namespace hone::quality::test_data
