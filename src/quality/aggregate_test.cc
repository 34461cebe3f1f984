#include "quality/aggregate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "base/error.h"
#include "base/thread_pool.h"
#include "quality/label_test_data.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

Aggregate fit(const LabelTable& table, Method method, ThreadPool* pool = nullptr) {
  AggregateOptions options;
  options.method = method;
  return aggregate(table, options, pool);
}

void expect_same(const Aggregate& a, const Aggregate& b) {
  EXPECT_EQ(a.method, b.method);
  EXPECT_EQ(a.posterior, b.posterior);
  EXPECT_EQ(a.entropy, b.entropy);
  EXPECT_EQ(a.prior, b.prior);
  EXPECT_EQ(a.winner_classes, b.winner_classes);
  EXPECT_EQ(a.reliability, b.reliability);
  EXPECT_EQ(a.skill, b.skill);
  EXPECT_EQ(a.guesses, b.guesses);
  EXPECT_EQ(a.easiness, b.easiness);
  EXPECT_EQ(a.iterations, b.iterations);
  EXPECT_EQ(a.objective, b.objective);
  EXPECT_EQ(a.log_likelihood, b.log_likelihood);
  EXPECT_EQ(a.warnings, b.warnings);
  EXPECT_EQ(a.grounds, b.grounds);
}

void expect_sane(const Aggregate& result, const LabelTable& table, const std::string& what) {
  ASSERT_EQ(result.posterior.size(), table.task_count() * table.class_count()) << what;
  for (size_t task = 0; task < table.task_count(); ++task) {
    double sum = 0.0;
    for (size_t k = 0; k < table.class_count(); ++k) {
      const double p = result.posterior[task * table.class_count() + k];
      EXPECT_TRUE(p >= 0.0 && p <= 1.0) << what << " " << p;
      sum += p;
    }
    EXPECT_NEAR(sum, 1.0, 1e-12) << what;
    EXPECT_TRUE(std::isfinite(result.entropy[task])) << what;
    EXPECT_FALSE(result.winners(task).empty()) << what;
  }
  for (const double value : result.reliability) EXPECT_TRUE(value >= 0.0 && value <= 1.0) << what;
  for (const double value : result.skill) EXPECT_TRUE(std::isfinite(value)) << what;
  for (const double value : result.guesses) EXPECT_TRUE(std::isfinite(value)) << what;
  for (const double value : result.easiness) EXPECT_TRUE(std::isfinite(value)) << what;
  for (const double value : result.prior) EXPECT_TRUE(value >= 0.0 && value <= 1.0) << what;
  EXPECT_TRUE(std::isfinite(result.objective.value_or(0.0))) << what;
  EXPECT_LE(result.log_likelihood.value_or(0.0), 1e-9) << what;
  for (size_t worker = 0; worker < table.worker_count(); ++worker) {
    const WorkerQuality quality = worker_quality(result, table, worker);
    EXPECT_LE(quality.reliability_interval.low, quality.reliability_interval.high) << what;
    for (size_t i = 0; i < quality.confusion.size(); ++i) {
      EXPECT_GE(quality.confusion_interval[i].low, 0.0) << what;
      EXPECT_LE(quality.confusion_interval[i].high, 1.0) << what;
      EXPECT_LE(quality.confusion_interval[i].low, quality.confusion_interval[i].high) << what;
    }
  }
}

bool warns(const Aggregate& result, const std::string& words) {
  for (const std::string& warning : result.warnings) {
    if (warning.find(words) != std::string::npos) return true;
  }
  return false;
}

TEST(Aggregate, NamesOfMethodsGoThereAndBack) {
  std::set<std::string_view> names;
  for (const Method method : all_methods()) {
    EXPECT_EQ(method_from_name(method_name(method)), method);
    names.insert(method_name(method));
  }
  EXPECT_EQ(names.size(), 10u);
  EXPECT_FALSE(method_from_name("dawid_skene"));
}

