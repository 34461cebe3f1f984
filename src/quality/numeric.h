#pragma once
// One number a task from many workers' numbers (ratings, counts, estimates).
//
//   mean                  of the labels
//   median                of the labels (the mean of the middle two)
//   huber                 Huber's M-estimate with k = 1.345 robust standard deviations (Huber 1964), one
//                         scale for the whole table: the normalised median absolute deviation of
//                         the labels from their tasks' medians
//   reliability-weighted  label = value + bias of the worker + noise of the worker's own precision, by
//                         EM with the values unknown (Raykar et al., JMLR 11, 2010, for numbers);
//                         the precision has a prior worth four labels of average noise, the bias
//                         one worth one label at zero
//
// Works on LabelTable::class_values() and needs classes_are_numbers(); invalid_input otherwise.
// Same bits for any order of the rows; nothing is NaN. Memory: 32 bytes a label. Pure; any thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quality/label_table.h"
#include "quality/paired_tests.h"  // Interval

namespace hone::quality {

enum class NumericMethod { kMean, kMedian, kHuber, kReliabilityWeighted };
std::string_view numeric_method_name(NumericMethod method);  // "reliability-weighted"
std::optional<NumericMethod> numeric_method_from_name(std::string_view name);

struct NumericOptions {
  NumericMethod method = NumericMethod::kReliabilityWeighted;
  double tolerance = 1e-9;         // greatest change of a value, relative to the labels' spread
  uint32_t max_iterations = 1000;  // 1 to 1,000,000
  double confidence = 0.95;
};

struct NumericAggregate {
  NumericMethod method = NumericMethod::kMean;
  std::vector<double> value;           // per task; the overall mean for a task without labels
  std::vector<double> standard_error;  // per task, from the noise of the whole table
  std::vector<Interval> interval;      // Student's, with the table's degrees of freedom
  std::vector<uint32_t> worker_labels;
  std::vector<double> worker_bias;       // mean of his label minus the value
  std::vector<double> worker_deviation;  // of his labels about value and bias
  std::vector<double> worker_weight;     // mean 1 over labels; all 1 but for reliability-weighted
  double noise = 0.0;                    // standard deviation of a label about its task's value
  uint32_t iterations = 0;
  bool converged = true;
  std::vector<std::string> warnings;
};

NumericAggregate aggregate_numbers(const LabelTable& table, const NumericOptions& options = {});

// Root mean square and mean absolute error against known values; NaN in truth = not known.
struct NumericError {
  size_t tasks = 0;
  double root_mean_square = 0.0, mean_absolute = 0.0;
};
NumericError error_against(const NumericAggregate& aggregate, std::span<const double> truth);

}  // namespace hone::quality
