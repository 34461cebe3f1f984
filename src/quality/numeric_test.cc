#include "quality/numeric.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "quality/label_test_data.h"

namespace hone::quality {
namespace {

NumericAggregate fit(const LabelTable& table, NumericMethod method) {
  NumericOptions options;
  options.method = method;
  return aggregate_numbers(table, options);
}

constexpr NumericMethod kAll[] = {NumericMethod::kMean, NumericMethod::kMedian,
                                  NumericMethod::kHuber, NumericMethod::kReliabilityWeighted};

struct PlantedNumbers {
  std::vector<LabelRow> rows;
  std::vector<double> truth, bias, deviation;
};

PlantedNumbers plant_numbers(size_t tasks, size_t workers, size_t per_task, double outliers,
                             uint64_t seed) {
  Rng rng(seed, rng_stream("planted-numbers"));
  PlantedNumbers planted;
  double sum = 0.0;
  for (size_t w = 0; w < workers; ++w) {
    planted.bias.push_back(0.5 * rng.normal());
    sum += planted.bias.back();
    planted.deviation.push_back(0.2 + 2.0 * rng.uniform());
  }
  for (double& bias : planted.bias) bias -= sum / static_cast<double>(workers);
  for (size_t t = 0; t < tasks; ++t) {
    planted.truth.push_back(10.0 + 3.0 * rng.normal());
    const size_t first = rng.below(workers);
    for (size_t i = 0; i < per_task; ++i) {
      const size_t w = (first + i * 7) % workers;
      double x = planted.truth[t] + planted.bias[w] + planted.deviation[w] * rng.normal();
      if (rng.uniform() < outliers) x += 40.0;
      planted.rows.push_back({numbered("t", t, 5), numbered("w", w, 3), std::to_string(x)});
    }
  }
  return planted;
}

TEST(Numeric, MeanAndMedianAreThemselves) {
  const LabelTable table = table_of_rows(
      {{"a", "w", "1"}, {"a", "v", "2"}, {"a", "u", "9"}, {"b", "w", "4"}, {"b", "v", "-1.5"}});
  EXPECT_DOUBLE_EQ(fit(table, NumericMethod::kMean).value[0], 4.0);
  EXPECT_DOUBLE_EQ(fit(table, NumericMethod::kMedian).value[0], 2.0);
  EXPECT_DOUBLE_EQ(fit(table, NumericMethod::kMean).value[1], 1.25);
  EXPECT_DOUBLE_EQ(fit(table, NumericMethod::kMedian).value[1], 1.25);
  // Pooled: (9 + 4 + 25 + 2 x 2.75^2) / (5 - 2).
  EXPECT_NEAR(fit(table, NumericMethod::kMean).noise, std::sqrt((38.0 + 15.125) / 3.0), 1e-12);
}

TEST(Numeric, HuberSolvesItsEquationAndIsNotMovedByOutliers) {
  const PlantedNumbers planted = plant_numbers(400, 20, 7, 0.1, 1);
  const LabelTable table = table_of_rows(planted.rows);
  const NumericAggregate huber = fit(table, NumericMethod::kHuber);
  EXPECT_TRUE(huber.converged);
  const double mean =
      error_against(fit(table, NumericMethod::kMean), planted.truth).root_mean_square;
  const double robust = error_against(huber, planted.truth).root_mean_square;
  EXPECT_LT(robust, 0.4 * mean);
  // The scale is that of the medians; psi of the residuals sums to nothing on each task.
  const NumericAggregate median = fit(table, NumericMethod::kMedian);
  std::vector<double> sizes;
  for (const Label& label : table.labels()) {
    sizes.push_back(std::fabs(table.class_values()[label.value] - median.value[label.task]) *
                    std::sqrt(7.0 / 6.0));
  }
  std::sort(sizes.begin(), sizes.end());
  const double scale =
      1.482602218505602 * 0.5 * (sizes[sizes.size() / 2] + sizes[sizes.size() / 2 - 1]);
  for (size_t task = 0; task < table.task_count(); ++task) {
    double sum = 0.0;
    for (const Label& label : table.labels_of_task(task)) {
      const double u = (table.class_values()[label.value] - huber.value[task]) / scale;
      sum += std::max(-1.345, std::min(1.345, u));
    }
    EXPECT_NEAR(sum, 0.0, 1e-6);
  }
}

TEST(Numeric, WeightsFindTheGoodWorkersAndTheirBiases) {
  const PlantedNumbers planted = plant_numbers(800, 25, 6, 0.0, 2);
  const LabelTable table = table_of_rows(planted.rows);
  const NumericAggregate mean = fit(table, NumericMethod::kMean);
  const NumericAggregate weighted = fit(table, NumericMethod::kReliabilityWeighted);
  EXPECT_TRUE(weighted.converged);
  EXPECT_LT(error_against(weighted, planted.truth).root_mean_square,
            0.75 * error_against(mean, planted.truth).root_mean_square);
  for (size_t w = 0; w < 25; ++w) {
    const double error = planted.deviation[w] / std::sqrt(weighted.worker_labels[w]);
    EXPECT_NEAR(weighted.worker_bias[w], planted.bias[w], 5.0 * error + 0.05) << w;
    EXPECT_NEAR(weighted.worker_deviation[w] / planted.deviation[w], 1.0, 0.6) << w;
  }
  size_t covered = 0;
  for (size_t t = 0; t < planted.truth.size(); ++t) {
    covered += weighted.interval[t].low <= planted.truth[t] &&
               planted.truth[t] <= weighted.interval[t].high;
  }
  EXPECT_NEAR(static_cast<double>(covered) / 800.0, 0.95, 4.0 * std::sqrt(0.95 * 0.05 / 800.0));
}

TEST(Numeric, HasTheSameBitsForAnyOrderOfTheRows) {
  PlantedNumbers planted = plant_numbers(100, 10, 4, 0.05, 3);
  const LabelTable table = table_of_rows(planted.rows);
  shuffle(planted.rows, 4);
  const LabelTable shuffled = table_of_rows(planted.rows);
  for (const NumericMethod method : kAll) {
    const NumericAggregate a = fit(table, method), b = fit(shuffled, method);
    EXPECT_EQ(a.value, b.value);
    EXPECT_EQ(a.standard_error, b.standard_error);
    EXPECT_EQ(a.worker_weight, b.worker_weight);
    EXPECT_EQ(numeric_method_from_name(numeric_method_name(method)), method);
  }
}

TEST(Numeric, DegenerateTablesGiveFiniteAnswersAndWarnings) {
  const std::vector<std::vector<LabelRow>> tables = {
      {{"a", "w", "3"}},
      {{"a", "w", "3"}, {"b", "w", "4"}, {"c", "w", "5"}},
      {{"a", "w", "3"}, {"a", "v", "3"}, {"b", "w", "3"}, {"b", "v", "3"}},
      {{"a", "w", "1e99"}, {"a", "v", "-1e99"}},
      {{"a", "w", "1"}, {"a", "v", "1"}, {"a", "u", "1"}, {"b", "w", "2"}, {"b", "v", "7"}},
  };
  for (const auto& rows : tables) {
    const LabelTable table = table_of_rows(rows);
    for (const NumericMethod method : kAll) {
      const NumericAggregate result = fit(table, method);
      for (size_t task = 0; task < table.task_count(); ++task) {
        EXPECT_TRUE(std::isfinite(result.value[task]));
        EXPECT_TRUE(std::isfinite(result.standard_error[task]));
        EXPECT_LE(result.interval[task].low, result.value[task]);
        EXPECT_GE(result.interval[task].high, result.value[task]);
      }
      for (size_t w = 0; w < table.worker_count(); ++w) {
        EXPECT_TRUE(std::isfinite(result.worker_bias[w]));
        EXPECT_TRUE(std::isfinite(result.worker_deviation[w]));
        EXPECT_TRUE(std::isfinite(result.worker_weight[w]));
      }
    }
  }
  EXPECT_FALSE(fit(table_of_rows(tables[1]), NumericMethod::kMean).warnings.empty());
}

TEST(Numeric, RefusesWordsAndBadOptions) {
  const LabelTable words = table_of_rows({{"a", "w", "good"}, {"a", "v", "bad"}});
  EXPECT_THROW(fit(words, NumericMethod::kMean), Error);
  const LabelTable numbers = table_of_rows({{"a", "w", "1"}, {"a", "v", "2"}});
  NumericOptions options;
  options.tolerance = 0.0;
  EXPECT_THROW(aggregate_numbers(numbers, options), Error);
  options = {};
  options.confidence = 1.0;
  EXPECT_THROW(aggregate_numbers(numbers, options), Error);
  EXPECT_THROW(fit(table_of_rows({{"a", "w", "1e200"}}), NumericMethod::kMean), Error);
}

}  // namespace
}  // namespace hone::quality
