// Evidence about workers: published numbers, and error rates when one looks after every vote.

#include "quality/trust.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "quality/agreement_test_data.h"
#include "quality/multiple_testing.h"
#include "quality/near_duplicates.h"
#include "quality/sequential.h"

namespace hone::quality {
namespace {

bool long_tests() { return std::getenv("HONE_TEST_LONG") != nullptr; }

// The largest count that a rate of at most `rate` exceeds in fewer than one of 10,000 runs, roughly.
double most_hits(double rate, double n) { return rate * n + 3.8 * std::sqrt(n * rate) + 1.0; }

TEST(MultipleTesting, AdjustedPValuesAgreeWithStatsmodels) {
  std::vector<double> p;
  size_t compared = 0;
  for (const auto& row : test_data::witness()) {
    if (row[0] == "p") p = test_data::numbers(row, 1);
    if (row[0] != "adjusted") continue;
    const auto expected = test_data::numbers(row, 2);
    const auto q = row[1] == "bh"   ? benjamini_hochberg(p)
                   : row[1] == "by" ? benjamini_yekutieli(p)
                                    : holm(p);
    ASSERT_EQ(q.size(), expected.size());
    for (size_t i = 0; i < q.size(); ++i) EXPECT_NEAR(q[i], expected[i], 1e-14) << row[1];
    ++compared;
  }
  EXPECT_EQ(compared, 12u);
  const std::vector<double> e = {40.0, 1.0, 0.0, 100.0};
  const auto q = e_benjamini_hochberg(e);  // 4 / (2 x 40), 1, 1, min with 4 / 100
  EXPECT_DOUBLE_EQ(q[0], 0.05);
  EXPECT_DOUBLE_EQ(q[3], 0.04);
  EXPECT_EQ(q[1], 1.0);
  EXPECT_EQ(q[2], 1.0);
  EXPECT_TRUE(benjamini_hochberg({}).empty());
  const std::vector<double> bad = {1.5}, negative = {-1.0};
  EXPECT_THROW(benjamini_hochberg(bad), Error);
  EXPECT_THROW(e_benjamini_hochberg(negative), Error);
}

TEST(Sprt, BoundsAreAsStatedAndErrorsStayWithinThemWhenLookedAtAfterEveryAnswer) {
  const Sprt fresh;
  EXPECT_NEAR(fresh.accuse_at(), std::log(1.0 / 0.01), 1e-14);
  EXPECT_NEAR(fresh.clear_at(), std::log(0.05), 1e-14);
  SprtOptions wald;
  wald.bounds = SprtBounds::kWald;
  EXPECT_NEAR(Sprt(wald).accuse_at(), std::log(0.95 / 0.01), 1e-14);
  const int runs = 4000;
  int accused = 0, cleared = 0, found = 0, bets = 0;
  for (int run = 0; run < runs; ++run) {
    Rng rng(1, rng_stream("sprt", static_cast<uint64_t>(run)));
    Sprt good, bad;
    BettingTest bet(0.85);
    for (int i = 0; i < 300; ++i) {
      const bool right = rng.uniform() < 0.85;
      good.add(right);
      bet.add(right ? 1.0 : 0.0);
      bad.add(rng.uniform() < 0.60);
    }
    accused += good.decision() == SprtDecision::kBad;
    cleared += bad.decision() == SprtDecision::kGood;
    found += bad.decision() == SprtDecision::kBad;
    bets += bet.anytime_p() <= 0.01;
  }
  EXPECT_LE(accused, most_hits(0.01, runs));
  EXPECT_LE(cleared, most_hits(0.05, runs));
  EXPECT_LE(bets, most_hits(0.01, runs));
  EXPECT_GE(found, runs * 9 / 10);  // the rest were cleared by chance
  SprtOptions nonsense;
  nonsense.bad = 0.9;
  EXPECT_THROW(Sprt{nonsense}, Error);
}

TEST(BettingTest, FindsAMeanBelowTheFloorAndNeverPaysForOneAbove) {
  BettingTest low(0.8), high(0.8);
  for (int i = 0; i < 200; ++i) {
    low.add(i % 2 == 0 ? 1.0 : 0.2);  // mean 0.6
    high.add(0.9);
  }
  EXPECT_GT(low.wealth(), 1000.0);
  EXPECT_LT(high.wealth(), 1.0);
  EXPECT_EQ(high.anytime_p(), 1.0);
  // Against the formula: the mean over stakes of the product of 1 + stake (floor - x).
  BettingTest two(0.5);
  two.add(0.0);
  two.add(1.0);
  double expected = 0.0, share = 0.98;
  for (size_t i = 0; i < BettingTest::kStakes; ++i, share *= std::sqrt(0.5)) {
    expected += (1.0 + share) * (1.0 - share) / 16.0;
  }
  EXPECT_NEAR(two.wealth(), expected, 1e-14);
  EXPECT_THROW(BettingTest(1.0), Error);
  EXPECT_THROW(two.add(1.5), Error);
}

TEST(PositionBias, LlmfaosFiveOfEightyFour) {
  NEEDS_SHARED_DATA("llmfao/crowd-comparisons.csv");
  const PositionBias bias = position_bias(test_data::llmfao_comparisons());
  const double all = static_cast<double>(bias.left + bias.right + bias.tie);
  EXPECT_EQ(all, 8931.0);
  EXPECT_NEAR(100.0 * static_cast<double>(bias.left) / all, 32.59, 0.005);
  EXPECT_NEAR(100.0 * static_cast<double>(bias.right) / all, 28.54, 0.005);
  EXPECT_NEAR(100.0 * static_cast<double>(bias.tie) / all, 38.86, 0.005);
  EXPECT_NEAR(bias.left_share, 0.533, 0.0005);
  EXPECT_NEAR(bias.z, 4.90, 0.005);
  EXPECT_EQ(bias.workers.size(), 84u);
  const auto table = test_data::llmfao_comparisons();
  size_t found = 0;
  for (const SideRow& row : bias.workers) {
    found += row.q <= 0.05;
    if (table.workers[row.worker] == "32") {
      EXPECT_EQ(row.left, 21u);
      EXPECT_EQ(row.right, 0u);
      EXPECT_LE(row.q, 0.05);
      EXPECT_NEAR(row.p, std::pow(0.5, 20), 1e-20);
    }
    if (table.workers[row.worker] == "20") {
      EXPECT_EQ(row.left, 204u);
      EXPECT_EQ(row.left + row.right, 290u);
      EXPECT_LE(row.q, 0.05);
    }
  }
  EXPECT_EQ(found, 5u);
}

TEST(PositionBias, UkpHasNoSideAndItsTimesAreThePublishedOnes) {
  NEEDS_SHARED_DATA("ukpconvarg1/assignments.tsv.gz");
  const auto rows = test_data::ukp_rows();
  ASSERT_EQ(rows.size(), 84446u);
  ComparisonTableBuilder builder;
  std::set<std::string> hits;
  std::vector<Answer> answers;
  for (size_t i = 1; i < rows.size(); ++i) {
    const auto things = test_data::split(rows[i][1], '_');
    const Winner winner = rows[i][3] == "a1"   ? Winner::kLeft
                          : rows[i][3] == "a2" ? Winner::kRight
                                               : Winner::kTie;
    builder.add(things[0], things[1], winner, rows[i][2], rows[i][0] + "/" + rows[i][1]);
    if (hits.insert(rows[i][10] + " " + rows[i][2]).second) {  // one time a HIT of three pairs
      answers.push_back({0, 0, 0, std::stod(rows[i][5])});
    }
  }
  const PositionBias bias = position_bias(std::move(builder).build());
  EXPECT_NEAR(bias.left_share, 0.503, 0.0005);
  EXPECT_EQ(bias.workers.size(), 869u);
  for (const SideRow& row : bias.workers) EXPECT_GT(row.q, 0.05);
  const auto times = time_evidence(answers, 20.0);
  ASSERT_EQ(times.size(), 1u);
  EXPECT_EQ(times[0].median, 166.0);
  EXPECT_EQ(times[0].fifth_percentile, 53.0);
}

TEST(PositionBias, NothingDecidedIsSaidAndNotNaN) {
  ComparisonTableBuilder builder;
  builder.add("a", "b", Winner::kTie, "w");
  const PositionBias bias = position_bias(std::move(builder).build());
  EXPECT_EQ(bias.left_share, 0.5);
  EXPECT_EQ(bias.p, 1.0);
  EXPECT_EQ(bias.z, 0.0);
  EXPECT_TRUE(bias.workers.empty());
  EXPECT_FALSE(bias.warnings.empty());
}

// ---- Against the crowd -------------------------------------------------------------------------

// 60 tasks; worker 0 and four others draw each label from the task's own shares.
LabelTable exchangeable(uint64_t run, int classes, bool spammer) {
  Rng rng(11, rng_stream("crowd", run, static_cast<uint64_t>(classes)));
  LabelTableBuilder builder;
  for (int task = 0; task < 60; ++task) {
    const double sure = 0.4 + 0.55 * rng.uniform();
    const auto truth = rng.below(static_cast<uint64_t>(classes));
    for (int worker = 0; worker < 5; ++worker) {
      uint64_t label = truth;
      if (rng.uniform() >= sure) label = rng.below(static_cast<uint64_t>(classes));
      if (spammer && worker == 0) label = rng.below(static_cast<uint64_t>(classes));
      builder.add("t" + std::to_string(100 + task), "w" + std::to_string(worker),
                  std::to_string(label));
    }
  }
  return std::move(builder).build();
}

TEST(CrowdEvidence, AccusesTheInnocentAtMostAtItsRateWhenLookedAtAfterEveryVote) {
  const int runs = long_tests() ? 20000 : 3000;
  for (const int classes : {2, 3, 5}) {
    int fixed = 0, betting = 0, wronged = 0;
    for (int run = 0; run < runs; ++run) {
      const auto rows = crowd_evidence(exchangeable(static_cast<uint64_t>(run), classes, false));
      const CrowdRow& row = rows.workers.at(0);
      fixed += row.fixed_max >= 20.0;
      betting += row.betting_max >= 20.0;
      EXPECT_EQ(row.crossed_after > 0, row.betting_max >= 20.0);
      wronged += std::any_of(rows.workers.begin(), rows.workers.end(),
                             [](const CrowdRow& each) { return each.q <= 0.05; });
    }
    EXPECT_LE(fixed, most_hits(0.05, runs)) << classes;
    EXPECT_LE(betting, most_hits(0.05, runs)) << classes;
    EXPECT_LE(wronged, most_hits(0.05, runs)) << classes;
  }
}

TEST(CrowdEvidence, BettingFindsWhoAnswersAtRandomOrAlwaysTheSame) {
  int random_fixed = 0, random_betting = 0, constant_betting = 0, constant_fixed = 0;
  const int runs = 200;
  for (int run = 0; run < runs; ++run) {
    const auto random = crowd_evidence(exchangeable(static_cast<uint64_t>(run), 3, true));
    random_fixed += random.workers.at(0).fixed >= 20.0;
    random_betting += random.workers.at(0).betting >= 20.0;
    // Nine of ten tasks are of class 0, and one worker always says the other.
    Rng rng(12, rng_stream("constant", static_cast<uint64_t>(run)));
    LabelTableBuilder builder;
    for (int task = 0; task < 60; ++task) {
      const bool rare = rng.uniform() < 0.1;
      for (int worker = 0; worker < 5; ++worker) {
        const bool flip = rng.uniform() < 0.15;
        builder.add("t" + std::to_string(100 + task), "w" + std::to_string(worker),
                    worker == 0 || rare != flip ? "1" : "0");
      }
    }
    const auto constant = crowd_evidence(std::move(builder).build());
    constant_betting += constant.workers.at(0).betting >= 20.0;
    constant_fixed += constant.workers.at(0).fixed >= 20.0;
  }
  EXPECT_GE(random_betting, runs * 9 / 10);
  EXPECT_GE(constant_betting, runs * 95 / 100);
  RecordProperty("random_fixed", random_fixed);
  RecordProperty("constant_fixed", constant_fixed);
}

TEST(CrowdEvidence, IsTheProductThatTheHeaderStates) {
  LabelTableBuilder builder;
  // Task a: w says 1 against 0 0; task b: all agree; task c: w with one of two.
  for (const auto& [task, worker, label] :
       std::vector<std::array<const char*, 3>>{{"a", "w", "1"},
                                               {"a", "x", "0"},
                                               {"a", "y", "0"},
                                               {"b", "w", "0"},
                                               {"b", "x", "0"},
                                               {"c", "w", "0"},
                                               {"c", "x", "0"},
                                               {"c", "y", "1"}}) {
    builder.add(task, worker, label);
  }
  CrowdOptions options;
  options.min_votes = 1;
  const LabelTable table = std::move(builder).build();
  const auto evidence = crowd_evidence(table, options);
  const CrowdRow& row = evidence.workers.at(0);
  EXPECT_EQ(row.votes, 2u);
  EXPECT_NEAR(row.fixed, 3.0 / (2.0 * 1.0) * 3.0 / (2.0 * 2.0), 1e-14);
  EXPECT_NEAR(row.fixed_max, 1.5, 1e-14);
  double wealth = 0.0;
  for (const double stake : {1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1.0}) {
    // Habit: before a (1, 1) / 2; before c one 1 (a) and one 0 (b) more: (2, 2) / 4.
    for (int kind = 0; kind < 2; ++kind) {
      wealth += (1.0 - stake + stake * 1.5) * (1.0 - stake + stake * 0.75) / 10.0;
    }
  }
  EXPECT_NEAR(row.betting, wealth, 1e-14);
  std::vector<uint32_t> backwards(table.label_count());
  for (uint32_t i = 0; i < backwards.size(); ++i) {
    backwards[i] = static_cast<uint32_t>(backwards.size()) - 1 - i;
  }
  EXPECT_NEAR(crowd_evidence(table, options, backwards).workers.at(0).fixed, row.fixed, 1e-14);
  backwards[0] = backwards[1];
  EXPECT_THROW(crowd_evidence(table, options, backwards), Error);
}

TEST(CrowdEvidence, FastchatsRuleStaysWithinTwiceAlphaAndSeesAContrarian) {
  const int runs = long_tests() ? 10000 : 1500;
  int flagged = 0, contrarian = 0;
  for (int run = 0; run < runs; ++run) {
    Rng rng(13, rng_stream("fastchat", static_cast<uint64_t>(run)));
    ComparisonTableBuilder builder;
    for (int pair = 0; pair < 40; ++pair) {
      const double p = 0.3 + 0.65 * rng.uniform();
      const std::string a = "a" + std::to_string(pair), b = "b" + std::to_string(pair);
      for (int worker = 0; worker < 8; ++worker) {
        bool first = rng.uniform() < p;
        if (worker == 7) first = rng.uniform() < 0.1;
        const bool turned = rng.uniform() < 0.5;
        builder.add(turned ? b : a, turned ? a : b,
                    first != turned ? Winner::kLeft : Winner::kRight, std::to_string(worker));
      }
    }
    const ComparisonTable table = std::move(builder).build();
    const auto rows = fastchat_evidence(table);
    flagged += rows.at(0).flagged;
    contrarian += rows.at(7).flagged;
    if (run == 0) {
      const auto bags = crowd_evidence(table);
      EXPECT_EQ(bags.workers.size(), 8u);
      EXPECT_GT(bags.workers.at(7).betting, bags.workers.at(0).betting);
    }
  }
  EXPECT_LE(flagged, most_hits(0.10, runs));
  EXPECT_GE(contrarian, runs * 8 / 10);
}

// ---- Gold, patterns, time, leave one out, exams ------------------------------------------------

TEST(GoldEvidence, CountsOnlyTasksWithTruthAndDecides) {
  LabelTableBuilder builder({"0", "1"});
  for (int task = 0; task < 80; ++task) {
    const std::string name = "t" + std::to_string(100 + task);
    builder.add(name, "good", "1");
    builder.add(name, "bad", task % 2 == 0 ? "1" : "0");
  }
  const LabelTable table = std::move(builder).build();
  std::vector<int64_t> truth(80, 1);
  std::fill(truth.begin() + 60, truth.end(), -1);
  const GoldEvidence evidence = gold_evidence(table, truth);
  ASSERT_EQ(evidence.workers.size(), 2u);
  const GoldRow &bad = evidence.workers[0], &good = evidence.workers[1];
  EXPECT_EQ(bad.right, 30u);
  EXPECT_EQ(bad.wrong, 30u);
  EXPECT_EQ(bad.decision, SprtDecision::kBad);
  EXPECT_GE(bad.log_ratio, evidence.accuse_at);
  EXPECT_LT(bad.anytime_p, 0.01);
  EXPECT_EQ(good.decision, SprtDecision::kGood);
  EXPECT_EQ(good.right, 60u);
  EXPECT_EQ(good.anytime_p, 1.0);
  // log(0.05) / log(0.6 / 0.85) = 8.6: nine right answers clear a worker.
  EXPECT_EQ(good.decided_after, 9u);
  EXPECT_THROW(gold_evidence(table, std::vector<int64_t>(3, 0)), Error);
}

TEST(AnswerPatterns, ConstantAlternatingAndHonestWorkersDiffer) {
  std::vector<Answer> answers;
  for (uint32_t i = 0; i < 120; ++i) {
    Rng rng(14, rng_stream("patterns", i));
    answers.push_back({0, i, 1, -1.0});       // constant
    answers.push_back({1, i, i % 2, -1.0});   // alternating
    answers.push_back({2, i, i % 3, -1.0});   // of period 3
    answers.push_back({3, i, i / 40, -1.0});  // blocks
    for (uint32_t worker = 4; worker < 40; ++worker) {
      answers.push_back({worker, i, static_cast<uint32_t>(rng.below(3)), -1.0});
    }
  }
  const auto rows = answer_patterns(answers, 3);
  ASSERT_EQ(rows.size(), 40u);
  EXPECT_EQ(rows[0].entropy, 0.0);
  EXPECT_EQ(rows[0].longest_run, 120u);
  EXPECT_LE(rows[0].constant_p, 0.001);
  EXPECT_EQ(rows[0].run_p, 1.0);  // equal answers have one order only
  EXPECT_EQ(rows[1].period, 2u);
  EXPECT_EQ(rows[1].period_share, 1.0);
  EXPECT_NEAR(rows[1].entropy, 1.0, 1e-12);
  EXPECT_EQ(rows[2].period, 3u);
  EXPECT_LE(rows[2].period_p, 0.001);
  EXPECT_EQ(rows[3].longest_run, 40u);
  EXPECT_LE(rows[3].run_p, 0.001);
  for (size_t i = 0; i < 4; ++i) EXPECT_LE(rows[i].q, 0.05) << i;
  size_t wronged = 0;
  for (size_t i = 4; i < 40; ++i) wronged += rows[i].q <= 0.05;
  EXPECT_LE(wronged, 3u);  // 4 true discoveries: 5 % of them is 0.2, a row more now and then
  EXPECT_NEAR(rows[5].crowd_entropy, std::log2(3.0), 0.05);
  EXPECT_THROW(answer_patterns(answers, 2), Error);
}

TEST(TimeEvidence, ComparesWithTheOthersNotWithTheWorkerHimself) {
  std::vector<Answer> answers;
  for (uint32_t i = 0; i < 100; ++i) {
    answers.push_back({0, i, 0, i < 50 ? 2.0 : 30.0});
    answers.push_back({1, i, 0, i < 4 ? 2.0 : 40.0});
    answers.push_back({2, i, 0, 60.0});
    answers.push_back({3, i, 0, -1.0});  // no time
  }
  const auto rows = time_evidence(answers, 5.0);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].below, 50u);
  EXPECT_DOUBLE_EQ(rows[0].crowd_share, 0.02);
  EXPECT_LT(rows[0].q, 1e-20);
  EXPECT_GT(rows[1].p, 0.9);
  EXPECT_EQ(rows[2].p, 1.0);
  EXPECT_THROW(time_evidence(answers, 0.0), Error);
}

