// Item analysis of exams and gold tasks (trust.h).

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "quality/trust.h"
#include "quality/trust_counts.h"

namespace hone::quality {
namespace {

struct Taker {
  uint32_t worker;
  uint32_t value;
  double right;
  double rest;  // share right on the other items
};

// Pearson's correlation of right and rest; false when either is constant.
bool correlate(std::span<const Taker> takers, double& correlation) {
  const double n = static_cast<double>(takers.size());
  double right = 0.0, rest = 0.0;
  for (const Taker& taker : takers) {
    right += taker.right / n;
    rest += taker.rest / n;
  }
  double xx = 0.0, yy = 0.0, xy = 0.0;
  for (const Taker& taker : takers) {
    xx += (taker.right - right) * (taker.right - right);
    yy += (taker.rest - rest) * (taker.rest - rest);
    xy += (taker.right - right) * (taker.rest - rest);
  }
  if (!(xx > 1e-12) || !(yy > 1e-12)) return false;
  correlation = std::clamp(xy / std::sqrt(xx * yy), -1.0, 1.0);
  return true;
}

}  // namespace

ItemAnalysis item_analysis(const LabelTable& table, std::span<const int64_t> key) {
  if (key.size() != table.task_count()) {
    throw invalid_input("item analysis: " + std::to_string(key.size()) + " keys for " +
                        std::to_string(table.task_count()) + " tasks");
  }
  struct Score {
    double answered = 0.0, right = 0.0;
  };
  std::vector<Score> scores(table.worker_count());
  size_t items = 0;
  for (const int64_t value : key) items += value >= 0;
  // A worker's first label on a task is the answer.
  const auto answers = [&](size_t task, const auto& use) {
    uint32_t last = 0xffffffffu;
    for (const Label& label : table.labels_of_task(task)) {
      if (label.worker == last) continue;
      last = label.worker;
      use(label, static_cast<int64_t>(label.value) == key[task] ? 1.0 : 0.0);
    }
  };
  for (size_t task = 0; task < key.size(); ++task) {
    if (key[task] < 0) continue;
    answers(task, [&](const Label& label, double right) {
      scores[label.worker].answered += 1.0;
      scores[label.worker].right += right;
    });
  }
  ItemAnalysis result;
  std::vector<Taker> takers;
  double variance_of_items = 0.0;
  for (size_t task = 0; task < key.size(); ++task) {
    if (key[task] < 0) continue;
    ItemRow row;
    row.task = static_cast<uint32_t>(task);
    row.key = static_cast<uint32_t>(key[task]);
    takers.clear();
    double right_complete = 0.0, complete = 0.0;
    std::vector<uint64_t> others(table.class_count(), 0);
    answers(task, [&](const Label& label, double right) {
      const Score& score = scores[label.worker];
      ++row.answers;
      row.right += right > 0.0;
      if (right == 0.0) ++others[label.value];
      if (score.answered >= 2.0) {
        takers.push_back(
            {label.worker, label.value, right, (score.right - right) / (score.answered - 1.0)});
      }
      if (score.answered == static_cast<double>(items)) {
        complete += 1.0;
        right_complete += right;
      }
    });
    if (complete > 0.0) {
      const double p = right_complete / complete;
      variance_of_items += p * (1.0 - p);
    }
    if (row.answers > 0) {
      row.difficulty = static_cast<double>(row.right) / static_cast<double>(row.answers);
    }
    row.rival =
        static_cast<uint32_t>(std::max_element(others.begin(), others.end()) - others.begin());
    row.defined = correlate(takers, row.discrimination);
    std::stable_sort(takers.begin(), takers.end(),
                     [](const Taker& a, const Taker& b) { return a.rest > b.rest; });
    const size_t group = (takers.size() * 27 + 99) / 100;
    if (group > 0 && 2 * group <= takers.size()) {
      double rival = 0.0, best = 0.0, worst = 0.0;
      const double size = static_cast<double>(group);
      for (size_t i = 0; i < group; ++i) {
        best += takers[i].right / size;
        worst += takers[takers.size() - 1 - i].right / size;
        rival += takers[i].right == 0.0 && takers[i].value == row.rival ? 1.0 / size : 0.0;
      }
      row.upper_lower = best - worst;
      row.key_share_upper = best;
      row.rival_share_upper = rival;
    }
    result.items.push_back(row);
  }
  double mean = 0.0, variance = 0.0, complete = 0.0;
  for (const Score& score : scores) {
    if (items == 0 || score.answered < static_cast<double>(items)) continue;
    complete += 1.0;
    mean += score.right;
  }
  result.complete_workers = static_cast<uint64_t>(complete);
  if (complete > 0.0) mean /= complete;
  for (const Score& score : scores) {
    if (items == 0 || score.answered < static_cast<double>(items)) continue;
    variance += (score.right - mean) * (score.right - mean) / complete;
  }
  if (items >= 2 && variance > 1e-12) {
    const double k = static_cast<double>(items);
    result.reliability = k / (k - 1.0) * (1.0 - variance_of_items / variance);
    result.reliability_defined = true;
  }
  if (items == 0) {
    result.warnings.push_back("No task has a key, so there is no exam to judge.");
  } else if (!result.reliability_defined) {
    result.warnings.push_back(
        "Too few workers answered every item, or all have the same score: "
        "the reliability of the whole exam has no value.");
  }
  return result;
}

}  // namespace hone::quality
