// --method auto: K folds of the labels, chosen by a hash of the names of task and worker, so that
// neither the order of the rows nor their number elsewhere matters. Each method is fitted without the
// fold and asked for the probability of the labels in it; with 20 or more gold tasks it is asked for
// their answers instead, each hidden in its fold. Where the best has a Bayesian twin that is not
// clearly worse, or workers have few labels, the twin is taken: a confusion matrix from a handful of
// labels predicts too boldly.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/rng.h"
#include "quality/aggregate_layout.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

constexpr Method kCandidates[] = {Method::kMajority, Method::kOneCoin, Method::kDawidSkene,
                                  Method::kIbcc,     Method::kMaceVb,  Method::kGlad};
constexpr size_t kEnoughGold = 20;
constexpr double kLeast = 1e-12;  // probability of anything

uint32_t fold_of(std::string_view task, std::string_view worker, uint32_t folds) {
  return static_cast<uint32_t>(rng_stream(task, rng_stream(worker), 1) % folds);
}

// What a fit says of the labels and gold answers that it has not seen: sums over each task.
struct HeldOut {
  std::vector<double> by_task;
  size_t count = 0;
};

void score_labels(const Layout& layout, const Aggregate& fit, std::span<const uint8_t> excluded,
                  HeldOut& held_out) {
  const size_t classes = layout.classes;
  double own = 0.0;
  for (size_t i = 0; i < layout.rows.size(); ++i) {
    own += fit.posterior[layout.rows[i].task * classes + layout.rows[i].value];
  }
  const double pooled = (own + 1.0) / (static_cast<double>(layout.rows.size()) + 2.0);
  std::vector<double> chance;
  for (uint32_t worker = 0; worker < layout.workers; ++worker) {
    bool ready = false;
    for (const uint32_t place : layout.table.labels_of_worker(worker)) {
      if (!excluded[place]) continue;
      const Label& label = layout.table.labels()[place];
      const double* row = fit.posterior.data() + size_t{label.task} * classes;
      double p = 0.0;
      if (fit.method == Method::kGlad) {
        const double right = math::sigmoid(fit.skill[worker] * math::exp(fit.easiness[label.task]));
        const double wrong = (1.0 - right) / static_cast<double>(classes - 1);
        p = wrong + row[label.value] * (right - wrong);
      } else {
        if (!ready) worker_chances(layout, fit, worker, pooled, chance);
        ready = true;
        for (size_t k = 0; k < classes; ++k) p += row[k] * chance[k * classes + label.value];
      }
      held_out.by_task[label.task] += math::log(std::max(p, kLeast));
      ++held_out.count;
    }
  }
}

struct Folds {
  std::vector<uint8_t> of_label, of_gold;
};

void run_fold(const Layout& whole, const AggregateOptions& options, const Folds& folds,
              uint32_t fold, bool by_gold, ThreadPool* pool, std::span<HeldOut> held_out) {
  std::vector<uint8_t> excluded(whole.labels, 0);
  std::vector<GoldTask> gold;
  for (size_t i = 0; i < options.gold.size(); ++i) {
    if (!by_gold || folds.of_gold[i] != fold) gold.push_back(options.gold[i]);
  }
  if (!by_gold) {
    for (size_t i = 0; i < excluded.size(); ++i) excluded[i] = folds.of_label[i] == fold;
  }
  const Layout layout(whole.table, gold, excluded);
  if (layout.rows.empty()) return;  // a table of one or two labels
  for (size_t c = 0; c < std::size(kCandidates); ++c) {
    AggregateOptions inner = options;
    inner.method = kCandidates[c];
    if (inner.tolerance == 0.0 && inner.method != Method::kIbcc &&
        inner.method != Method::kMaceVb) {
      inner.tolerance = 1e-7;
    }
    Aggregate fit;
    fit.method = inner.method;
    fit.posterior.assign(layout.tasks * layout.classes, 0.0);
    switch (inner.method) {
      case Method::kMajority: fit_majority(layout, inner, pool, fit); break;
      case Method::kOneCoin: fit_one_coin(layout, inner, pool, fit); break;
      case Method::kDawidSkene: fit_dawid_skene(layout, inner, pool, fit); break;
      case Method::kIbcc: fit_ibcc(layout, inner, pool, fit); break;
      case Method::kMaceVb: fit_mace(layout, inner, pool, fit); break;
      default: fit_glad(layout, inner, pool, fit);
    }
    if (!by_gold) {
      score_labels(layout, fit, excluded, held_out[c]);
      continue;
    }
    for (size_t i = 0; i < options.gold.size(); ++i) {
      if (folds.of_gold[i] != fold) continue;
      const GoldTask& known = options.gold[i];
      const double p = fit.posterior[known.task * layout.classes + known.value];
      held_out[c].by_task[known.task] += math::log(std::max(p, 1e-6));
      ++held_out[c].count;
    }
  }
}

