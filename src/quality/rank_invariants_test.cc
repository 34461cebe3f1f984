// What must hold of a ranking on any table, and on tables that hold next to nothing.

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "quality/rank.h"
#include "quality/rank_bootstrap.h"
#include "quality/rank_test_votes.h"

namespace hone::quality {
namespace {

using namespace test_data;

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
