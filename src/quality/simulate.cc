#include "quality/simulate.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace hone::quality {
namespace {

// Accuracy over tasks with a truth; classes with the same largest posterior share the point.
double accuracy_of(std::span<const double> posteriors, size_t classes,
                   std::span<const int64_t> truth) {
  double right = 0.0, tasks = 0.0;
  for (size_t task = 0; task < truth.size(); ++task) {
    if (truth[task] < 0) continue;
    tasks += 1.0;
    const auto posterior = posteriors.subspan(task * classes, classes);
    const double most = *std::max_element(posterior.begin(), posterior.end());
    // The last bits of equal shares may differ with the order of their sums.
    const auto tied = [&](double p) { return p >= most - 1e-12; };
    if (truth[task] >= static_cast<int64_t>(classes) ||
        !tied(posterior[static_cast<size_t>(truth[task])])) {
      continue;
    }
    right += 1.0 / static_cast<double>(std::count_if(posterior.begin(), posterior.end(), tied));
  }
  return right / tasks;
}

std::vector<double> aggregate_checked(const AggregateFunction& aggregate, const LabelTable& table,
                                      std::span<const double> warm) {
  std::vector<double> posterior = aggregate(table, warm);
  if (posterior.size() != table.task_count() * table.class_count()) {
    throw Error(ErrorCode::kInternal, "simulate: the method gave " +
                                          std::to_string(posterior.size()) + " posteriors for " +
                                          std::to_string(table.task_count()) + " tasks of " +
                                          std::to_string(table.class_count()) + " classes");
  }
  return posterior;
}

double deviation(std::span<const double> values, double mean) {
  if (values.size() < 2) return 0.0;
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

SimulateRun run(const LabelTable& table, std::span<const int64_t> truth,
                const AggregateFunction& aggregate, const SimulateOptions& options, uint64_t seed) {
  const size_t tasks = table.task_count(), classes = table.class_count();
  // The order in which each task's recorded labels would come.
  std::vector<std::vector<Label>> queue(tasks);
  std::vector<uint32_t> asked(tasks), most(tasks);
  for (size_t task = 0; task < tasks; ++task) {
    const auto labels = table.labels_of_task(task);
    queue[task].assign(labels.begin(), labels.end());
    Rng rng(seed, rng_stream("simulate", task));
    for (size_t i = queue[task].size(); i > 1; --i) {
      std::swap(queue[task][i - 1], queue[task][rng.below(i)]);
    }
    most[task] = static_cast<uint32_t>(labels.size());
    if (options.max_labels > 0) most[task] = std::min(most[task], options.max_labels);
    asked[task] = std::min(std::max(options.start, 1u), most[task]);
  }
  SimulateRun result;
  result.seed = seed;
  std::vector<double> posterior;
  while (true) {
    LabelTableBuilder builder(
        std::vector<std::string>(table.classes().begin(), table.classes().end()));
    uint64_t spent = 0;
    for (size_t task = 0; task < tasks; ++task) {
      spent += asked[task];
      for (uint32_t i = 0; i < asked[task]; ++i) {
        const Label& label = queue[task][i];
        builder.add(table.tasks()[task], table.workers()[label.worker],
                    table.classes()[label.value]);
      }
    }
    // Every task has a label, so its index is the same as in the whole table.
    posterior = aggregate_checked(aggregate, std::move(builder).build(), posterior);
    result.points.push_back({spent,
                             static_cast<double>(spent) / static_cast<double>(table.label_count()),
                             accuracy_of(posterior, classes, truth)});
    uint64_t more = 0;
    for (size_t task = 0; task < tasks; ++task) {
      const auto own = std::span(posterior).subspan(task * classes, classes);
      if (asked[task] == most[task] ||
          *std::max_element(own.begin(), own.end()) >= options.threshold) {
        continue;
      }
      ++asked[task];
      ++more;
    }
    if (more == 0) return result;
  }
}

}  // namespace

Simulation simulate(const LabelTable& table, std::span<const int64_t> truth,
                    const AggregateFunction& aggregate, const SimulateOptions& options) {
  if (truth.size() != table.task_count()) {
    throw invalid_input("simulate: " + std::to_string(truth.size()) + " truths for " +
                        std::to_string(table.task_count()) + " tasks");
  }
  if (!(options.threshold > 0.0 && options.threshold <= 1.0)) {
    throw invalid_input("simulate: the threshold must lie above 0 and be at most 1");
  }
  if (options.seeds.empty() || options.seeds.size() > 1000) {
    throw invalid_input("simulate: needs 1 to 1000 seeds");
  }
  Simulation result;
  result.labels = table.label_count();
  result.tasks = table.task_count();
  for (const int64_t value : truth) result.tasks_with_truth += value >= 0;
  if (result.tasks_with_truth == 0) {
    throw invalid_input(
        "simulate: no task of the labels has a truth. Check the names of the tasks "
        "in both files.");
  }
  result.full_accuracy =
      accuracy_of(aggregate_checked(aggregate, table, {}), table.class_count(), truth);
  std::vector<double> shares, accuracies;
  for (const uint64_t seed : options.seeds) {
    result.runs.push_back(run(table, truth, aggregate, options, seed));
    shares.push_back(result.runs.back().points.back().share);
    accuracies.push_back(result.runs.back().points.back().accuracy);
    const double seeds = static_cast<double>(options.seeds.size());
    result.mean_share += shares.back() / seeds;
    result.mean_accuracy += accuracies.back() / seeds;
  }
  result.share_deviation = deviation(shares, result.mean_share);
  result.accuracy_deviation = deviation(accuracies, result.mean_accuracy);
  const double per_task = static_cast<double>(result.labels) / static_cast<double>(result.tasks);
  if (per_task < static_cast<double>(options.start) + 1.0) {
    result.warnings.push_back(
        "The data have little more than the labels that every task starts "
        "with: there was almost nothing to save.");
  }
  if (table.conflicts() > 0) {
    result.warnings.push_back(
        "Some workers gave a task several different labels; each counts as a "
        "label to be asked for.");
  }
  return result;
}

}  // namespace hone::quality
