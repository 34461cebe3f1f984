#include "quality/numeric.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

constexpr std::array<std::pair<NumericMethod, std::string_view>, 4> kNames = {
    {{NumericMethod::kMean, "mean"},
     {NumericMethod::kMedian, "median"},
     {NumericMethod::kHuber, "huber"},
     {NumericMethod::kReliabilityWeighted, "reliability-weighted"}}};

constexpr double kHuber = 1.345;  // 95 % efficient under the normal
constexpr double kMadToDeviation = 1.482602218505602;
constexpr double kMedianFactor = 1.2533141373155003;  // sqrt(pi / 2): of a median's standard error
constexpr double kPrecisionPrior = 4.0, kBiasPrior = 1.0;  // in labels

double median_of(std::vector<double>& values) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : values[n / 2 - 1] + 0.5 * (values[n / 2] - values[n / 2 - 1]);
}

// The labels as numbers, in the table's order.
struct Numbers {
  const LabelTable& table;
  std::vector<double> x;
  std::vector<uint32_t> begin;  // of each task
  double mean = 0.0;            // of all labels
  double spread = 0.0;          // their standard deviation
  size_t answered = 0;          // tasks with labels

  explicit Numbers(const LabelTable& t) : table(t), begin(t.task_count() + 1, 0) {
    for (const Label& label : t.labels()) {
      x.push_back(t.class_values()[label.value]);
      ++begin[label.task + 1];
    }
    for (size_t i = 0; i + 1 < begin.size(); ++i) {
      answered += begin[i + 1] > 0;
      begin[i + 1] += begin[i];
    }
    const auto n = static_cast<double>(x.size());
    // Divided first: labels near the end of the range must not overflow.
    for (const double value : x) mean += value / n;
    double scale = 0.0;
    for (const double value : x) scale = std::max(scale, std::fabs(value - mean));
    if (scale > 0.0) {
      double squares = 0.0;
      for (const double value : x) {
        const double part = (value - mean) / scale;
        squares += part * part;
      }
      spread = scale * std::sqrt(squares / n);
    }
  }
  size_t tasks() const { return table.task_count(); }
  size_t count(size_t task) const { return begin[task + 1] - begin[task]; }
};

void set_means(const Numbers& numbers, std::vector<double>& value) {
  for (size_t task = 0; task < numbers.tasks(); ++task) {
    double sum = 0.0;
    const auto n = static_cast<double>(numbers.count(task));
    for (size_t i = numbers.begin[task]; i < numbers.begin[task + 1]; ++i) sum += numbers.x[i] / n;
    value[task] = n > 0.0 ? sum : numbers.mean;
  }
}

void set_medians(const Numbers& numbers, std::vector<double>& value) {
  std::vector<double> of_task;
  for (size_t task = 0; task < numbers.tasks(); ++task) {
    of_task.assign(numbers.x.begin() + numbers.begin[task],
                   numbers.x.begin() + numbers.begin[task + 1]);
    value[task] = of_task.empty() ? numbers.mean : median_of(of_task);
  }
}

// Standard deviation of a label about its task's value, with the degrees of freedom that the values
// take; about the overall mean when no task has two labels.
double pooled_noise(const Numbers& numbers, const std::vector<double>& value) {
  const size_t n = numbers.x.size();
  if (n <= numbers.answered) return numbers.spread;
  double squares = 0.0;
  for (size_t i = 0; i < n; ++i) {
    const double rest = numbers.x[i] - value[numbers.table.labels()[i].task];
    squares += rest * rest / static_cast<double>(n - numbers.answered);
  }
  return std::sqrt(squares);
}

// Student's t with `freedom` degrees: |T| <= t with the probability given.
double student_bound(double freedom, double confidence) {
  const double x = math::beta_quantile(0.5 * freedom, 0.5, 1.0 - confidence);
  return std::sqrt(freedom * (1.0 - x) / x);
}