double median_labels_per_worker(const Layout& layout) {
  std::vector<uint32_t> counts;
  for (uint32_t worker = 0; worker < layout.workers; ++worker) {
    if (layout.labels_of(worker) > 0) counts.push_back(layout.labels_of(worker));
  }
  std::sort(counts.begin(), counts.end());
  const size_t n = counts.size();
  if (n == 0) return 0.0;
  return n % 2 ? counts[n / 2] : 0.5 * (static_cast<double>(counts[n / 2 - 1]) + counts[n / 2]);
}

std::string digits(double value, int places) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", places, value);
  return text;
}

std::vector<AutoCandidate> ranked(std::span<const HeldOut> held_out) {
  std::vector<AutoCandidate> candidates;
  std::vector<size_t> order(held_out.size());
  std::vector<double> mean(held_out.size());
  for (size_t c = 0; c < held_out.size(); ++c) {
    order[c] = c;
    for (const double task : held_out[c].by_task) mean[c] += task;
    mean[c] /= static_cast<double>(std::max<size_t>(1, held_out[c].count));
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return mean[a] > mean[b]; });
  const HeldOut& best = held_out[order[0]];
  for (const size_t c : order) {
    const auto count = static_cast<double>(std::max<size_t>(1, best.count));
    const auto tasks = static_cast<double>(best.by_task.size());
    double sum = 0.0, squares = 0.0;
    for (size_t task = 0; task < best.by_task.size(); ++task) {
      const double difference = held_out[c].by_task[task] - best.by_task[task];
      sum += difference;
      squares += difference * difference;
    }
    const double variance = std::max(0.0, squares - sum * sum / tasks);  // of the sum, tasks alone
    candidates.push_back({kCandidates[c], mean[c], std::sqrt(variance) / count});
  }
  return candidates;
}

}  // namespace

void fit_auto(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
              Aggregate& result) {
  const bool by_gold = options.gold.size() >= kEnoughGold;
  const LabelTable& table = layout.table;
  Folds folds;
  for (const Label& label : table.labels()) {
    folds.of_label.push_back(static_cast<uint8_t>(
        fold_of(table.tasks()[label.task], table.workers()[label.worker], options.folds)));
  }
  for (const GoldTask& known : options.gold) {
    folds.of_gold.push_back(
        static_cast<uint8_t>(fold_of(table.tasks()[known.task], "", options.folds)));
  }
  std::vector<HeldOut> held_out(std::size(kCandidates));
  for (HeldOut& one : held_out) one.by_task.assign(layout.tasks, 0.0);
  for (uint32_t fold = 0; fold < options.folds; ++fold) {
    run_fold(layout, options, folds, fold, by_gold, pool, held_out);
  }

  result.candidates = ranked(held_out);
  const AutoCandidate best = result.candidates[0];
  const double median = median_labels_per_worker(layout);
  const double few = 5.0 * static_cast<double>(layout.classes * layout.classes);
  const std::string what = by_gold ? "hidden gold answer" : "held-out label";
  AutoCandidate chosen = best;
  if (held_out[0].count == 0) {
    chosen = {Method::kMajority, 0.0, 0.0};
    result.candidates.clear();
    result.grounds = "Too few labels to hold any out, so the votes are only counted.";
  } else {
    result.grounds = std::string(method_name(best.method)) + " gives a " + what +
                     " the highest log-likelihood, " + digits(best.held_out, 4) + " nats, in " +
                     std::to_string(options.folds) + " folds; next is " +
                     std::string(method_name(result.candidates[1].method)) + " with " +
                     digits(result.candidates[1].held_out, 4) + ".";
  }
  if (best.method == Method::kDawidSkene && !result.candidates.empty()) {
    for (const AutoCandidate& other : result.candidates) {
      if (other.method != Method::kIbcc) continue;
      const bool close = best.held_out - other.held_out <= other.standard_error;
      if (!close && median >= few) continue;
      chosen = other;
      result.grounds +=
          close ? " ibcc, its Bayesian form, is as good within one standard error and is taken."
                : " ibcc, its Bayesian form, is taken because workers have few labels (median " +
                      digits(median, 0) + ").";
    }
  }
  result.method = chosen.method;
  switch (chosen.method) {
    case Method::kMajority: fit_majority(layout, options, pool, result); break;
    case Method::kOneCoin: fit_one_coin(layout, options, pool, result); break;
    case Method::kDawidSkene: fit_dawid_skene(layout, options, pool, result); break;
    case Method::kIbcc: fit_ibcc(layout, options, pool, result); break;
    case Method::kMaceVb: fit_mace(layout, options, pool, result); break;
    default: fit_glad(layout, options, pool, result);
  }
}

}  // namespace hone::quality
