#include "quality/aggregate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "base/error.h"
#include "quality/aggregate_layout.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

struct Named {
  Method method;
  std::string_view name;
};
constexpr std::array<Named, 10> kNames = {{{Method::kMajority, "majority"},
                                           {Method::kWawa, "wawa"},
                                           {Method::kDawidSkene, "dawid-skene"},
                                           {Method::kOneCoin, "one-coin"},
                                           {Method::kZenCrowd, "zencrowd"},
                                           {Method::kIbcc, "ibcc"},
                                           {Method::kMace, "mace"},
                                           {Method::kMaceVb, "mace-vb"},
                                           {Method::kGlad, "glad"},
                                           {Method::kAuto, "auto"}}};
constexpr std::array<Method, 10> kAll = {
    Method::kMajority, Method::kWawa, Method::kDawidSkene, Method::kOneCoin, Method::kZenCrowd,
    Method::kIbcc,     Method::kMace, Method::kMaceVb,     Method::kGlad,    Method::kAuto};

constexpr double kTie = 1e-9;  // posteriors this close are equal

void check(const AggregateOptions& options) {
  if (!(options.tolerance >= 0.0 && options.tolerance < 1.0)) {
    throw invalid_input("the tolerance must lie in [0, 1); 0 takes the method's own");
  }
  if (options.max_iterations > 1000000) {
    throw invalid_input("at most 1,000,000 iterations can be asked for");
  }
  if (options.restarts < 1 || options.restarts > 1000) {
    throw invalid_input("the number of restarts must lie between 1 and 1,000");
  }
  if (options.folds < 2 || options.folds > 20) {
    throw invalid_input("the number of folds must lie between 2 and 20");
  }
}

void set_winners(Aggregate& result) {
  const size_t classes = result.class_count;
  result.entropy.resize(result.task_count);
  result.winner_begin.assign(1, 0);
  result.winner_begin.reserve(result.task_count + 1);
  result.winner_classes.reserve(result.task_count);
  for (size_t task = 0; task < result.task_count; ++task) {
    const double* row = result.posterior.data() + task * classes;
    double most = row[0], entropy = 0.0;
    for (size_t k = 0; k < classes; ++k) {
      most = std::max(most, row[k]);
      if (row[k] > 0.0) entropy -= row[k] * math::log(row[k]);
    }
    result.entropy[task] = std::max(0.0, entropy);
    for (uint32_t k = 0; k < classes; ++k) {
      if (row[k] >= most - kTie) result.winner_classes.push_back(k);
    }
    result.winner_begin.push_back(static_cast<uint32_t>(result.winner_classes.size()));
  }
}

void set_reliability(const Layout& layout, ThreadPool* pool, Aggregate& result) {
  std::vector<double> own(layout.columns);
  result.reliability.assign(layout.workers, 0.0);
  result.worker_labels.assign(layout.workers, 0);
  for_blocks(layout.worth(pool), layout.worker_block_count(), [&](size_t block) {
    sum_own_class(layout, block, result.posterior, own);
    for (uint32_t worker = layout.worker_blocks[block]; worker < layout.worker_blocks[block + 1];
         ++worker) {
      const uint32_t labels = layout.labels_of(worker);
      double sum = 0.0;
      for (uint32_t column = layout.worker_columns[worker];
           column < layout.worker_columns[worker + 1]; ++column) {
        sum += own[column];
      }
      result.worker_labels[worker] = labels;
      result.reliability[worker] =
          labels > 0 ? sum / labels : 1.0 / static_cast<double>(layout.classes);
    }
  });
}