uint32_t fit_huber(const Numbers& numbers, const NumericOptions& options,
                   NumericAggregate& result) {
  std::vector<double>& value = result.value;
  set_medians(numbers, value);
  std::vector<double> sizes;
  for (size_t task = 0; task < numbers.tasks(); ++task) {
    const auto n = static_cast<double>(numbers.count(task));
    if (n < 2.0) continue;
    for (size_t i = numbers.begin[task]; i < numbers.begin[task + 1]; ++i) {
      sizes.push_back(std::fabs(numbers.x[i] - value[task]) * std::sqrt(n / (n - 1.0)));
    }
  }
  double scale = kMadToDeviation * median_of(sizes);
  if (!(scale > 0.0)) scale = pooled_noise(numbers, value);
  result.noise = scale;
  if (!(scale > 0.0)) return 1;  // all agree
  uint32_t most = 0;
  double psi_squares = 0.0, inside = 0.0;
  for (size_t task = 0; task < numbers.tasks(); ++task) {
    uint32_t iterations = 0;
    double moved = 1.0;
    const size_t from = numbers.begin[task], to = numbers.begin[task + 1];
    while (from < to && moved > options.tolerance * numbers.spread) {
      if (iterations >= options.max_iterations) {
        result.converged = false;
        break;
      }
      double weights = 0.0, sum = 0.0;
      for (size_t i = from; i < to; ++i) {
        const double size = std::fabs(numbers.x[i] - value[task]) / scale;
        const double weight = size <= kHuber ? 1.0 : kHuber / size;
        weights += weight;
        sum += weight * (numbers.x[i] - value[task]);
      }
      value[task] += sum / weights;
      moved = std::fabs(sum / weights);
      ++iterations;
    }
    most = std::max(most, iterations);
    for (size_t i = from; i < to; ++i) {
      const double size = std::fabs(numbers.x[i] - value[task]) / scale;
      psi_squares += std::min(size, kHuber) * std::min(size, kHuber);
      inside += size <= kHuber ? 1.0 : 0.0;
    }
  }
  // Huber's formula: variance of one label's worth, n / (n - p) for the values that were fitted.
  const auto n = static_cast<double>(numbers.x.size());
  const double freedom = std::max(1.0, n - static_cast<double>(numbers.answered));
  result.noise = inside > 0.0 ? scale * std::sqrt(psi_squares / freedom) / (inside / n) : scale;
  return most;
}

uint32_t fit_weighted(const Numbers& numbers, const NumericOptions& options,
                      NumericAggregate& result) {
  const LabelTable& table = numbers.table;
  std::vector<double>& value = result.value;
  set_means(numbers, value);
  const double noise = pooled_noise(numbers, value);
  result.noise = noise;
  const size_t workers = table.worker_count();
  std::vector<double> bias(workers, 0.0), precision(workers, 1.0), variance(numbers.tasks(), 0.0);
  if (!(noise > 0.0)) return 1;  // all agree
  result.converged = false;
  uint32_t iterations = 1;
  for (;; ++iterations) {
    // Values given biases and precisions (in units of the noise), and the variance that is left.
    double moved = 0.0;
    for (size_t task = 0; task < numbers.tasks(); ++task) {
      double weights = 0.0, sum = 0.0;
      for (size_t i = numbers.begin[task]; i < numbers.begin[task + 1]; ++i) {
        const uint32_t worker = table.labels()[i].worker;
        weights += precision[worker];
        sum += precision[worker] * (numbers.x[i] - bias[worker] - value[task]);
      }
      if (weights == 0.0) continue;
      value[task] += sum / weights;
      moved = std::max(moved, std::fabs(sum / weights));
      variance[task] = noise * noise / weights;
    }
    result.converged = iterations > 1 && moved <= options.tolerance * numbers.spread;
    if (result.converged || iterations >= options.max_iterations) break;
    double bias_sum = 0.0;
    for (uint32_t worker = 0; worker < workers; ++worker) {
      double sum = 0.0;
      const auto places = table.labels_of_worker(worker);
      for (const uint32_t i : places) sum += numbers.x[i] - value[table.labels()[i].task];
      bias[worker] = sum / (static_cast<double>(places.size()) + kBiasPrior);
      bias_sum += bias[worker] * static_cast<double>(places.size());
    }
    const double common = bias_sum / static_cast<double>(numbers.x.size());
    for (uint32_t worker = 0; worker < workers; ++worker) {
      bias[worker] -= common;
      double squares = 0.0;
      const auto places = table.labels_of_worker(worker);
      for (const uint32_t i : places) {
        const uint32_t task = table.labels()[i].task;
        const double rest = (numbers.x[i] - bias[worker] - value[task]) / noise;
        squares += rest * rest + variance[task] / (noise * noise);
      }
      precision[worker] =
          (static_cast<double>(places.size()) + kPrecisionPrior) / (squares + kPrecisionPrior);
    }
  }
  double total = 0.0;
  for (uint32_t worker = 0; worker < workers; ++worker) {
    total += precision[worker] * static_cast<double>(table.labels_of_worker(worker).size());
  }
  for (double& weight : precision) weight *= static_cast<double>(numbers.x.size()) / total;
  result.worker_weight = precision;
  for (size_t task = 0; task < numbers.tasks(); ++task) {
    result.standard_error[task] = std::sqrt(variance[task]);
  }
  return iterations;
}