TEST(LeaveOneOut, LlmfaosRangeAsPublished) {
  NEEDS_SHARED_DATA("llmfao/crowd-comparisons.csv");
  const auto rows = leave_one_out_agreement(test_data::llmfao_labels(), 30);
  double low = 1.0, high = 0.0;
  for (const auto& row : rows) {
    low = std::min(low, row.agreement);
    high = std::max(high, row.agreement);
  }
  EXPECT_EQ(rows.size(), 49u);
  EXPECT_NEAR(low, 0.295, 0.0005);
  EXPECT_NEAR(high, 0.816, 0.0005);
}

TEST(ItemAnalysis, FindsTheBrokenKeyAndMeasuresReliability) {
  LabelTableBuilder builder({"0", "1", "2"});
  for (int worker = 0; worker < 200; ++worker) {
    Rng rng(15, rng_stream("exam", static_cast<uint64_t>(worker)));
    const double skill = 0.3 + 0.65 * rng.uniform();
    for (int task = 0; task < 12; ++task) {
      const bool right = rng.uniform() < skill;
      builder.add("t" + std::to_string(10 + task), "w" + std::to_string(worker),
                  right                 ? "1"
                  : rng.uniform() < 0.5 ? "0"
                                        : "2");
    }
  }
  const LabelTable table = std::move(builder).build();
  std::vector<int64_t> key(12, 1);
  key[4] = 0;   // broken: the best say 1
  key[7] = -1;  // not in the exam
  const ItemAnalysis exam = item_analysis(table, key);
  ASSERT_EQ(exam.items.size(), 11u);
  EXPECT_EQ(exam.complete_workers, 200u);
  EXPECT_TRUE(exam.reliability_defined);
  EXPECT_GT(exam.reliability, 0.3);
  for (const ItemRow& item : exam.items) {
    if (item.task == 4) {
      EXPECT_LT(item.discrimination, 0.0);
      EXPECT_EQ(item.rival, 1u);
      EXPECT_GT(item.rival_share_upper, 0.6);
      EXPECT_LT(item.key_share_upper, 0.3);
      EXPECT_LT(item.upper_lower, 0.0);
    } else {
      EXPECT_GT(item.discrimination, 0.1);
      EXPECT_GT(item.upper_lower, 0.1);
      EXPECT_NEAR(item.difficulty, 0.625, 0.1);
    }
  }
  // KR-20 of a small exam by hand: rows 111, 110, 100, 000: p = 3/4, 2/4, 1/4, sum pq = 0.625,
  // variance of 3, 2, 1, 0 is 1.25: 3/2 (1 - 0.5) = 0.75.
  LabelTableBuilder small({"0", "1"});
  for (int worker = 0; worker < 4; ++worker) {
    for (int task = 0; task < 3; ++task) {
      small.add(std::to_string(task), std::to_string(worker), task + worker < 3 ? "1" : "0");
    }
  }
  const auto by_hand = item_analysis(std::move(small).build(), std::vector<int64_t>(3, 1));
  EXPECT_NEAR(by_hand.reliability, 0.75, 1e-14);
  // Item 0: right 1 1 1 0, rest 1, 1/2, 0, 0 -> correlation sqrt(3/11).
  EXPECT_NEAR(by_hand.items[0].discrimination, std::sqrt(3.0 / 11.0), 1e-12);
  const auto none = item_analysis(table, std::vector<int64_t>(12, -1));
  EXPECT_TRUE(none.items.empty());
  EXPECT_FALSE(none.warnings.empty());
}