TEST(Aggregate, FindsPlantedTruthBetterThanTheMajorityDoes) {
  const Planted planted = plant(1500, 40, 3, 5, 0.35, 0.95, 1);
  const LabelTable table = table_of_rows(planted.rows);
  std::vector<uint32_t> truth;
  for (const size_t k : planted.truth) truth.push_back(static_cast<uint32_t>(k));
  const double majority = accuracy_against(fit(table, Method::kMajority), truth).accuracy;
  for (const Method method :
       {Method::kWawa, Method::kDawidSkene, Method::kOneCoin, Method::kZenCrowd, Method::kIbcc,
        Method::kMace, Method::kMaceVb, Method::kGlad, Method::kAuto}) {
    const Aggregate result = fit(table, method);
    expect_sane(result, table, std::string(method_name(method)));
    EXPECT_GT(accuracy_against(result, truth).accuracy, majority + 0.01) << method_name(method);
  }
}

TEST(Aggregate, HasTheSameBitsForAnyOrderOfTheRowsAndAnyNumberOfThreads) {
  Planted planted = plant(3000, 60, 4, 5, 0.4, 0.9, 2);
  const LabelTable table = table_of_rows(planted.rows);
  shuffle(planted.rows, 7);
  const LabelTable shuffled = table_of_rows(planted.rows);
  ThreadPool two(2), three(3);
  for (const Method method : all_methods()) {
    SCOPED_TRACE(method_name(method));
    AggregateOptions options;
    options.method = method;
    options.max_iterations = method == Method::kAuto ? 20 : 0;
    const Aggregate one = aggregate(table, options);
    expect_same(one, aggregate(shuffled, options, &two));
    expect_same(one, aggregate(table, options, &three));
  }
}

TEST(Aggregate, DegenerateTablesGiveAnAnswerAndAWarningNeverNaN) {
  struct Case {
    const char* name;
    std::vector<LabelRow> rows;
    std::vector<std::string> declared;
    const char* warning;
  };
  const std::vector<Case> cases = {
      {"one label", {{"t", "w", "a"}}, {}, "Only one class"},
      {"one label of two classes", {{"t", "w", "a"}}, {"a", "b"}, "only one worker"},
      {"one class", {{"t", "w", "a"}, {"t", "v", "a"}, {"u", "v", "a"}}, {}, "Only one class"},
      {"one worker", {{"t", "w", "a"}, {"u", "w", "b"}, {"v", "w", "a"}}, {}, "only one worker"},
      {"a worker with one label",
       {{"t", "w", "a"}, {"t", "v", "a"}, {"u", "w", "b"}, {"u", "v", "b"}, {"t", "x", "b"}},
       {},
       "gave one label only"},
      {"disconnected",
       {{"t", "w", "a"}, {"t", "v", "a"}, {"u", "x", "b"}, {"u", "y", "b"}},
       {},
       "2 groups"},
      {"all tie",
       {{"t", "w", "a"}, {"t", "v", "b"}, {"u", "w", "b"}, {"u", "v", "a"}},
       {},
       nullptr},
      {"each task its own class",
       {{"t", "w", "a"},
        {"t", "v", "a"},
        {"u", "w", "b"},
        {"u", "v", "b"},
        {"x", "w", "c"},
        {"x", "v", "c"}},
       {},
       nullptr},
      {"classes that nobody says",
       {{"t", "w", "a"}, {"t", "v", "b"}, {"u", "w", "a"}, {"u", "v", "a"}},
       {"a", "b", "c", "d", "e", "f", "g"},
       nullptr},
      {"a contradiction", {{"t", "w", "a"}, {"t", "w", "b"}, {"t", "v", "b"}}, {}, nullptr},
  };
  for (const Case& one : cases) {
    const LabelTable table = table_of_rows(one.rows, one.declared);
    for (const Method method : all_methods()) {
      const std::string what = std::string(one.name) + ", " + std::string(method_name(method));
      const Aggregate result = fit(table, method);
      expect_sane(result, table, what);
      EXPECT_TRUE(one.warning == nullptr || warns(result, one.warning)) << what;
    }
  }
}

