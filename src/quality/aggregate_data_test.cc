// The figures of docs/quality.md: every method on the crowd sets of HONE_SHARED_DATA.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "base/json.h"
#include "quality/aggregate.h"
#include "quality/label_test_data.h"

namespace hone::quality {
namespace {

Aggregate fit(const LabelTable& table, Method method, bool authors_schedule = false) {
  AggregateOptions options;
  options.method = method;
  options.authors_schedule = authors_schedule;
  return aggregate(table, options);
}

double percent(const TruthSet& set, const Aggregate& result) {
  return 100.0 * accuracy_against(result, set.truth).accuracy;
}

struct Published {
  const char* set;
  size_t tasks, workers, labels, classes;
  // Accuracy in percent; 0 = not published.
  double majority, dawid_skene, one_coin, ibcc, mace_vb, glad;
};

// Ties split, duplicates removed; computed once with NumPy (MACE-VB: ten restarts) and, for GLAD,
// with crowd-kit. The last digit of a deterministic method counts.
constexpr Published kTable[] = {
    {"duck", 108, 39, 4212, 2, 75.93, 89.81, 58.33, 88.89, 86.11, 72.22},
    {"d_product", 8315, 176, 24945, 2, 89.66, 93.93, 90.84, 93.83, 82.83, 92.83},
    {"d_possent", 1000, 85, 20000, 2, 93.35, 96.00, 94.80, 96.00, 95.70, 94.80},
    {"rte", 800, 164, 8000, 2, 89.69, 92.75, 92.50, 92.75, 92.62, 92.62},
    {"sp_amt", 500, 143, 10000, 2, 94.30, 94.40, 94.60, 94.40, 94.60, 94.60},
    {"s_adult", 11040, 825, 89948, 4, 75.83, 74.77, 71.47, 74.47, 0, 0},
    {"s_rel", 20232, 766, 97164, 4, 54.23, 60.96, 19.35, 58.57, 0, 0},
    {"trec", 19033, 762, 88385, 2, 65.14, 70.15, 56.04, 70.55, 0, 0},
    {"cf", 300, 461, 1720, 5, 88.22, 79.00, 88.33, 88.33, 0, 0},
};

class TruthInference : public ::testing::TestWithParam<Published> {};

TEST_P(TruthInference, EveryMethodHasItsPublishedAccuracy) {
  const Published& row = GetParam();
  HONE_NEED_SHARED(path, std::string("truthinf/") + row.set + "/label.csv");
  const TruthSet set = read_truth_set(path->substr(0, path->rfind('/')));
  EXPECT_EQ(set.table.task_count(), row.tasks);
  EXPECT_EQ(set.table.worker_count(), row.workers);
  EXPECT_EQ(set.table.label_count(), row.labels);
  EXPECT_EQ(set.table.class_count(), row.classes);
  const double digit = 0.005 + 1e-9;
  EXPECT_NEAR(percent(set, fit(set.table, Method::kMajority)), row.majority, digit);
  EXPECT_NEAR(percent(set, fit(set.table, Method::kDawidSkene)), row.dawid_skene, digit);
  EXPECT_NEAR(percent(set, fit(set.table, Method::kOneCoin)), row.one_coin, digit);
  EXPECT_NEAR(percent(set, fit(set.table, Method::kIbcc)), row.ibcc, digit);
  if (row.mace_vb > 0) {
    EXPECT_NEAR(percent(set, fit(set.table, Method::kMaceVb)), row.mace_vb, 0.5);
  }
  if (row.glad > 0) {
    EXPECT_NEAR(percent(set, fit(set.table, Method::kGlad)), row.glad, 0.5);
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, TruthInference, ::testing::ValuesIn(kTable),
                         [](const auto& one) { return std::string(one.param.set); });

// Zheng, Li, Li, Shan, Cheng, "Truth inference in crowdsourcing: is the problem solved?", VLDB 2017.
TEST(TruthInferenceData, TheAuthorsScheduleGivesTheNumbersOfTheVldbPaper) {
  HONE_NEED_SHARED(path, "truthinf/d_product/label.csv");
  const std::string data = path->substr(0, path->find("/d_product"));
  const TruthSet product = read_truth_set(data + "/d_product");
  const TruthSet sentiment = read_truth_set(data + "/d_possent");
  const auto expect = [](const TruthSet& set, Method method, double accuracy, double f1) {
    const Accuracy found = accuracy_against(fit(set.table, method, true), set.truth);
    EXPECT_NEAR(100.0 * found.accuracy, accuracy, 0.005 + 1e-9) << method_name(method);
    EXPECT_NEAR(100.0 * *found.f1, f1, 0.005 + 1e-9) << method_name(method);
  };
  expect(product, Method::kMajority, 89.66, 59.05);
  expect(product, Method::kZenCrowd, 92.80, 63.59);
  expect(product, Method::kDawidSkene, 93.66, 71.59);
  expect(sentiment, Method::kZenCrowd, 95.10, 94.60);
  expect(sentiment, Method::kDawidSkene, 96.00, 95.66);
}

// crowd-kit 1.4.2, GLAD with its defaults: log-likelihood and log priors of what it returns.
TEST(TruthInferenceData, GladIsAtLeastAsLikelyAsCrowdKits) {
  HONE_NEED_SHARED(path, "truthinf/duck/label.csv");
  const std::string data = path->substr(0, path->find("/duck"));
  for (const auto& [name, objective] :
       {std::pair{"duck", -2124.6617023}, std::pair{"sp_amt", -2259.5466840},
        std::pair{"rte", -3977.4955402}, std::pair{"d_possent", -9883.8040359}}) {
    const Aggregate result = fit(read_truth_set(data + "/" + name).table, Method::kGlad);
    EXPECT_GE(*result.objective, objective) << name;
    EXPECT_LE(*result.objective, objective + 1.0) << name;  // and of the same density
  }
}

// crowd-kit 1.4.2, MACE(method="em", n_iter=50, smoothing=0.01) on rows sorted by worker and label
// (unsorted it mixes the workers up and ends far below): log P(labels) of what it returns.
TEST(TruthInferenceData, MaceIsAtLeastAsLikelyAsCrowdKits) {
  HONE_NEED_SHARED(path, "truthinf/duck/label.csv");
  const std::string data = path->substr(0, path->find("/duck"));
  for (const auto& [name, log_likelihood] :
       {std::pair{"duck", -1902.9415138}, std::pair{"rte", -3681.4396014},
        std::pair{"sp_amt", -2743.9050694}, std::pair{"d_possent", -8978.9496417},
        std::pair{"d_product", -8090.4138001}}) {
    const Aggregate result = fit(read_truth_set(data + "/" + name).table, Method::kMace);
    EXPECT_GE(*result.log_likelihood, log_likelihood) << name;
    EXPECT_LE(*result.log_likelihood, log_likelihood + 5.0) << name;  // and of the same density
  }
}

// Real restarts: crowd-kit's are one restart ten times over and end at 69.5 %.
TEST(TruthInferenceData, MaceRestartsFindTheBetterOptimumOfDProduct) {
  HONE_NEED_SHARED(path, "truthinf/d_product/label.csv");
  const TruthSet set = read_truth_set(path->substr(0, path->rfind('/')));
  const Aggregate result = fit(set.table, Method::kMace);
  EXPECT_NEAR(percent(set, result), 82.5, 1.0);
  AggregateOptions options;
  options.method = Method::kMace;
  options.restarts = 1;
  EXPECT_GE(*result.objective, *aggregate(set.table, options).objective);
}

// The printed digits of the notebook test_ibcc.ipynb of yuan-li/truth-inference-at-scale.
TEST(TruthInferenceData, IbccHasEveryPrintedDigitOfItsAuthorsNotebook) {
  HONE_NEED_SHARED(path, "truthinf/d_product/label.csv");
  const std::string data = path->substr(0, path->find("/d_product"));
  for (const auto& [name, accuracy] :
       {std::pair{"d_product", 0.938304}, std::pair{"trec", 0.705495}}) {
    const TruthSet set = read_truth_set(data + "/" + name);
    EXPECT_NEAR(percent(set, fit(set.table, Method::kIbcc)) / 100.0, accuracy, 5.1e-7) << name;
  }
}

TEST(PandaLm, DawidSkeneIsTheMajorityOnEveryPairAndHasItsLikelihood) {
  HONE_NEED_SHARED(path, "pandalm/testset-v1.json");
  std::ifstream file(*path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const Json rows = Json::parse(text).value();
  std::vector<LabelRow> labels;
  for (const Json& row : rows.as_array()) {
    for (const char* worker : {"annotator1", "annotator2", "annotator3"}) {
      labels.push_back({numbered("p", static_cast<size_t>(row.at("idx").as_int()), 4), worker,
                        std::to_string(row.at(worker).as_int())});
    }
  }
  const LabelTable table = table_of_rows(labels);
  EXPECT_EQ(table.label_count(), 2997u);
  const Aggregate majority = fit(table, Method::kMajority);
  const Aggregate dawid_skene = fit(table, Method::kDawidSkene);
  EXPECT_NEAR(*dawid_skene.log_likelihood, -1507.9272, 5e-5);
  size_t count[3] = {0, 0, 0};
  for (size_t task = 0; task < table.task_count(); ++task) {
    ASSERT_EQ(majority.winners(task).size(), 1u);
    ++count[majority.winners(task)[0]];
    EXPECT_EQ(majority.winners(task)[0], dawid_skene.winners(task)[0]);
  }
  EXPECT_EQ(count[0], 105u);
  EXPECT_EQ(count[1], 422u);
  EXPECT_EQ(count[2], 472u);
}

// Habernal & Gurevych, "Which argument is more convincing?", ACL 2016: their gold labels and worker
// competences are MACE's; they dropped the pairs that MACE is least sure of.
struct UkpSet {
  LabelTable table;
  std::map<std::string, std::string> gold_of;  // without the dropped
  std::map<std::string, double> competence_of;
};

std::optional<UkpSet> read_ukp(const std::string& path) {
  FILE* pipe = popen(("gzip -dc '" + path + "'").c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::vector<LabelRow> rows;
  std::map<std::string, std::string> gold_of;
  std::map<std::string, double> competence_of;
  char buffer[4096];
  bool header = true;
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) {
    const auto parts = split(buffer, '\t');
    if (header || parts.size() < 9) {
      header = false;
      continue;
    }
    const std::string task = parts[0] + "/" + parts[1];
    rows.push_back({task, parts[2], parts[3]});
    if (!parts[6].empty()) gold_of[task] = parts[6];
    if (!parts[8].empty()) competence_of[parts[2]] = std::strtod(parts[8].c_str(), nullptr);
  }
  if (pclose(pipe) != 0) return std::nullopt;
  return UkpSet{table_of_rows(rows), std::move(gold_of), std::move(competence_of)};
}

double competence_correlation(const UkpSet& set, const Aggregate& result, uint32_t least_labels) {
  double n = 0, sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
  for (uint32_t worker = 0; worker < set.table.worker_count(); ++worker) {
    const auto shipped = set.competence_of.find(set.table.workers()[worker]);
    if (shipped == set.competence_of.end() || result.worker_labels[worker] < least_labels) continue;
    const double x = result.skill[worker], y = shipped->second;
    n += 1, sx += x, sy += y, sxx += x * x, syy += y * y, sxy += x * y;
  }
  EXPECT_GT(n, 500);
  return (sxy - sx * sy / n) / std::sqrt((sxx - sx * sx / n) * (syy - sy * sy / n));
}

TEST(Ukp, MaceGivesTheShippedGoldCompetenceAndDroppedPairs) {
  HONE_NEED_SHARED(path, "ukpconvarg1/assignments.tsv.gz");
  const std::optional<UkpSet> set = read_ukp(*path);
  if (!set) GTEST_SKIP() << "gzip is missing: not compared with the shipped gold";
  const LabelTable& table = set->table;
  const Aggregate result = fit(table, Method::kMace), majority = fit(table, Method::kMajority);
  size_t missed = 0;
  double majority_right = 0.0;
  std::vector<std::pair<double, bool>> unsure_and_dropped;
  for (uint32_t task = 0; task < table.task_count(); ++task) {
    const auto known = set->gold_of.find(table.tasks()[task]);
    const bool dropped = known == set->gold_of.end();
    unsure_and_dropped.push_back({result.entropy[task], dropped});
    if (dropped) continue;
    missed += table.classes()[result.winners(task)[0]] != known->second;
    for (const uint32_t winner : majority.winners(task)) {
      majority_right += table.classes()[winner] == known->second
                            ? 1.0 / static_cast<double>(majority.winners(task).size())
                            : 0.0;
    }
  }
  const auto gold = static_cast<double>(set->gold_of.size());
  EXPECT_EQ(set->gold_of.size(), 16081u);
  EXPECT_LE(missed, 80u);  // 56, that is 99.65 %, with other random restarts: half a point is 80
  EXPECT_NEAR(100.0 * majority_right / gold, 89.0, 0.05);
  const size_t dropped = table.task_count() - set->gold_of.size();
  EXPECT_EQ(dropped, 846u);
  std::stable_sort(unsure_and_dropped.begin(), unsure_and_dropped.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  size_t both = 0;
  for (size_t i = 0; i < dropped; ++i) both += unsure_and_dropped[i].second;
  const double overlap = 100.0 * static_cast<double>(both) / static_cast<double>(dropped);
  EXPECT_NEAR(overlap, 97.3, 0.5);
  const double all = competence_correlation(*set, result, 1);
  const double busy = competence_correlation(*set, result, 20);
  EXPECT_NEAR(all, 0.985, 0.005);
  EXPECT_NEAR(busy, 0.998, 0.002);
  std::printf("missed %zu of %zu, dropped pairs found %.1f %%, competence r %.4f, %.4f\n", missed,
              set->gold_of.size(), overlap, all, busy);
}

}  // namespace
}  // namespace hone::quality
