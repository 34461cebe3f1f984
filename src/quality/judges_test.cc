// Judges against people, what to ask next, and the replay of adaptive overlap.

#include "quality/judges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "quality/aggregate.h"
#include "quality/agreement_test_data.h"
#include "quality/next_label.h"
#include "quality/simulate.h"

namespace hone::quality {
namespace {

using test_data::Row;

bool long_tests() { return std::getenv("HONE_TEST_LONG") != nullptr; }

TEST(Classification, AgreesWithScikitLearn) {
  std::vector<uint32_t> truth, said;
  size_t compared = 0;
  for (const Row& row : test_data::witness()) {
    const auto read = [&](std::vector<uint32_t>& into) {
      for (const double value : test_data::numbers(row, 1)) {
        into.push_back(static_cast<uint32_t>(value));
      }
    };
    if (row[0] == "truth") read(truth);
    if (row[0] == "said") read(said);
    if (row[0] != "classification") continue;
    const auto expected = test_data::numbers(row, 1);
    const Classification result = classification(truth, said, 6);  // two classes never occur
    EXPECT_NEAR(result.accuracy, expected[0], 1e-14);
    EXPECT_NEAR(result.macro_precision, expected[1], 1e-14);
    EXPECT_NEAR(result.macro_recall, expected[2], 1e-14);
    EXPECT_NEAR(result.macro_f1, expected[3], 1e-14);
    EXPECT_NEAR(result.kappa.value, expected[4], 1e-14);
    ++compared;
  }
  EXPECT_EQ(compared, 1u);
}

TEST(JudgesPublished, PandaLmsJudgesAgainstTheMajority) {
  NEEDS_SHARED_DATA("pandalm/testset-v1.json");
  std::vector<uint32_t> majority;
  uint64_t unanimous = 0, count[3] = {};
  for (const auto& [item, labels] : test_data::pandalm_annotations()) {
    const auto& winner = labels[0] == labels[1] || labels[0] == labels[2] ? labels[0] : labels[1];
    ASSERT_TRUE(winner == labels[0] || labels[1] == labels[2]);  // none is split three ways
    unanimous += labels[0] == labels[1] && labels[1] == labels[2];
    majority.push_back(static_cast<uint32_t>(std::stoul(winner)));
    ++count[majority.back()];
  }
  EXPECT_EQ(unanimous, 879u);
  EXPECT_EQ(count[0], 105u);
  EXPECT_EQ(count[1], 422u);
  EXPECT_EQ(count[2], 472u);
  const auto verdicts = [&](const char* file, const char* field, uint64_t& garbage) {
    std::map<int64_t, uint32_t> by_item;
    const Json data = test_data::read_json(test_data::shared_data() + "/pandalm/" + file);
    for (const Json& item : data.as_array()) {
      const Json& result = item.at(field);
      uint32_t verdict = 0;
      if (result.is_string()) {
        const std::string& word = result.as_string();
        garbage += word != "1" && word != "2" && word != "Tie";
        if (word == "1" || word == "2") verdict = static_cast<uint32_t>(std::stoul(word));
      } else {
        verdict = static_cast<uint32_t>(result.as_int());
      }
      by_item[item.at("idx").as_int()] = verdict;
    }
    std::vector<uint32_t> ordered;
    for (const auto& [item, verdict] : by_item) ordered.push_back(verdict);
    return ordered;
  };
  uint64_t garbage = 0;
  const auto gpt =
      classification(majority, verdicts("gpt-3.5-turbo-testset-v1.json", "gpt_result", garbage), 3);
  EXPECT_EQ(garbage, 25u);
  EXPECT_NEAR(gpt.accuracy, 0.7107, 5e-5);
  EXPECT_NEAR(gpt.macro_precision, 0.5879, 5e-5);
  EXPECT_NEAR(gpt.macro_recall, 0.5736, 5e-5);
  EXPECT_NEAR(gpt.macro_f1, 0.5755, 5e-5);
  const auto panda = classification(
      majority, verdicts("pandalm-7b-testset-v1.json", "pandalm_result", garbage), 3);
  EXPECT_NEAR(panda.accuracy, 0.6677, 5e-5);
  EXPECT_NEAR(panda.macro_precision, 0.5738, 5e-5);
  EXPECT_NEAR(panda.macro_recall, 0.5750, 5e-5);
  EXPECT_NEAR(panda.macro_f1, 0.5743, 5e-5);
}

TEST(JudgesPublished, TheGapOfLlmfaosJudgesIsTies) {
  NEEDS_SHARED_DATA("llmfao/crowd-comparisons.csv");
  const LabelTable people = test_data::llmfao_labels();
  std::vector<std::vector<int64_t>> verdicts;
  for (const char* judge : {"gpt4", "gpt3"}) {
    std::map<std::string, int64_t> by_task;
    const auto rows = test_data::read_rows(test_data::shared_data() + "/llmfao/" + judge +
                                           "-crowd-comparisons.csv");
    for (size_t i = 1; i < rows.size(); ++i) {
      by_task[rows[i][0]] = rows[i][4] == "right" ? 0 : rows[i][4] == "tie" ? 1 : 2;
    }
    verdicts.emplace_back();
    for (const std::string& task : people.tasks()) verdicts.back().push_back(by_task.at(task));
  }
  const AgainstPeople result = judges_against_people(people, verdicts, 1);
  EXPECT_NEAR(result.people.share, 0.617, 5e-4);
  EXPECT_NEAR(result.judges[0].share, 0.447, 5e-4);
  EXPECT_NEAR(result.judges[1].share, 0.379, 5e-4);
  EXPECT_NEAR(result.people.decided_share, 0.771, 5e-4);
  EXPECT_NEAR(result.judges[0].decided_share, 0.742, 5e-4);
  EXPECT_NEAR(result.judges[1].decided_share, 0.625, 6e-4);
  EXPECT_NEAR(result.judges[0].tie_share, 0.03, 0.005);
  EXPECT_NEAR(result.people.tie_share, 0.39, 0.005);
  verdicts[0].pop_back();
  EXPECT_THROW(judges_against_people(people, verdicts, 1), Error);
}

// "93 / 100 = 93.0%"
std::pair<int, int> fraction(const std::string& cell) {
  return {std::stoi(cell), std::stoi(cell.substr(cell.find('/') + 1))};
}

struct OrderTable {
  int n, first, second, both, same;
  double kappa;
};
OrderTable order_table(const Row& row) {
  return {fraction(row[3]).second, fraction(row[3]).first, fraction(row[4]).first,
          fraction(row[5]).first,  fraction(row[6]).first, std::stod(row[7])};
}

// Items with these counts; of each of the four kinds so many with gold a, the others with gold b.
BothOrders rebuilt(const OrderTable& t, const std::array<int, 4>& gold_a) {
  const std::array<int, 4> kinds = {t.both, t.first - t.both, t.second - t.both,
                                    t.n - t.first - t.second + t.both};
  std::vector<OrderPair> items;
  for (size_t kind = 0; kind < 4; ++kind) {
    for (int i = 0; i < kinds[kind]; ++i) {
      const bool gold_is_a = i < gold_a[kind];
      const bool right_straight = kind < 2, right_swapped = kind == 0 || kind == 2;
      OrderPair item{};
      item.gold = gold_is_a ? 0 : 1;
      item.straight = right_straight == gold_is_a ? Verdict3::kFirst : Verdict3::kSecond;
      item.swapped = right_swapped == gold_is_a ? Verdict3::kSecond : Verdict3::kFirst;
      items.push_back(item);
    }
  }
  return both_orders(items);
}

TEST(JudgesPublished, LlmBarsTableOfConsistencyAndAccuracy) {
  NEEDS_SHARED_DATA("llmbar/judge_statistics.tsv");
  const auto rows =
      test_data::read_rows(test_data::shared_data() + "/llmbar/judge_statistics.tsv", '\t');
  ASSERT_EQ(rows.size(), 500u);
  size_t without_ties = 0, with_kappa = 0;
  const struct {
    const char *set, *judge;
    double same, both;
    int gold_a;
  } named[] = {{"LLMBar/Natural", "GPT-4", 95, 93, 42},
               {"LLMBar/Natural", "ChatGPT", 71, 67, 42},
               {"LLMBar/Natural", "Falcon", 52, 50, 42},
               {"LLMBar/Adversarial/Neighbor", "GPT-4", 93.3, 75.4, 75},
               {"LLMBar/Adversarial/Neighbor", "ChatGPT", 71.6, 5.2, 75}};
  for (size_t r = 1; r < rows.size(); ++r) {
    const OrderTable t = order_table(rows[r]);
    if (t.same != t.n - t.first - t.second + 2 * t.both) continue;  // verdicts that were no answer
    ++without_ties;
    const BothOrders plain = rebuilt(t, {});
    EXPECT_EQ(plain.same, static_cast<uint64_t>(t.same));
    EXPECT_EQ(plain.right_straight, static_cast<uint64_t>(t.first));
    EXPECT_EQ(plain.right_swapped, static_cast<uint64_t>(t.second));
    EXPECT_EQ(plain.right_both, static_cast<uint64_t>(t.both));
    for (const auto& line : named) {
      if (rows[r][0] != line.set || rows[r][1] != line.judge || rows[r][2] != "Vanilla") continue;
      EXPECT_NEAR(100.0 * plain.same_share, line.same, 0.05);
      EXPECT_NEAR(100.0 * plain.accuracy_both, line.both, 0.05);
      // The table keeps no verdicts: some division of the golds must give its kappa to every digit.
      const std::array<int, 4> kinds = {t.both, t.first - t.both, t.second - t.both,
                                        t.n - t.first - t.second + t.both};
      const auto kappa_fits = [&](const std::array<int, 4>& a) {
        const double n = t.n;  // by hand: how often each order says a
        const double one = a[0] + a[1] + (kinds[2] - a[2]) + (kinds[3] - a[3]);
        const double two = a[0] + a[2] + (kinds[1] - a[1]) + (kinds[3] - a[3]);
        const double chance = (one * two + (n - one) * (n - two)) / (n * n);
        return std::fabs((t.same / n - chance) / (1.0 - chance) - t.kappa) < 1e-12;
      };
      bool found = false;
      std::array<int, 4> a{};
      for (a[0] = 0; a[0] <= kinds[0] && !found; ++a[0]) {
        for (a[1] = 0; a[1] <= kinds[1] && !found; ++a[1]) {
          for (a[2] = 0; a[2] <= kinds[2] && !found; ++a[2]) {
            a[3] = line.gold_a - a[0] - a[1] - a[2];
            if (a[3] < 0 || a[3] > kinds[3] || !kappa_fits(a)) continue;
            found = true;
            EXPECT_NEAR(rebuilt(t, a).kappa.value, t.kappa, 1e-12);
          }
        }
      }
      EXPECT_TRUE(found) << line.set << " " << line.judge;
      ++with_kappa;
    }
  }
  EXPECT_EQ(without_ties, 463u);
  EXPECT_EQ(with_kappa, 5u);
}

TEST(BothOrders, AJudgeThatAlwaysTakesTheFirstIsInconsistent) {
  std::vector<OrderPair> items(10, {Verdict3::kFirst, Verdict3::kFirst, 0});
  items.push_back({Verdict3::kTie, Verdict3::kTie, 2});
  const BothOrders result = both_orders(items);
  EXPECT_EQ(result.same, 1u);
  EXPECT_EQ(result.first_both, 10u);
  EXPECT_EQ(result.first_share, 1.0);
  EXPECT_NEAR(result.accuracy_straight, 1.0, 1e-15);
  EXPECT_NEAR(result.accuracy_both, 1.0 / 11.0, 1e-15);
  const BothOrders none = both_orders({});
  EXPECT_EQ(none.first_share, 0.5);
  EXPECT_FALSE(none.kappa.defined);
}

TEST(LengthSlope, AgreesWithStatsmodelsSandwich) {
  std::vector<std::vector<double>> lengths;
  std::vector<double> verdicts;
  size_t compared = 0;
  for (const Row& row : test_data::witness()) {
    if (row[0] == "length") lengths.push_back(test_data::numbers(row, 1));
    if (row[0] == "verdict") verdicts = test_data::numbers(row, 1);
    if (row[0] != "slope") continue;
    const auto expected = test_data::numbers(row, 1);
    const auto &left = lengths[lengths.size() - 2], &right = lengths.back();
    std::vector<LengthVerdict> items;
    for (size_t i = 0; i < left.size(); ++i) {
      items.push_back({left[i], right[i], verdicts[i], i % 2 == 0 ? verdicts[i] : -1.0});
    }
    const LengthSlope result = length_slope(items);
    ASSERT_TRUE(result.judge.defined);
    EXPECT_NEAR(result.judge.side, expected[0], 1e-8);
    EXPECT_NEAR(result.judge.slope, expected[1], 1e-8);
    EXPECT_NEAR(result.judge.side_error, expected[2], 1e-8);
    EXPECT_NEAR(result.judge.slope_error, expected[3], 1e-8);
    EXPECT_NEAR(result.judge.p, expected[4], 1e-7);
    // People who say what the judge says: no excess at all.
    EXPECT_NEAR(result.excess, 0.0, 1e-12);
    EXPECT_NEAR(result.excess_error, 0.0, 1e-12);
    ++compared;
  }
  EXPECT_EQ(compared, 2u);
}

TEST(LengthSlope, SaysWhenThereIsNone) {
  std::vector<LengthVerdict> always(20), equal(20);
  for (int i = 0; i < 20; ++i) {
    always[static_cast<size_t>(i)] = {100.0 + i, 50.0 + 3.0 * i, 50.0 + i > 3.0 * i ? 1.0 : 0.0};
    equal[static_cast<size_t>(i)] = {10.0, 10.0, 1.0};
  }
  EXPECT_FALSE(length_slope(equal).judge.defined);
  EXPECT_FALSE(length_slope(equal).warnings.empty());
  for (auto& item : always) item.judge = item.left_length > item.right_length ? 1.0 : 0.0;
  always.front().right_length = 500.0;
  always.front().judge = 0.0;
  const LengthSlope separated = length_slope(always);
  EXPECT_FALSE(separated.judge.defined);
  EXPECT_FALSE(separated.warnings.empty());
  always.front().judge = std::nan("");
  EXPECT_THROW(length_slope(always), Error);
}

TEST(JudgeMean, AgreesWithPpiPython) {
  std::vector<double> people, judge, elsewhere;
  size_t compared = 0;
  for (const Row& row : test_data::witness()) {
    if (row[0] == "people") people = test_data::numbers(row, 1);
    if (row[0] == "judge") judge = test_data::numbers(row, 1);
    if (row[0] == "elsewhere") elsewhere = test_data::numbers(row, 1);
    if (row[0] != "ppi") continue;
    const auto expected = test_data::numbers(row, 2);
    const JudgeMean result = judge_mean(people, judge, elsewhere);
    const PredictionPowered& mine = row[1] == "ppi"           ? result.ppi
                                    : row[1] == "people_only" ? result.people_only
                                                              : result.ppi_plus_plus;
    EXPECT_NEAR(mine.lambda, expected[0], 1e-12) << row[1];
    EXPECT_NEAR(mine.value, expected[1], 1e-12) << row[1];
    EXPECT_NEAR(mine.interval.low, expected[2], 1e-12) << row[1];
    EXPECT_NEAR(mine.interval.high, expected[3], 1e-12) << row[1];
    ++compared;
  }
  EXPECT_EQ(compared, 12u);
  EXPECT_THROW(judge_mean(people, judge, {}), Error);
  EXPECT_THROW(judge_mean({}, {}, elsewhere), Error);
}

TEST(JudgeMean, CoversThePlantedMeanAtItsRateWhateverTheJudge) {
  const int runs = long_tests() ? 1000 : 400;
  const double slack = long_tests() ? 0.0 : 0.012;
  for (const double noise : {0.2, 2.0}) {
    int covered = 0, plain = 0;
    double width = 0.0, width_alone = 0.0;
    for (int run = 0; run < runs; ++run) {
      Rng rng(17, rng_stream("ppi", static_cast<uint64_t>(run)));
      std::vector<double> people, judge, elsewhere;
      for (int i = 0; i < 100; ++i) {
        const double truth = 0.3 + rng.normal();
        people.push_back(truth);
        judge.push_back(truth + 0.7 + noise * rng.normal());  // biased by 0.7
      }
      for (int i = 0; i < 1000; ++i) elsewhere.push_back(1.0 + rng.normal() + noise * rng.normal());
      const JudgeMean result = judge_mean(people, judge, elsewhere);
      const Interval &tuned = result.ppi_plus_plus.interval, &alone = result.people_only.interval;
      covered += tuned.low <= 0.3 && 0.3 <= tuned.high;
      plain += result.ppi.interval.low <= 0.3 && 0.3 <= result.ppi.interval.high;
      width += tuned.high - tuned.low;
      width_alone += alone.high - alone.low;
    }
    EXPECT_GE(covered, runs * (0.93 - slack)) << noise;
    EXPECT_LE(covered, runs * (0.97 + slack)) << noise;
    EXPECT_GE(plain, runs * (0.93 - slack)) << noise;
    EXPECT_LT(width, width_alone * (noise < 1.0 ? 0.5 : 1.0)) << noise;
  }
}

// ---- What to ask next --------------------------------------------------------------------------

TEST(LabelGain, IsTheMutualInformationAndTheOneCoinFormIsTheMatrix) {
  const std::vector<double> even = {0.5, 0.5}, sure = {1.0, 0.0};
  const std::vector<double> perfect = {1.0, 0.0, 0.0, 1.0}, coin = {0.5, 0.5, 0.5, 0.5};
  EXPECT_NEAR(label_gain(even, perfect).information, 1.0, 1e-15);
  EXPECT_NEAR(label_gain(even, perfect).accuracy, 0.5, 1e-15);
  EXPECT_NEAR(label_gain(even, coin).information, 0.0, 1e-15);
  EXPECT_NEAR(label_gain(sure, perfect).information, 0.0, 1e-15);
  const std::vector<double> wrong = {0.0, 1.0, 1.0, 0.0};  // always wrong says as much
  EXPECT_NEAR(label_gain(even, wrong).information, 1.0, 1e-15);
  const std::vector<double> posterior = {0.55, 0.3, 0.1, 0.05};
  for (const double s : {0.1, 0.25, 0.6, 0.9, 1.0}) {
    std::vector<double> confusion(16, (1.0 - s) / 3.0);
    for (size_t k = 0; k < 4; ++k) confusion[k * 5] = s;
    const LabelGain matrix = label_gain(posterior, confusion), one = label_gain(posterior, s);
    EXPECT_NEAR(one.information, matrix.information, 1e-14) << s;
    EXPECT_NEAR(one.accuracy, matrix.accuracy, 1e-14) << s;
    // Against the definition: expected fall of the entropy.
    const auto entropy = [](const std::vector<double>& p) {
      double h = 0.0;
      for (const double x : p) h -= x > 0.0 ? x * std::log2(x) : 0.0;
      return h;
    };
    double after = 0.0;
    for (uint32_t label = 0; label < 4; ++label) {
      double said = 0.0;
      for (size_t k = 0; k < 4; ++k) said += posterior[k] * confusion[k * 4 + label];
      if (said > 0.0) after += said * entropy(posterior_after(posterior, confusion, label));
    }
    EXPECT_NEAR(matrix.information, entropy(posterior) - after, 1e-13) << s;
  }
  EXPECT_THROW(label_gain(std::vector<double>{0.5, 0.4}, 0.8), Error);
}

TEST(NextTasks, AsksTheUnsureFirstAndStopsByTheRule) {
  const std::vector<double> posteriors = {0.995, 0.005, 0.6, 0.4, 0.9, 0.1, 0.999, 0.001, 0.5, 0.5};
  const std::vector<uint32_t> labels = {3, 4, 5, 2, 20};
  const NextTasks next = next_tasks(posteriors, 2, labels, 0.8);
  EXPECT_EQ(next.done, 1u);
  EXPECT_EQ(next.undecided, 1u);
  ASSERT_EQ(next.ask.size(), 3u);
  EXPECT_EQ(next.ask[0].task, 1u);
  EXPECT_EQ(next.ask[1].task, 2u);
  EXPECT_EQ(next.ask[2].task, 3u);  // sure, but of two labels only
  EXPECT_NEAR(next.ask[0].confidence, 0.6, 1e-15);
  EXPECT_EQ(next_tasks(posteriors, 2, labels, 0.8, {}, 1).ask.size(), 1u);
  EXPECT_THROW(next_tasks(posteriors, 3, labels, 0.8), Error);
}

TEST(NextPairs, TakesTheContrastThatIsKnownLeastAmongEqualStrengths) {
  const std::vector<double> strengths = {0.0, 0.0, 0.0, 6.0};
  const std::vector<double> covariance = {0.2, 0.1, 0.0, 0.0, 0.1, 0.2, 0.0, 0.0,
                                          0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.9};
  const auto pairs = next_pairs(strengths, covariance, 10);
  ASSERT_EQ(pairs.size(), 6u);
  EXPECT_EQ(pairs[0].first, 0u);
  EXPECT_EQ(pairs[0].second, 2u);
  EXPECT_NEAR(pairs[0].variance, 1.1, 1e-15);
  EXPECT_NEAR(pairs[0].information, 0.5 * std::log2(1.0 + 0.25 * 1.1), 1e-14);
  // 2 against 3 has the largest variance, 1.8, but the outcome is all but known.
  EXPECT_LT(pairs.back().information, 0.1);
  EXPECT_EQ(next_pairs(strengths, covariance, 2).size(), 2u);
  EXPECT_THROW(next_pairs(strengths, std::vector<double>(3), 2), Error);
}

// ---- Replay ------------------------------------------------------------------------------------

AggregateFunction method(Method which) {
  return [which](const LabelTable& table, std::span<const double>) {
    AggregateOptions options;
    options.method = which;
    return aggregate(table, options).posterior;
  };
}

TEST(Simulate, SpendsTheStartOnSureTasksAndAllOnSplitOnes) {
  LabelTableBuilder builder({"0", "1"});
  for (int task = 0; task < 10; ++task) {
    for (int worker = 0; worker < 8; ++worker) {
      const bool split = task >= 5 && worker % 2 == 1;
      builder.add("t" + std::to_string(task), "w" + std::to_string(worker), split ? "0" : "1");
    }
  }
  const LabelTable table = std::move(builder).build();
  SimulateOptions options;
  options.threshold = 1.0;
  const Simulation result =
      simulate(table, std::vector<int64_t>(10, 1), method(Method::kMajority), options);
  EXPECT_EQ(result.runs.size(), 5u);
  EXPECT_NEAR(result.full_accuracy, 0.75, 1e-12);  // five ties count half
  for (const SimulateRun& run : result.runs) {
    EXPECT_EQ(run.points.front().labels, 30u);
    EXPECT_GE(run.points.back().labels, 15u + 15u);
    EXPECT_LE(run.points.back().labels, 15u + 40u);
    for (size_t i = 1; i < run.points.size(); ++i) {
      EXPECT_GT(run.points[i].labels, run.points[i - 1].labels);
    }
  }
  options.seeds = {1};
  const Simulation again =
      simulate(table, std::vector<int64_t>(10, 1), method(Method::kMajority), options);
  EXPECT_EQ(again.runs[0].points.back().labels, result.runs[0].points.back().labels);
  EXPECT_THROW(simulate(table, std::vector<int64_t>(10, -1), method(Method::kMajority)), Error);
  options.seeds.clear();
  EXPECT_THROW(simulate(table, std::vector<int64_t>(10, 1), method(Method::kMajority), options),
               Error);
}

// labelling.md section 6, point 7, to the digits printed there. iBCC: early, with a dozen labels a
// worker, plain Dawid-Skene is sure of too much and stops tasks too soon (printed beside).
TEST(SimulatePublished, AdaptiveOverlapMeetsTheTargets) {
  NEEDS_SHARED_DATA("truthinf/rte/label.csv");
  const struct {
    const char* name;
    double share, loss;
  } targets[] = {{"rte", 0.61, 0.3}, {"d_possent", 0.33, 0.4}, {"sp_amt", 0.18, 0.4}};
  SimulateOptions options;
  options.threshold = 0.993;
  for (const auto& target : targets) {
    const test_data::TruthSet set = test_data::truth_set(target.name);
    for (const Method which : {Method::kIbcc, Method::kDawidSkene}) {
      const Simulation result = simulate(set.labels, set.truth, method(which), options);
      const double loss = 100.0 * (result.full_accuracy - result.mean_accuracy);
      std::cout << target.name << " " << method_name(which) << ": " << 100.0 * result.mean_share
                << " % of the labels, accuracy " << 100.0 * result.mean_accuracy << " +- "
                << 100.0 * result.accuracy_deviation << ", all labels "
                << 100.0 * result.full_accuracy << "\n";
      if (which != Method::kIbcc) continue;
      EXPECT_LT(result.mean_share, target.share + 0.005) << target.name;
      EXPECT_LT(loss, target.loss + 0.05) << target.name;
    }
  }
}

}  // namespace
}  // namespace hone::quality