TEST(Aggregate, TiesOfTheMajorityAreTwoWinnersAndHalfAPoint) {
  const LabelTable table =
      table_of_rows({{"t", "w", "a"}, {"t", "v", "b"}, {"u", "w", "a"}, {"u", "v", "a"}});
  const Aggregate result = fit(table, Method::kMajority);
  EXPECT_EQ(result.winners(0).size(), 2u);
  EXPECT_EQ(result.winners(1).size(), 1u);
  EXPECT_NEAR(result.entropy[0], std::log(2.0), 1e-15);
  EXPECT_EQ(result.entropy[1], 0.0);
  const std::vector<uint32_t> truth = {1, 0};
  const Accuracy accuracy = accuracy_against(result, truth);
  EXPECT_EQ(accuracy.accuracy, 0.75);
  EXPECT_EQ(*accuracy.precision, 1.0);
  EXPECT_EQ(*accuracy.recall, 0.5);
  EXPECT_NEAR(*accuracy.f1, 2.0 / 3.0, 1e-15);
  const std::vector<uint32_t> unknown = {kNoTruth, kNoTruth};
  EXPECT_EQ(accuracy_against(result, unknown).tasks, 0u);
}

TEST(Aggregate, ATaskWithoutLabelsTakesTheSharesOfTheClasses) {
  LabelTableBuilder builder;
  for (int i = 0; i < 9; ++i) builder.add("t" + std::to_string(i), "w", i < 6 ? "a" : "b");
  builder.add("x", "v", "a");
  builder.add("x", "v", "b");
  const LabelTable table = std::move(builder).build(OnConflict::kDrop);
  for (const Method method : all_methods()) {
    const Aggregate result = fit(table, method);
    expect_sane(result, table, std::string(method_name(method)));
    EXPECT_TRUE(warns(result, "without a label")) << method_name(method);
  }
  const Aggregate result = fit(table, Method::kIbcc);
  EXPECT_GT(result.posterior[9 * 2], 0.5);
}

// Dawid-Skene walks tasks with the same labels once: nobody must see that.
TEST(Aggregate, CopiesOfTasksHaveTheOriginalsPosteriorAndTheirShareOfTheLikelihood) {
  const std::vector<LabelRow> rows = plant(200, 12, 3, 4, 0.5, 0.9, 17).rows;
  std::vector<LabelRow> copied = rows;
  for (const char* copy : {"x", "y"}) {
    for (LabelRow row : rows) {
      row[0] = copy + row[0];
      copied.push_back(row);
    }
  }
  AggregateOptions options;
  options.method = Method::kDawidSkene;
  options.tolerance = 1e-15;
  options.max_iterations = 20000;
  const LabelTable one = table_of_rows(rows), three = table_of_rows(copied);
  const Aggregate once = aggregate(one, options), thrice = aggregate(three, options);
  EXPECT_NEAR(*thrice.log_likelihood, 3.0 * *once.log_likelihood, 1e-6);
  std::map<std::string, size_t> task_of;
  for (size_t task = 0; task < one.task_count(); ++task) task_of[one.tasks()[task]] = task;
  for (size_t task = 0; task < three.task_count(); ++task) {
    std::string name = three.tasks()[task];
    if (name[0] == 'x' || name[0] == 'y') name.erase(0, 1);
    for (size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(thrice.posterior[task * 3 + k], once.posterior[task_of.at(name) * 3 + k], 1e-5);
    }
  }
  // A gold answer to one of three equal tasks is not one to the others.
  const std::string known = rows[0][0];
  for (size_t task = 0; task < three.task_count(); ++task) {
    if (three.tasks()[task] != known) continue;
    const double* row = thrice.posterior.data() + task * 3;
    const auto unlikely = static_cast<uint32_t>(std::min_element(row, row + 3) - row);
    options.gold = {{static_cast<uint32_t>(task), unlikely}};
  }
  const Aggregate gold = aggregate(three, options);
  const uint32_t fixed = options.gold.at(0).task, answer = options.gold.at(0).value;
  EXPECT_EQ(gold.posterior[fixed * 3 + answer], 1.0);
  for (size_t task = 0; task < three.task_count(); ++task) {
    if (three.tasks()[task] != "x" + known) continue;
    EXPECT_LT(gold.posterior[task * 3 + answer], 0.5);
  }
}