// ---- Near duplicates ---------------------------------------------------------------------------

TEST(NearDuplicates, FindsCopiesAndSlightChangesAndGivesTheExactSimilarity) {
  const std::vector<std::string_view> texts = {
      "The left answer is better because it follows the instruction and is shorter.",
      "the LEFT answer is better, because it follows the instruction and is shorter",
      "The left answer is better because it follows the instruction and is shorter too.",
      "Both answers are wrong about the capital of Australia, which is Canberra.",
      "same as above",
      "The right answer names every step that the question asks for, in the right order."};
  NearDuplicateOptions options;
  const NearDuplicates found = near_duplicates(texts, options);
  ASSERT_EQ(found.pairs.size(), 2u);
  EXPECT_EQ(found.pairs[0].first, 0u);
  EXPECT_EQ(found.pairs[0].second, 1u);
  EXPECT_EQ(found.pairs[0].similarity, 1.0);
  EXPECT_EQ(found.pairs[1].second, 2u);
  EXPECT_NEAR(found.pairs[1].similarity, 11.0 / 12.0, 1e-15);  // 11 runs of 3 words, and one more
  EXPECT_EQ(found.texts_left_out, 1u);
  options.threshold = 0.95;
  EXPECT_EQ(near_duplicates(texts, options).pairs.size(), 1u);
  options.bands = 0;
  EXPECT_THROW(near_duplicates(texts, options), Error);
}

