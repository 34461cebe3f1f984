// Agreement against krippendorff, irrCAC, scikit-learn and statsmodels (tests/golden/quality/), the
// published numbers of public data, and planted intervals.

#include "quality/agreement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "quality/agreement_test_data.h"
#include "quality/resample_draws.h"

namespace hone::quality {
namespace {

using test_data::Row;

AgreementOptions asked(AgreementMetric metric, MeasurementLevel level = MeasurementLevel::kNominal,
                       AgreementWeights weights = AgreementWeights::kByLevel) {
  AgreementOptions options;
  options.metric = metric;
  options.level = level;
  options.weights = weights;
  options.rounds = 0;
  return options;
}

double alpha(const LabelTable& table, MeasurementLevel level = MeasurementLevel::kNominal) {
  return agreement(table, asked(AgreementMetric::kAlpha, level)).overall.value;
}
double of(const LabelTable& table, AgreementMetric metric) {
  return agreement(table, asked(metric)).overall.value;
}

TEST(Agreement, EveryMetricLevelAndWeightAgreesWithItsWitness) {
  const auto tables = test_data::witness_tables();
  ASSERT_EQ(tables.size(), 6u);
  size_t compared = 0;
  for (const Row& row : test_data::witness()) {
    if (row[0] != "value") continue;
    const Agreement result = agreement(
        tables.at(row[1]),
        asked(*agreement_metric(row[2]), *measurement_level(row[3]), *agreement_weights(row[4])));
    EXPECT_TRUE(result.overall.defined);
    EXPECT_NEAR(result.overall.value, std::stod(row[5]), 1e-12)
        << row[1] << " " << row[2] << " " << row[3] << " " << row[4];
    ++compared;
  }
  EXPECT_EQ(compared, 56u);
}

TEST(Agreement, EachPairsKappaAgreesWithScikitLearn) {
  const auto tables = test_data::witness_tables();
  size_t compared = 0;
  for (const Row& row : test_data::witness()) {
    if (row[0] != "cohen") continue;
    auto options =
        asked(AgreementMetric::kCohen, MeasurementLevel::kNominal, *agreement_weights(row[4]));
    options.pairs = 100;
    const Agreement result = agreement(tables.at(row[1]), options);
    for (const PairAgreement& pair : result.pairs) {
      if (pair.first != std::stoul(row[2]) || pair.second != std::stoul(row[3])) continue;
      EXPECT_NEAR(pair.metric.value, std::stod(row[5]), 1e-12)
          << row[1] << " " << row[2] << " " << row[3] << " " << row[4];
      ++compared;
    }
    if (tables.at(row[1]).worker_count() == 2) {
      EXPECT_NEAR(result.overall.value, std::stod(row[5]), 1e-12);
    }
  }
  EXPECT_EQ(compared, 117u);
}

TEST(Agreement, AClassAgainstTheRestIsTheMetricOfTheMergedTable) {
  const auto tables = test_data::witness_tables();
  size_t compared = 0;
  for (const Row& row : test_data::witness()) {
    if (row[0] != "class") continue;
    const LabelTable& table = tables.at(row[1]);
    const Agreement result = agreement(table, asked(*agreement_metric(row[3])));
    for (const ClassAgreement& line : result.classes) {
      if (table.classes()[line.label_class] != row[2]) continue;
      EXPECT_NEAR(line.metric.value, std::stod(row[4]), 1e-12) << row[1] << " " << row[2];
      ++compared;
    }
  }
  EXPECT_EQ(compared, 42u);
}

// The formulas of the header, label by label, without patterns.
TEST(Agreement, SpecificAgreementPercentAndCongersKappaAreWhatTheHeaderSays) {
  const auto tables = test_data::witness_tables();
  const LabelTable& table = tables.at("five");
  std::vector<double> same(table.class_count()), all(table.class_count());
  double percent = 0.0, tasks = 0.0;
  for (size_t task = 0; task < table.task_count(); ++task) {
    const auto labels = table.labels_of_task(task);
    if (labels.size() < 2) continue;
    double agree = 0.0;
    const double n = static_cast<double>(labels.size());
    for (size_t i = 0; i < labels.size(); ++i) {
      for (size_t j = 0; j < labels.size(); ++j) {
        if (i == j) continue;
        all[labels[i].value] += 1.0 / (n - 1.0);
        if (labels[i].value != labels[j].value) continue;
        same[labels[i].value] += 1.0 / (n - 1.0);
        agree += 1.0 / (n * (n - 1.0));
      }
    }
    percent += agree;
    tasks += 1.0;
  }
  const Agreement result = agreement(table, asked(AgreementMetric::kPercent));
  EXPECT_NEAR(result.overall.value, percent / tasks, 1e-13);
  EXPECT_EQ(result.tasks, static_cast<uint64_t>(tasks));
  for (const ClassAgreement& line : result.classes) {
    EXPECT_NEAR(line.specific.value, same[line.label_class] / all[line.label_class], 1e-13);
  }
  // Conger: chance from each worker's shares over tasks that have two labels or more.
  std::vector<std::vector<double>> shares(table.worker_count(),
                                          std::vector<double>(table.class_count()));
  for (size_t worker = 0; worker < table.worker_count(); ++worker) {
    double n = 0.0;
    for (const uint32_t index : table.labels_of_worker(worker)) {
      const Label& label = table.labels()[index];
      if (table.labels_of_task(label.task).size() < 2) continue;
      shares[worker][label.value] += 1.0;
      n += 1.0;
    }
    for (double& share : shares[worker]) share /= n;
  }
  double seen = 0.0, chance = 0.0, pairs = 0.0;
  for (const Label& a : table.labels()) {
    for (const Label& b : table.labels_of_task(a.task)) {
      if (a.worker == b.worker) continue;
      pairs += 1.0;
      seen += a.value == b.value;
      for (size_t k = 0; k < table.class_count(); ++k) {
        chance += shares[a.worker][k] * shares[b.worker][k];
      }
    }
  }
  const Agreement cohen = agreement(table, asked(AgreementMetric::kCohen));
  EXPECT_NEAR(cohen.overall.value, (seen - chance) / (pairs - chance), 1e-12);
  EXPECT_NEAR(cohen.observed, seen / pairs, 1e-13);
  EXPECT_NEAR(cohen.expected, chance / pairs, 1e-13);
}

// In a crowd two workers meet on a task or two: chance agreement must not be guessed from those.
TEST(Agreement, ASparseCrowdsKappaIsNearAlphaAndInsideItsInterval) {
  LabelTableBuilder builder;
  for (uint64_t task = 0; task < 600; ++task) {
    Rng rng(8, rng_stream("sparse-crowd", task));
    const auto truth = rng.below(3);
    for (int label = 0; label < 4; ++label) {
      const std::string worker = std::to_string(rng.below(80));
      builder.add(std::to_string(task), worker,
                  std::to_string(rng.uniform() < 0.6 ? truth : rng.below(3)));
    }
  }
  const LabelTable table = std::move(builder).build(OnConflict::kFirst);
  AgreementOptions options = asked(AgreementMetric::kCohen);
  options.rounds = 400;
  const Estimate kappa = agreement(table, options).overall;
  EXPECT_NEAR(kappa.value, alpha(table), 0.02);
  EXPECT_LT(kappa.interval.low, kappa.value - 0.5 * kappa.standard_error);
  EXPECT_GT(kappa.interval.high, kappa.value + 0.5 * kappa.standard_error);
}

TEST(Agreement, IntervalsHaveTheSameBitsForAnyThreadsAndAnyOrderOfRows) {
  const auto tables = test_data::witness_tables();
  const LabelTable& table = tables.at("five");
  LabelTableBuilder backwards;
  for (size_t i = table.label_count(); i-- > 0;) {
    const Label& label = table.labels()[i];
    backwards.add(table.tasks()[label.task], table.workers()[label.worker],
                  table.classes()[label.value]);
  }
  const LabelTable turned = std::move(backwards).build();
  ThreadPool pool(2);
  for (const AgreementMetric metric :
       {AgreementMetric::kAlpha, AgreementMetric::kCohen, AgreementMetric::kAc2}) {
    AgreementOptions options = asked(metric, MeasurementLevel::kOrdinal);
    options.rounds = 300;
    options.pairs = 3;
    const Agreement one = agreement(table, options), two = agreement(turned, options, &pool);
    EXPECT_EQ(one.overall.value, two.overall.value);
    EXPECT_EQ(one.overall.interval.low, two.overall.interval.low);
    EXPECT_EQ(one.overall.interval.high, two.overall.interval.high);
    EXPECT_LT(one.overall.interval.low, one.overall.value);
    EXPECT_GT(one.overall.interval.high, one.overall.value);
    ASSERT_EQ(one.pairs.size(), 3u);
    EXPECT_EQ(one.pairs_left_out, 7u);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(one.pairs[i].metric.interval.low, two.pairs[i].metric.interval.low);
      EXPECT_LE(one.pairs[i].metric.interval.low, one.pairs[i].metric.value);
    }
    for (size_t k = 0; k < one.classes.size(); ++k) {
      EXPECT_EQ(one.classes[k].metric.interval.high, two.classes[k].metric.interval.high);
      EXPECT_EQ(one.classes[k].specific.interval.low, two.classes[k].specific.interval.low);
    }
    options.seed = 43;
    EXPECT_NE(agreement(table, options).overall.interval.low, one.overall.interval.low);
  }
}

TEST(Agreement, DegenerateTablesGiveAWarningAndNeverNaN) {
  const auto build = [](std::initializer_list<std::array<const char*, 3>> rows) {
    LabelTableBuilder builder;
    for (const auto& row : rows) builder.add(row[0], row[1], row[2]);
    return std::move(builder).build();
  };
  const LabelTable tables[] = {
      build({{"t", "w", "a"}}),                                    // one label
      build({{"t", "w", "a"}, {"u", "w", "b"}}),                   // one worker
      build({{"t", "w", "a"}, {"t", "v", "a"}, {"u", "w", "a"}}),  // one class
      build({{"t", "w", "a"}, {"t", "v", "b"}}),                   // one task, a tie
      build({{"t", "w", "1"}, {"t", "v", "1"}, {"u", "w", "2"}, {"u", "v", "2"}}),   // all agree
      build({{"t", "a", "1"}, {"t", "b", "1"}, {"u", "c", "2"}, {"u", "d", "1"}})};  // two islands
  for (size_t i = 0; i < std::size(tables); ++i) {
    for (const auto metric :
         {AgreementMetric::kPercent, AgreementMetric::kCohen, AgreementMetric::kFleiss,
          AgreementMetric::kAlpha, AgreementMetric::kAc1, AgreementMetric::kAc2}) {
      for (const auto level : {MeasurementLevel::kNominal, MeasurementLevel::kOrdinal,
                               MeasurementLevel::kInterval, MeasurementLevel::kRatio}) {
        AgreementOptions options = asked(metric, level);
        options.rounds = 100;
        options.pairs = 10;
        options.min_pair_tasks = 1;
        const Agreement result = agreement(tables[i], options);
        const auto finite = [&](const Estimate& e) {
          return std::isfinite(e.value) && std::isfinite(e.standard_error) &&
                 std::isfinite(e.interval.low) && std::isfinite(e.interval.high);
        };
        EXPECT_TRUE(finite(result.overall)) << i;
        EXPECT_TRUE(std::isfinite(result.observed) && std::isfinite(result.expected)) << i;
        for (const auto& line : result.classes) {
          EXPECT_TRUE(finite(line.metric) && finite(line.specific)) << i;
        }
        for (const auto& pair : result.pairs) EXPECT_TRUE(finite(pair.metric)) << i;
        EXPECT_FALSE(result.warnings.empty()) << i;
        if (i < 2) {
          EXPECT_FALSE(result.overall.defined) << i;
        }
        if (i == 4) {
          EXPECT_NEAR(result.overall.value, 1.0, 1e-15);
        }
      }
    }
  }
}

TEST(Agreement, RefusesNonsenseInOneSentence) {
  const auto tables = test_data::witness_tables();
  AgreementOptions options;
  options.rounds = 50;
  EXPECT_THROW(agreement(tables.at("two"), options), Error);
  options.rounds = 100;
  options.confidence = 1.0;
  EXPECT_THROW(agreement(tables.at("two"), options), Error);
  LabelTableBuilder negative;
  negative.add("t", "w", "-1");
  negative.add("t", "v", "2");
  EXPECT_THROW(agreement(std::move(negative).build(),
                         asked(AgreementMetric::kAlpha, MeasurementLevel::kRatio)),
               Error);
  const std::vector<uint32_t> two = {0, 1}, one = {0};
  EXPECT_THROW(cohen_kappa(two, one, 2), Error);
  EXPECT_THROW(cohen_kappa(two, two, 1), Error);
  EXPECT_FALSE(agreement_metric("kappa").has_value());
  EXPECT_EQ(agreement_metric_name(AgreementMetric::kAc2), "ac2");
}

TEST(ResampleDraws, WordsAreThoseOfTheGeneratorAndDrawsAreAsManyAsUnits) {
  for (const size_t size : {size_t{4}, size_t{1024}, size_t{3000}}) {
    std::vector<uint32_t> words(size);
    const uint64_t seed = 0x123456789abcdef0, stream = rng_stream("words", 7);
    const uint64_t first = 0xfffffffe;  // the counter carries into its second word
    philox_words(seed, stream, first, words);
    for (size_t i = 0; i < size / 4; ++i) {
      const uint64_t at = first + i;
      const auto expected =
          philox4x32_10({static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32),
                         static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
                        {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
      for (size_t j = 0; j < 4; ++j) ASSERT_EQ(words[4 * i + j], expected[j]) << i;
    }
  }
  // 3,000 units of which each thousand is one pattern: a thousand draws each, within six deviations.
  std::vector<uint32_t> of_unit(3000), counter(3, 0);
  for (size_t i = 0; i < of_unit.size(); ++i) of_unit[i] = static_cast<uint32_t>(i / 1000);
  count_draws(1, 2, of_unit, counter);
  EXPECT_EQ(counter[0] + counter[1] + counter[2], 3000u);
  for (const uint32_t count : counter) EXPECT_NEAR(count, 1000.0, 6 * 26.0);
  std::vector<uint32_t> nothing;
  count_draws(1, 2, nothing, counter);
  EXPECT_EQ(counter[0] + counter[1] + counter[2], 3000u);
}

// Tasks from a known model: two classes alike often, each label right with probability a. Then the
// population's alpha for n labels a task is (2a - 1)^2, whatever n.
TEST(Agreement, AlphasIntervalCoversThePlantedValueAtItsRate) {
  const bool all = std::getenv("HONE_TEST_LONG") != nullptr;
  const int simulations = all ? 1000 : 200;
  int covered = 0;
  for (int s = 0; s < simulations; ++s) {
    Rng rng(7, rng_stream("planted-alpha", static_cast<uint64_t>(s)));
    LabelTableBuilder builder;
    for (int task = 0; task < 100; ++task) {
      const bool truth = rng.uniform() < 0.5;
      for (int worker = 0; worker < 4; ++worker) {
        const bool right = rng.uniform() < 0.85;
        builder.add(std::to_string(task), std::to_string(worker), right == truth ? "1" : "0");
      }
    }
    AgreementOptions options;
    options.rounds = 400;
    options.seed = static_cast<uint64_t>(s);
    const Interval interval = agreement(std::move(builder).build(), options).overall.interval;
    covered += interval.low <= 0.49 && 0.49 <= interval.high;
  }
  const double rate = static_cast<double>(covered) / simulations;
  RecordProperty("coverage", std::to_string(rate));
  const double slack = all ? 0.0 : 0.035;  // 200 simulations: two standard errors are 0.031
  EXPECT_GE(rate, 0.93 - slack);
  EXPECT_LE(rate, 0.97 + slack);
}

// ---- Published numbers -------------------------------------------------------------------------

LabelTable coded(const std::string& path) {  // one line a coder, one column a unit, empty = none
  LabelTableBuilder builder;
  const auto rows = test_data::read_rows(path);
  for (size_t coder = 0; coder < rows.size(); ++coder) {
    for (size_t unit = 0; unit < rows[coder].size(); ++unit) {
      if (rows[coder][unit].empty()) continue;
      builder.add("u" + std::to_string(100 + unit), "c" + std::to_string(coder), rows[coder][unit]);
    }
  }
  return std::move(builder).build();
}

TEST(AgreementPublished, EvalicasCodings) {
  NEEDS_SHARED_DATA("evalica/codings.csv");
  const LabelTable codings = coded(test_data::shared_data() + "/evalica/codings.csv");
  EXPECT_NEAR(alpha(codings), 904.0 / 1216.0, 1e-14);
  EXPECT_NEAR(alpha(codings, MeasurementLevel::kOrdinal), 0.815388, 5e-7);
  EXPECT_NEAR(alpha(codings, MeasurementLevel::kInterval), 0.849107, 5e-7);
  EXPECT_NEAR(alpha(coded(test_data::shared_data() + "/evalica/gcl.csv")), 0.083333, 5e-7);
}

TEST(AgreementPublished, TruthInferenceSetsToEveryDigit) {
  NEEDS_SHARED_DATA("truthinf/duck/label.csv");
  const struct {
    const char* name;
    double alpha, ac1;
  } sets[] = {{"duck", .1255, .2218},  {"d_product", .1575, .5928}, {"d_possent", .1493, .1493},
              {"rte", .2415, .2727},   {"sp_amt", .7377, .7377},    {"s_adult", .3156, .7113},
              {"s_rel", .0891, .1705}, {"trec", .1145, .2813},      {"cf", .5768, .6119}};
  for (const auto& set : sets) {
    const LabelTable labels = test_data::truth_set(set.name).labels;
    EXPECT_NEAR(alpha(labels), set.alpha, 5.0001e-5) << set.name;
    EXPECT_NEAR(of(labels, AgreementMetric::kAc1), set.ac1, 5.0001e-5) << set.name;
  }
}

TEST(AgreementPublished, Llmfao) {
  NEEDS_SHARED_DATA("llmfao/crowd-comparisons.csv");
  const LabelTable labels = test_data::llmfao_labels();
  EXPECT_EQ(labels.label_count(), 8931u);
  EXPECT_NEAR(alpha(labels), 0.2906, 5e-5);
  EXPECT_NEAR(alpha(labels, MeasurementLevel::kOrdinal), 0.2876, 5e-5);
  EXPECT_NEAR(of(labels, AgreementMetric::kFleiss), 0.2870, 5e-5);
  EXPECT_NEAR(of(labels, AgreementMetric::kAc1), 0.2958, 5e-5);
}

TEST(AgreementPublished, PandaLm) {
  NEEDS_SHARED_DATA("pandalm/testset-v1.json");
  LabelTableBuilder builder({"1", "0", "2"});  // first better, tie, second better
  for (const auto& [task, labels] : test_data::pandalm_annotations()) {
    for (size_t i = 0; i < 3; ++i) builder.add(task, "annotator" + std::to_string(i), labels[i]);
  }
  const LabelTable table = std::move(builder).build();
  AgreementOptions options = asked(AgreementMetric::kCohen);
  options.pairs = 3;
  const Agreement cohen = agreement(table, options);
  ASSERT_EQ(cohen.pairs.size(), 3u);
  const double kappas[] = {0.852023, 0.878944, 0.861661};
  const uint64_t agreeing[] = {912, 928, 917};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(cohen.pairs[i].metric.value, kappas[i], 5e-7);
    EXPECT_EQ(std::llround(cohen.pairs[i].percent * 999.0), static_cast<long long>(agreeing[i]));
  }
  EXPECT_NEAR(of(table, AgreementMetric::kFleiss), 0.864175, 5e-7);
  EXPECT_NEAR(alpha(table), 0.864221, 5e-7);
  EXPECT_NEAR(alpha(table, MeasurementLevel::kOrdinal), 0.877464, 5e-7);
  EXPECT_NEAR(of(table, AgreementMetric::kAc1), 0.886445, 5e-7);
}

TEST(AgreementPublished, UkpConvArg) {
  NEEDS_SHARED_DATA("ukpconvarg1/assignments.tsv.gz");
  const auto rows = test_data::ukp_rows();
  ASSERT_EQ(rows.size(), 84446u);
  LabelTableBuilder builder({"a1", "equal", "a2"});
  for (size_t i = 1; i < rows.size(); ++i) {
    builder.add(rows[i][0] + "/" + rows[i][1], rows[i][2], rows[i][3]);
  }
  const LabelTable table = std::move(builder).build();
  EXPECT_NEAR(alpha(table), 0.2668, 5e-5);
  EXPECT_NEAR(alpha(table, MeasurementLevel::kOrdinal), 0.3696, 5e-5);
}

}  // namespace
}  // namespace hone::quality