TEST(Aggregate, GoldAnswersAreFixedAndTurnLiarsRound) {
  // Most workers lie: without gold the crowd's answer is the wrong one, with gold the right one.
  std::vector<LabelRow> rows;
  Rng rng(3, rng_stream("gold"));
  std::vector<uint32_t> truth;
  for (size_t t = 0; t < 200; ++t) {
    truth.push_back(static_cast<uint32_t>(rng.below(2)));
    for (size_t w = 0; w < 5; ++w) {
      const bool right = rng.uniform() < (w < 2 ? 0.9 : 0.15);
      rows.push_back({numbered("t", t, 3), numbered("w", w, 1),
                      std::to_string(right ? truth[t] : 1 - truth[t])});
    }
  }
  const LabelTable table = table_of_rows(rows);
  AggregateOptions options;
  for (uint32_t t = 0; t < 60; ++t) options.gold.push_back({t, truth[t]});
  for (const Method method :
       {Method::kDawidSkene, Method::kIbcc, Method::kOneCoin, Method::kGlad, Method::kAuto}) {
    EXPECT_LT(accuracy_against(fit(table, method), truth).accuracy, 0.5) << method_name(method);
    options.method = method;
    const Aggregate result = aggregate(table, options);
    expect_sane(result, table, std::string(method_name(method)));
    EXPECT_GT(accuracy_against(result, truth).accuracy, 0.9) << method_name(method);
    for (uint32_t t = 0; t < 60; ++t) {
      EXPECT_EQ(result.posterior[t * 2 + truth[t]], 1.0);
    }
  }
  options.gold.push_back({0, 1 - truth[0]});
  EXPECT_THROW(aggregate(table, options), Error);
  options.gold = {{200, 0}};
  EXPECT_THROW(aggregate(table, options), Error);
  options.gold = {{0, 2}};
  EXPECT_THROW(aggregate(table, options), Error);
}

TEST(Aggregate, RefusesOptionsOutsideTheirDomain) {
  const LabelTable table = table_of_rows({{"t", "w", "a"}, {"t", "v", "b"}});
  AggregateOptions options;
  options.tolerance = -1.0;
  EXPECT_THROW(aggregate(table, options), Error);
  options = {};
  options.restarts = 0;
  EXPECT_THROW(aggregate(table, options), Error);
  options = {};
  options.folds = 1;
  EXPECT_THROW(aggregate(table, options), Error);
  options = {};
  options.max_iterations = 1000001;
  EXPECT_THROW(aggregate(table, options), Error);
}

TEST(Aggregate, SaysWhenItDidNotConverge) {
  const LabelTable table = table_of_rows(plant(300, 20, 2, 3, 0.5, 0.8, 4).rows);
  AggregateOptions options;
  options.method = Method::kDawidSkene;
  options.max_iterations = 2;
  const Aggregate result = aggregate(table, options);
  EXPECT_FALSE(result.converged);
  EXPECT_EQ(result.iterations, 2u);
  EXPECT_TRUE(warns(result, "Not converged"));
}

TEST(Aggregate, MoreIterationsNeverLowerTheObjective) {
  const LabelTable table = table_of_rows(plant(300, 25, 3, 4, 0.3, 0.9, 5).rows);
  for (const Method method : {Method::kDawidSkene, Method::kOneCoin, Method::kZenCrowd,
                              Method::kIbcc, Method::kMace, Method::kMaceVb, Method::kGlad}) {
    AggregateOptions options;
    options.method = method;
    options.restarts = 1;
    options.tolerance = 1e-15;
    double before = -math::kInfinity;
    for (uint32_t iterations = 1; iterations <= 30; ++iterations) {
      options.max_iterations = iterations;
      const double now = *aggregate(table, options).objective;
      EXPECT_GE(now, before - 1e-7 * std::fabs(now)) << method_name(method) << " " << iterations;
      before = now;
    }
  }
}