// Connected parts of the graph of tasks and workers, by union of the tasks of each worker.
size_t count_parts(const Layout& layout) {
  std::vector<uint32_t> parent(layout.tasks);
  for (uint32_t i = 0; i < parent.size(); ++i) parent[i] = i;
  const auto root = [&](uint32_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (uint32_t worker = 0; worker < layout.workers; ++worker) {
    const uint32_t begin = layout.column_begin[layout.worker_columns[worker]];
    const uint32_t end = layout.column_begin[layout.worker_columns[worker + 1]];
    for (uint32_t i = begin; i < end; ++i) {
      const uint32_t a = root(layout.column_tasks[begin]), b = root(layout.column_tasks[i]);
      if (a != b) parent[std::max(a, b)] = std::min(a, b);
    }
  }
  size_t parts = 0;
  for (uint32_t task = 0; task < layout.tasks; ++task) {
    if (parent[task] == task && layout.task_begin[task + 1] > layout.task_begin[task]) ++parts;
  }
  return parts;
}

std::string plural(size_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

void set_warnings(const Layout& layout, Aggregate& result) {
  std::vector<std::string>& warnings = result.warnings;
  size_t without = 0, single = 0;
  for (size_t task = 0; task < layout.tasks; ++task) {
    if (layout.task_begin[task + 1] == layout.task_begin[task]) ++without;
  }
  for (uint32_t worker = 0; worker < layout.workers; ++worker) {
    if (layout.labels_of(worker) == 1) ++single;
  }
  if (layout.classes == 1) {
    warnings.push_back(
        "Only one class occurs, so every task has it for certain and nothing can be said about the "
        "workers; declare the classes that could have been chosen.");
  }
  if (layout.workers == 1) {
    warnings.push_back(
        "There is only one worker: the result is his opinion, and his reliability cannot be told "
        "from the labels.");
  }
  if (without > 0) {
    warnings.push_back(plural(without, "task") +
                       " without a label: its posterior is the share of the classes.");
  }
  if (single > 0 && layout.workers > 1) {
    warnings.push_back(plural(single, "worker") + " gave one label only; " +
                       (single == 1 ? "his" : "their") + " reliability is hardly known.");
  }
  if (const size_t parts = layout.workers > 1 ? count_parts(layout) : 1; parts > 1) {
    warnings.push_back("The labels fall into " + std::to_string(parts) +
                       " groups of tasks with no worker in common; workers of different groups "
                       "cannot be compared.");
  }
  if (result.method != Method::kMajority && layout.classes > 1 &&
      layout.labels < 2 * layout.tasks && layout.gold.empty()) {
    warnings.push_back(
        "There are fewer than two labels a task, so few labels can be checked against others; "
        "ask for more or give gold tasks.");
  }
  if (!result.converged) {
    warnings.push_back("Not converged after " + plural(result.iterations, "iteration") +
                       "; raise --max-iterations or loosen --tolerance.");
  }
}

}  // namespace

std::string_view method_name(Method method) {
  for (const Named& named : kNames) {
    if (named.method == method) return named.name;
  }
  HONE_CHECK(false);
  return {};
}

std::optional<Method> method_from_name(std::string_view name) {
  for (const Named& named : kNames) {
    if (named.name == name) return named.method;
  }
  return {};
}

std::span<const Method> all_methods() { return kAll; }

std::span<const uint32_t> Aggregate::winners(size_t task) const {
  HONE_CHECK(task < task_count);
  return std::span(winner_classes)
      .subspan(winner_begin[task], winner_begin[task + 1] - winner_begin[task]);
}

void fit_majority(const Layout& layout, const AggregateOptions&, ThreadPool* pool,
                  Aggregate& result) {
  majority_shares(layout, result.posterior, pool);
  result.prior = class_shares(layout, result.posterior);
  result.iterations = 1;
}

// Worker agreement with the aggregate: votes weighted by how often each agrees with the majority; a
// tie of n classes is 1/n of an agreement with each.
void fit_wawa(const Layout& layout, const AggregateOptions&, ThreadPool* pool, Aggregate& result) {
  const size_t classes = layout.classes;
  majority_shares(layout, result.posterior, pool);
  for (size_t task = 0; task < layout.tasks; ++task) {
    double* row = result.posterior.data() + task * classes;
    const double most = *std::max_element(row, row + classes);
    double tied = 0.0;
    for (size_t k = 0; k < classes; ++k) tied += row[k] >= most - kTie ? 1.0 : 0.0;
    for (size_t k = 0; k < classes; ++k) row[k] = row[k] >= most - kTie ? 1.0 / tied : 0.0;
  }
  set_reliability(layout, pool, result);
  result.skill = result.reliability;
  result.skill_name = "agreement";
  for (size_t task = 0; task < layout.tasks; ++task) {
    double* row = result.posterior.data() + task * classes;
    if (!layout.gold.empty() && layout.gold[task] != kNoTruth) continue;  // one-hot already
    std::fill(row, row + classes, 0.0);
    double total = 0.0;
    for (uint32_t i = layout.task_begin[task]; i < layout.task_begin[task + 1]; ++i) {
      const Label& label = layout.rows[i];
      row[label.value] += result.skill[label.worker];
      total += result.skill[label.worker];
    }
    for (size_t k = 0; k < classes; ++k) {
      row[k] = total > 0.0 ? row[k] / total : 1.0 / static_cast<double>(classes);
    }
  }
  result.prior = class_shares(layout, result.posterior);
  result.iterations = 1;
}

Aggregate aggregate(const LabelTable& table, const AggregateOptions& options, ThreadPool* pool) {
  check(options);
  const Layout layout(table, options.gold);
  Aggregate result;
  result.method = options.method;
  result.task_count = layout.tasks;
  result.worker_count = layout.workers;
  result.class_count = layout.classes;
  result.posterior.assign(layout.tasks * layout.classes, 1.0);
  if (layout.classes == 1) {  // nothing to infer, in any method
    result.prior = {1.0};
    if (options.method == Method::kAuto) {
      result.method = Method::kMajority;
      result.grounds = "Only one class occurs, so there is nothing to choose.";
    }
  } else {
    switch (options.method) {
      case Method::kMajority: fit_majority(layout, options, pool, result); break;
      case Method::kWawa: fit_wawa(layout, options, pool, result); break;
      case Method::kDawidSkene: fit_dawid_skene(layout, options, pool, result); break;
      case Method::kOneCoin:
      case Method::kZenCrowd: fit_one_coin(layout, options, pool, result); break;
      case Method::kIbcc: fit_ibcc(layout, options, pool, result); break;
      case Method::kMace:
      case Method::kMaceVb: fit_mace(layout, options, pool, result); break;
      case Method::kGlad: fit_glad(layout, options, pool, result); break;
      case Method::kAuto: fit_auto(layout, options, pool, result); break;
    }
  }
  set_winners(result);
  set_reliability(layout, pool, result);
  set_warnings(layout, result);
  return result;
}

namespace {

// Mean and variance to the Beta that has them; the mean must lie inside (0, 1).
Interval interval_of(double mean, double variance, double confidence) {
  const double strength = mean * (1.0 - mean) / variance - 1.0;
  return math::beta_interval(std::max(1e-3, mean * strength),
                             std::max(1e-3, (1.0 - mean) * strength), confidence);
}

}  // namespace

WorkerQuality worker_quality(const Aggregate& result, const LabelTable& table, size_t worker,
                             double confidence) {
  constexpr double kPseudo = 0.5;  // Jeffreys
  HONE_CHECK(result.task_count == table.task_count());
  HONE_CHECK(result.class_count == table.class_count());
  const size_t classes = result.class_count;
  const auto places = table.labels_of_worker(worker);
  WorkerQuality quality;
  quality.labels = static_cast<uint32_t>(places.size());
  quality.truth_count.assign(classes, 0.0);
  quality.confusion.assign(classes * classes, 0.0);
  quality.confusion_interval.assign(classes * classes, {});
  // doubt[k][l]: sum of T (1 - T), the variance of the count of (k, l) when the truth is not known.
  std::vector<double> counts(classes * classes, 0.0), doubt(classes * classes, 0.0);
  double right = 0.0, right_doubt = 0.0;
  for (const uint32_t place : places) {
    const Label& label = table.labels()[place];
    const double* row = result.posterior.data() + size_t{label.task} * classes;
    for (size_t k = 0; k < classes; ++k) {
      counts[k * classes + label.value] += row[k];
      doubt[k * classes + label.value] += row[k] * (1.0 - row[k]);
    }
    right += row[label.value];
    right_doubt += row[label.value] * (1.0 - row[label.value]);
  }
  const auto n = static_cast<double>(places.size());
  const double mean = (right + kPseudo) / (n + 2.0 * kPseudo);
  quality.reliability = n > 0.0 ? right / n : 1.0 / static_cast<double>(classes);
  quality.reliability_interval =
      interval_of(mean,
                  mean * (1.0 - mean) / (n + 2.0 * kPseudo + 1.0) +
                      right_doubt / ((n + 2.0 * kPseudo) * (n + 2.0 * kPseudo)),
                  confidence);
  for (size_t k = 0; k < classes; ++k) {
    double total = 0.0, row_doubt = 0.0;
    for (size_t l = 0; l < classes; ++l) {
      total += counts[k * classes + l];
      row_doubt += doubt[k * classes + l];
    }
    quality.truth_count[k] = total;
    const double size = total + kPseudo * static_cast<double>(classes);
    for (size_t l = 0; l < classes; ++l) {
      const size_t at = k * classes + l;
      const double p = (counts[at] + kPseudo) / size;
      quality.confusion[at] = p;
      if (classes == 1) {
        quality.confusion_interval[at] = {1.0, 1.0};
        continue;
      }
      // The share moves by (1 - p) / size when a task of his "l" turns out to be of class k, and by
      // -p / size when one of his other answers does.
      const double moved = doubt[at] * (1.0 - p) * (1.0 - p) + (row_doubt - doubt[at]) * p * p;
      quality.confusion_interval[at] =
          interval_of(p, p * (1.0 - p) / (size + 1.0) + moved / (size * size), confidence);
    }
  }
  return quality;
}

Accuracy accuracy_against(const Aggregate& result, std::span<const uint32_t> truth) {
  if (truth.size() != result.task_count) {
    throw invalid_input("the truth must name each task once (" + std::to_string(result.task_count) +
                        "), got " + std::to_string(truth.size()));
  }
  Accuracy accuracy;
  double right = 0.0, both = 0.0, said = 0.0, is = 0.0;
  for (size_t task = 0; task < truth.size(); ++task) {
    if (truth[task] == kNoTruth) continue;
    ++accuracy.tasks;
    const auto winners = result.winners(task);
    const double share = 1.0 / static_cast<double>(winners.size());
    for (const uint32_t winner : winners) {
      if (winner == truth[task]) right += share;
      if (winner == 1) said += share;
      if (winner == 1 && truth[task] == 1) both += share;
    }
    if (truth[task] == 1) is += 1.0;
  }
  if (accuracy.tasks > 0) accuracy.accuracy = right / static_cast<double>(accuracy.tasks);
  if (result.class_count == 2 && accuracy.tasks > 0) {
    accuracy.precision = said > 0.0 ? both / said : 0.0;
    accuracy.recall = is > 0.0 ? both / is : 0.0;
    accuracy.f1 = both > 0.0 ? 2.0 * both / (said + is) : 0.0;
  }
  return accuracy;
}

}  // namespace hone::quality