TEST(NearDuplicates, MissesAsSeldomAsTheBandsPromiseAndIsTheSameForAnyThreads) {
  // 400 pairs of 60-word texts of which a known part is equal.
  std::vector<std::string> texts;
  for (uint64_t pair = 0; pair < 400; ++pair) {
    Rng rng(16, rng_stream("texts", pair));
    std::string first, second;
    for (int word = 0; word < 60; ++word) {
      const std::string same = "w" + std::to_string(rng.below(100000));
      first += same + " ";
      second += (word == 30 ? "changed" : same) + " ";
    }
    texts.push_back(first);
    texts.push_back(second);
  }
  std::vector<std::string_view> views(texts.begin(), texts.end());
  ThreadPool pool(2);
  const auto one = near_duplicates(views), two = near_duplicates(views, {}, &pool);
  ASSERT_EQ(one.pairs.size(), two.pairs.size());
  EXPECT_EQ(one.pairs.size(), 400u);  // similarity 55 / 61 = 0.90
  for (size_t i = 0; i < one.pairs.size(); ++i) {
    EXPECT_EQ(one.pairs[i].first, two.pairs[i].first);
    EXPECT_EQ(one.pairs[i].second, one.pairs[i].first + 1);
    EXPECT_NEAR(one.pairs[i].similarity, 55.0 / 61.0, 1e-15);
  }
}

TEST(NearDuplicates, StaysBoundedWhenEverybodyWritesTheSame) {
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) {
    texts.push_back("I like the left one more because it is simply the better answer of the two " +
                    std::to_string(i % 1500));
  }
  std::vector<std::string_view> views(texts.begin(), texts.end());
  NearDuplicateOptions options;
  options.max_pairs = 5000;
  options.bucket = 4;
  const auto found = near_duplicates(views, options);
  EXPECT_LE(found.pairs.size(), 5000u);
  EXPECT_GE(found.pairs.size(), 1500u);  // each copy at the least
  EXPECT_GT(found.candidates_cut + found.truncated, 0u);
}

}  // namespace
}  // namespace hone::quality