// A second look at every formula: the plain one, with the standard library, over the whole table.
TEST(Aggregate, DawidSkeneIsItsFormula) {
  const LabelTable table = table_of_rows(plant(60, 12, 3, 4, 0.4, 0.9, 6).rows);
  const size_t K = 3, tasks = table.task_count(), workers = table.worker_count();
  std::vector<std::vector<double>> T(tasks, std::vector<double>(K, 0.0));
  for (const Label& label : table.labels()) T[label.task][label.value] += 1.0;
  for (size_t t = 0; t < tasks; ++t) {
    for (double& x : T[t]) x /= static_cast<double>(table.labels_of_task(t).size());
  }
  double likelihood = 0.0;
  for (int iteration = 0; iteration < 25; ++iteration) {
    std::vector<double> p(K, 0.0);
    std::vector<double> pi(workers * K * K, 0.0);
    for (size_t t = 0; t < tasks; ++t) {
      for (size_t k = 0; k < K; ++k) p[k] += T[t][k] / static_cast<double>(tasks);
    }
    for (const Label& label : table.labels()) {
      for (size_t k = 0; k < K; ++k) {
        pi[(label.worker * K + k) * K + label.value] += T[label.task][k];
      }
    }
    for (size_t row = 0; row < workers * K; ++row) {
      double sum = 0.0;
      for (size_t l = 0; l < K; ++l) sum += pi[row * K + l] = std::max(pi[row * K + l], 1e-10);
      for (size_t l = 0; l < K; ++l) pi[row * K + l] /= sum;
    }
    likelihood = 0.0;
    for (size_t t = 0; t < tasks; ++t) {
      double sum = 0.0;
      for (size_t k = 0; k < K; ++k) {
        T[t][k] = p[k];
        for (const Label& label : table.labels_of_task(t)) {
          T[t][k] *= pi[(label.worker * K + k) * K + label.value];
        }
        sum += T[t][k];
      }
      for (double& x : T[t]) x /= sum;
      likelihood += std::log(sum);
    }
  }
  AggregateOptions options;
  options.method = Method::kDawidSkene;
  options.max_iterations = 25;
  options.tolerance = 1e-300;
  const Aggregate result = aggregate(table, options);
  EXPECT_EQ(result.iterations, 25u);
  EXPECT_NEAR(*result.log_likelihood, likelihood, 1e-10 * std::fabs(likelihood));
  for (size_t t = 0; t < tasks; ++t) {
    for (size_t k = 0; k < K; ++k) EXPECT_NEAR(result.posterior[t * K + k], T[t][k], 1e-9);
  }
}

// GLAD stops where the slope of its objective is nothing: finite differences of the plain formula.
TEST(Aggregate, GladStopsAtAStationaryPointOfItsFormula) {
  const LabelTable table = table_of_rows(plant(40, 10, 3, 5, 0.3, 0.95, 8).rows);
  AggregateOptions options;
  options.method = Method::kGlad;
  options.tolerance = 1e-15;
  options.max_iterations = 20000;
  const Aggregate result = aggregate(table, options);
  std::vector<double> ability = result.skill, easiness = result.easiness;
  const auto objective = [&] {
    double sum = 0.0;
    for (size_t t = 0; t < table.task_count(); ++t) {
      double chance = 0.0;
      for (size_t k = 0; k < 3; ++k) {
        double product = 1.0 / 3.0;
        for (const Label& label : table.labels_of_task(t)) {
          const double s = 1.0 / (1.0 + std::exp(-ability[label.worker] * std::exp(easiness[t])));
          product *= label.value == k ? s : (1.0 - s) / 2.0;
        }
        chance += product;
      }
      sum += std::log(chance) - 0.5 * (easiness[t] - 1.0) * (easiness[t] - 1.0);
    }
    for (const double a : ability) sum -= 0.5 * (a - 1.0) * (a - 1.0);
    return sum;
  };
  EXPECT_NEAR(objective(), *result.objective, 1e-9);
  for (std::vector<double>* parameters : {&ability, &easiness}) {
    for (double& x : *parameters) {
      const double at = x, h = 1e-5;
      x = at + h;
      const double above = objective();
      x = at - h;
      const double below = objective();
      x = at;
      EXPECT_NEAR((above - below) / (2.0 * h), 0.0, 2e-5);
    }
  }
}