void set_workers(const Numbers& numbers, NumericAggregate& result) {
  const LabelTable& table = numbers.table;
  for (uint32_t worker = 0; worker < table.worker_count(); ++worker) {
    const auto places = table.labels_of_worker(worker);
    const auto n = static_cast<double>(places.size());
    double sum = 0.0, squares = 0.0;
    for (const uint32_t i : places) {
      sum += (numbers.x[i] - result.value[table.labels()[i].task]) / n;
    }
    for (const uint32_t i : places) {
      const double rest = numbers.x[i] - result.value[table.labels()[i].task] - sum;
      squares += rest * rest / std::max(1.0, n - 1.0);
    }
    result.worker_labels.push_back(static_cast<uint32_t>(places.size()));
    result.worker_bias.push_back(sum);
    result.worker_deviation.push_back(std::sqrt(squares));
  }
}

}  // namespace

std::string_view numeric_method_name(NumericMethod method) {
  return kNames[static_cast<size_t>(method)].second;
}

std::optional<NumericMethod> numeric_method_from_name(std::string_view name) {
  for (const auto& [method, known] : kNames) {
    if (known == name) return method;
  }
  return {};
}

NumericAggregate aggregate_numbers(const LabelTable& table, const NumericOptions& options) {
  if (!table.classes_are_numbers()) {
    throw invalid_input(
        "mean, median, huber and reliability-weighted need labels that are numbers; take a method "
        "for classes, such as dawid-skene");
  }
  if (!(options.tolerance > 0.0 && options.tolerance < 1.0) || options.max_iterations < 1 ||
      options.max_iterations > 1000000) {
    throw invalid_input("the tolerance must lie in (0, 1) and iterations between 1 and 1,000,000");
  }
  if (!(options.confidence > 0.0 && options.confidence < 1.0)) {
    throw invalid_input("the confidence of an interval must lie between 0 and 1");
  }
  for (const double value : table.class_values()) {
    if (std::fabs(value) > 1e100) {
      throw invalid_input(
          "a label beyond 1e100 cannot be averaged; correct it or scale the labels");
    }
  }
  const Numbers numbers(table);
  NumericAggregate result;
  result.method = options.method;
  result.value.assign(table.task_count(), 0.0);
  result.standard_error.assign(table.task_count(), -1.0);
  result.worker_weight.assign(table.worker_count(), 1.0);
  result.iterations = 1;
  switch (options.method) {
    case NumericMethod::kMean: set_means(numbers, result.value); break;
    case NumericMethod::kMedian: set_medians(numbers, result.value); break;
    case NumericMethod::kHuber: result.iterations = fit_huber(numbers, options, result); break;
    case NumericMethod::kReliabilityWeighted:
      result.iterations = fit_weighted(numbers, options, result);
      break;
  }
  if (options.method == NumericMethod::kMean || options.method == NumericMethod::kMedian) {
    result.noise = pooled_noise(numbers, result.value);
  }
  const double factor = options.method == NumericMethod::kMedian ? kMedianFactor : 1.0;
  const double freedom =
      std::max(1.0, static_cast<double>(numbers.x.size()) - static_cast<double>(numbers.answered));
  const double bound = student_bound(freedom, options.confidence);
  size_t without = 0;
  for (size_t task = 0; task < table.task_count(); ++task) {
    const auto n = static_cast<double>(numbers.count(task));
    double& error = result.standard_error[task];
    if (n == 0.0) {
      ++without;
      error = numbers.spread;
    } else if (error < 0.0) {
      error = result.noise * (n > 2.0 ? factor : 1.0) / std::sqrt(n);
    }
    result.interval.push_back(
        {result.value[task] - bound * error, result.value[task] + bound * error});
  }
  set_workers(numbers, result);
  if (numbers.x.size() <= numbers.answered) {
    result.warnings.push_back(
        "No task has two labels, so the noise cannot be told from the differences between tasks; "
        "the intervals take all of it for noise.");
  }
  if (without > 0) {
    result.warnings.push_back(std::to_string(without) +
                              " tasks without a label have the overall mean.");
  }
  if (!result.converged) {
    result.warnings.push_back("Not converged after " + std::to_string(result.iterations) +
                              " iterations; raise --max-iterations or loosen --tolerance.");
  }
  return result;
}

NumericError error_against(const NumericAggregate& aggregate, std::span<const double> truth) {
  if (truth.size() != aggregate.value.size()) {
    throw invalid_input("the truth must have one value a task");
  }
  NumericError error;
  for (size_t task = 0; task < truth.size(); ++task) {
    if (std::isnan(truth[task])) continue;
    const double miss = std::fabs(aggregate.value[task] - truth[task]);
    ++error.tasks;
    error.root_mean_square += miss * miss;
    error.mean_absolute += miss;
  }
  if (error.tasks > 0) {
    const auto n = static_cast<double>(error.tasks);
    error.root_mean_square = std::sqrt(error.root_mean_square / n);
    error.mean_absolute /= n;
  }
  return error;
}

}  // namespace hone::quality
