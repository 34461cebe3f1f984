#include "quality/next_label.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "quality/math.h"

namespace hone::quality {
namespace {

double bits(double nats) { return nats / (math::kLn2High + math::kLn2Low); }
double plogp(double p) { return p > 0.0 ? p * math::log(p) : 0.0; }

void check(std::span<const double> posterior) {
  double sum = 0.0;
  for (const double p : posterior) {
    if (!(p >= 0.0)) throw invalid_input("next label: a posterior has a negative or no number");
    sum += p;
  }
  if (!(std::fabs(sum - 1.0) < 1e-6)) {
    throw invalid_input("next label: a posterior must sum to 1, got " + std::to_string(sum));
  }
}

double largest(std::span<const double> values) {
  return *std::max_element(values.begin(), values.end());
}

}  // namespace

LabelGain label_gain(std::span<const double> posterior, std::span<const double> confusion) {
  const size_t k = posterior.size();
  if (k == 0 || confusion.size() != k * k) {
    throw invalid_input("next label: " + std::to_string(confusion.size()) +
                        " confusion entries for " + std::to_string(k) + " classes");
  }
  check(posterior);
  double noise = 0.0;  // H(label | truth)
  for (size_t truth = 0; truth < k; ++truth) {
    for (size_t label = 0; label < k; ++label) {
      noise -= posterior[truth] * plogp(confusion[truth * k + label]);
    }
  }
  double answers = 0.0, reached = 0.0;  // H(label); expected largest posterior after it
  for (size_t label = 0; label < k; ++label) {
    double said = 0.0, best = 0.0;
    for (size_t truth = 0; truth < k; ++truth) {
      const double joint = posterior[truth] * confusion[truth * k + label];
      said += joint;
      best = std::max(best, joint);
    }
    answers -= plogp(said);
    reached += best;
  }
  return {std::max(0.0, bits(answers - noise)), std::max(0.0, reached - largest(posterior))};
}

LabelGain label_gain(std::span<const double> posterior, double accuracy) {
  const size_t k = posterior.size();
  if (!(accuracy >= 0.0 && accuracy <= 1.0)) {
    throw invalid_input("next label: a worker's accuracy must lie between 0 and 1");
  }
  check(posterior);
  if (k < 2) return {};
  // The same as above with s on the diagonal and e beside it: no matrix is needed.
  const double e = (1.0 - accuracy) / static_cast<double>(k - 1);
  const double noise = -(plogp(accuracy) + static_cast<double>(k - 1) * plogp(e));
  double first = 0.0, second = 0.0;
  for (const double p : posterior) {
    if (p > first) {
      second = first;
      first = p;
    } else {
      second = std::max(second, p);
    }
  }
  double answers = 0.0, reached = 0.0;
  bool first_met = false;
  for (const double p : posterior) {
    answers -= plogp(p * accuracy + (1.0 - p) * e);
    const bool is_first = !first_met && p == first;
    first_met |= is_first;
    reached += std::max(p * accuracy, (is_first ? second : first) * e);
  }
  return {std::max(0.0, bits(answers - noise)), std::max(0.0, reached - first)};
}

std::vector<double> posterior_after(std::span<const double> posterior,
                                    std::span<const double> confusion, uint32_t label) {
  const size_t k = posterior.size();
  if (confusion.size() != k * k || label >= k) {
    throw invalid_input("next label: label and confusion do not fit the posterior");
  }
  std::vector<double> after(posterior.begin(), posterior.end());
  double sum = 0.0;
  for (size_t truth = 0; truth < k; ++truth) {
    after[truth] *= confusion[truth * k + label];
    sum += after[truth];
  }
  if (!(sum > 0.0)) return {posterior.begin(), posterior.end()};
  for (double& p : after) p /= sum;
  return after;
}

TaskState task_state(std::span<const double> posterior, uint32_t labels, const StopRule& rule) {
  if (!(rule.threshold > 0.0 && rule.threshold <= 1.0) || posterior.empty()) {
    throw invalid_input("stop rule: the threshold must lie above 0 and be at most 1");
  }
  if (labels >= rule.min_labels && largest(posterior) >= rule.threshold) return TaskState::kDone;
  return labels >= rule.max_labels ? TaskState::kUndecided : TaskState::kAsk;
}

NextTasks next_tasks(std::span<const double> posteriors, size_t classes,
                     std::span<const uint32_t> labels, double worker_accuracy, const StopRule& rule,
                     size_t most) {
  if (classes == 0 || posteriors.size() != classes * labels.size()) {
    throw invalid_input("next tasks: " + std::to_string(posteriors.size()) + " posteriors for " +
                        std::to_string(labels.size()) + " tasks of " + std::to_string(classes) +
                        " classes");
  }
  NextTasks result;
  for (size_t task = 0; task < labels.size(); ++task) {
    const auto posterior = posteriors.subspan(task * classes, classes);
    const TaskState state = task_state(posterior, labels[task], rule);
    result.done += state == TaskState::kDone;
    result.undecided += state == TaskState::kUndecided;
    if (state != TaskState::kAsk) continue;
    const LabelGain gain = label_gain(posterior, worker_accuracy);
    result.ask.push_back(
        {static_cast<uint32_t>(task), gain.information, gain.accuracy, largest(posterior)});
  }
  const size_t kept = std::min(most, result.ask.size());
  std::partial_sort(result.ask.begin(), result.ask.begin() + static_cast<std::ptrdiff_t>(kept),
                    result.ask.end(), [](const NextTask& a, const NextTask& b) {
                      return a.information != b.information ? a.information > b.information
                                                            : a.task < b.task;
                    });
  result.ask.resize(kept);
  return result;
}

std::vector<NextPair> next_pairs(std::span<const double> strengths,
                                 std::span<const double> covariance, size_t most) {
  const size_t n = strengths.size();
  if (covariance.size() != n * n) {
    throw invalid_input("next pairs: the covariance of " + std::to_string(n) + " strengths has " +
                        std::to_string(covariance.size()) + " numbers");
  }
  const auto before = [](const NextPair& a, const NextPair& b) {
    if (a.information != b.information) return a.information > b.information;
    return a.first != b.first ? a.first < b.first : a.second < b.second;
  };
  std::vector<NextPair> pairs;
  for (uint32_t i = 0; i < n && most > 0; ++i) {
    for (uint32_t j = i + 1; j < n; ++j) {
      NextPair pair{i, j, 0.0, 0.0, 0.0};
      pair.variance = std::max(
          0.0, covariance[i * n + i] + covariance[j * n + j] - 2.0 * covariance[i * n + j]);
      pair.probability = math::sigmoid(strengths[i] - strengths[j]);
      pair.information =
          0.5 * bits(math::log1p(pair.probability * (1.0 - pair.probability) * pair.variance));
      if (!std::isfinite(pair.information)) {
        throw invalid_input("next pairs: a strength or a covariance is not finite");
      }
      pairs.push_back(pair);
    }
    if (pairs.size() > 2 * most + 65536) {
      std::nth_element(pairs.begin(), pairs.begin() + static_cast<std::ptrdiff_t>(most),
                       pairs.end(), before);
      pairs.resize(most);
    }
  }
  std::sort(pairs.begin(), pairs.end(), before);
  if (pairs.size() > most) pairs.resize(most);
  return pairs;
}

}  // namespace hone::quality