// 95 % intervals must hold the planted value in 93 to 97 % of all cases. 1,000 simulations with
// HONE_TEST_LONG, otherwise 60 and a bound of four standard errors around 95 %.
TEST(Aggregate, IntervalsOfReliabilityAndConfusionCoverThePlantedValues) {
  const bool whole = std::getenv("HONE_TEST_LONG") != nullptr;
  const size_t simulations = whole ? 1000 : 60;
  size_t reliability_in = 0, reliability_all = 0, confusion_in = 0, confusion_all = 0;
  for (size_t s = 0; s < simulations; ++s) {
    const Planted planted = plant(400, 20, 3, 5, 0.6, 0.95, 100 + s);
    const LabelTable table = table_of_rows(planted.rows);
    const Aggregate result = fit(table, Method::kIbcc);
    for (size_t w = 0; w < table.worker_count(); ++w) {
      if (table.labels_of_worker(w).size() < 50) continue;
      const WorkerQuality quality = worker_quality(result, table, w);
      const size_t number = std::stoul(table.workers()[w].substr(1));
      double right = 0.0;  // classes are equally likely
      for (size_t k = 0; k < 3; ++k) right += planted.confusion[number][k * 4] / 3.0;
      ++reliability_all;
      reliability_in +=
          quality.reliability_interval.low <= right && right <= quality.reliability_interval.high;
      for (size_t i = 0; i < 9; ++i) {
        const double planted_value = planted.confusion[number][i];
        ++confusion_all;
        confusion_in += quality.confusion_interval[i].low <= planted_value &&
                        planted_value <= quality.confusion_interval[i].high;
      }
    }
  }
  const auto n = static_cast<double>(reliability_all);
  const double reliability = static_cast<double>(reliability_in) / n;
  const double confusion = static_cast<double>(confusion_in) / static_cast<double>(confusion_all);
  std::printf("covered: reliability %.4f of %zu, confusion %.4f of %zu\n", reliability,
              reliability_all, confusion, confusion_all);
  const double slack = whole ? 0.0 : 4.0 * std::sqrt(0.95 * 0.05 / n);
  EXPECT_GE(reliability, 0.93 - slack);
  EXPECT_LE(reliability, 0.97 + slack);
  EXPECT_GE(confusion, 0.93 - slack);
  EXPECT_LE(confusion, 0.97 + slack);
}

TEST(Aggregate, AutoSaysWhatItChoseAndWhy) {
  // Workers with three labels each: a confusion matrix of their own is too much to ask.
  const LabelTable sparse = table_of_rows(plant(200, 200, 4, 3, 0.5, 0.9, 9).rows);
  const Aggregate few = fit(sparse, Method::kAuto);
  EXPECT_NE(few.method, Method::kDawidSkene);
  EXPECT_NE(few.method, Method::kAuto);
  EXPECT_EQ(few.candidates.size(), 6u);
  for (size_t i = 1; i < few.candidates.size(); ++i) {
    EXPECT_GE(few.candidates[i - 1].held_out, few.candidates[i].held_out);
  }
  EXPECT_NE(few.grounds.find(method_name(few.candidates[0].method)), std::string::npos);
  // Thousands of labels a worker with confusions that one number cannot tell.
  Planted planted = plant(3000, 6, 3, 5, 0.8, 0.9, 10);
  Rng rng(11, rng_stream("habit"));
  for (LabelRow& row : planted.rows) {  // half of the workers often say 0
    if (row[1] < "w0003" && rng.uniform() < 0.5) row[2] = "0";
  }
  const Aggregate many = fit(table_of_rows(planted.rows), Method::kAuto);
  EXPECT_TRUE(many.method == Method::kDawidSkene || many.method == Method::kIbcc ||
              many.method == Method::kMaceVb)
      << method_name(many.method) << ": " << many.grounds;
}

}  // namespace
}  // namespace hone::quality
