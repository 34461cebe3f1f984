#include "quality/trust.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"
#include "quality/bootstrap.h"
#include "quality/math.h"
#include "quality/multiple_testing.h"
#include "quality/trust_counts.h"

namespace hone::quality {
namespace {

// P(K >= k), K binomial(n, p).
double binomial_tail(uint64_t k, uint64_t n, double p) {
  if (k == 0) return 1.0;
  return math::incomplete_beta(static_cast<double>(k), static_cast<double>(n - k + 1), p);
}

template <typename Row>
void adjust(std::vector<Row>& rows) {
  std::vector<double> p;
  for (const Row& row : rows) p.push_back(row.p);
  const std::vector<double> q = benjamini_hochberg(p);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].q = q[i];
}

double share(uint64_t part, uint64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

Interval wilson(uint64_t part, uint64_t whole) {
  return wilson_interval(static_cast<double>(part), static_cast<double>(whole));
}

void check_truth(const LabelTable& table, std::span<const int64_t> truth, const char* what) {
  if (truth.size() != table.task_count()) {
    throw invalid_input(std::string(what) + ": " + std::to_string(truth.size()) + " answers for " +
                        std::to_string(table.task_count()) + " tasks");
  }
}

}  // namespace

PositionBias position_bias(const ComparisonTable& table, uint64_t min_decided) {
  PositionBias result;
  struct Sides {
    uint64_t left = 0, right = 0;
  };
  std::vector<Sides> sides(table.workers.size());
  uint64_t without_worker = 0;
  for (const Comparison& vote : table.comparisons) {
    without_worker += vote.worker == kNobody;
    switch (vote.winner) {
      case Winner::kLeft:
        ++result.left;
        if (vote.worker != kNobody) ++sides[vote.worker].left;
        break;
      case Winner::kRight:
        ++result.right;
        if (vote.worker != kNobody) ++sides[vote.worker].right;
        break;
      case Winner::kTie: ++result.tie; break;
      case Winner::kBothBad: ++result.both_bad; break;
    }
  }
  const double decided = static_cast<double>(result.left + result.right);
  const double lead = static_cast<double>(result.left) - static_cast<double>(result.right);
  result.left_share = decided > 0.0 ? static_cast<double>(result.left) / decided : 0.5;
  result.z = decided > 0.0 ? lead / std::sqrt(decided) : 0.0;
  result.p = mcnemar(result.left, result.right).p;
  for (uint32_t worker = 0; worker < sides.size(); ++worker) {
    const auto [left, right] = sides[worker];
    if (left + right < std::max<uint64_t>(min_decided, 1)) continue;
    result.workers.push_back({worker, left, right, share(left, left + right),
                              wilson(left, left + right), mcnemar(left, right).p, 1.0});
  }
  adjust(result.workers);
  if (decided == 0.0) {
    result.warnings.push_back("No vote is for one side, so nothing can be said about sides.");
  } else if (result.workers.empty()) {
    result.warnings.push_back("No worker has " + std::to_string(min_decided) +
                              " decided votes or more: only the sum over all was tested.");
  }
  if (without_worker > 0) {
    result.warnings.push_back(std::to_string(without_worker) +
                              " votes have no worker and count in the sum only.");
  }
  return result;
}

GoldEvidence gold_evidence(std::span<const GoldAnswer> answers, const SprtOptions& options) {
  struct State {
    Sprt sprt;
    BettingTest betting;
  };
  const Sprt fresh(options);
  std::map<uint32_t, State> states;
  for (const GoldAnswer& answer : answers) {
    State& state =
        states.try_emplace(answer.worker, State{fresh, BettingTest(options.good)}).first->second;
    state.sprt.add(answer.right);
    state.betting.add(answer.right ? 1.0 : 0.0);
  }
  GoldEvidence result{fresh.accuse_at(), fresh.clear_at(), {}};
  for (const auto& [worker, state] : states) {
    GoldRow row;
    row.worker = worker;
    row.right = state.sprt.right();
    row.wrong = state.sprt.wrong();
    row.accuracy = wilson(row.right, row.right + row.wrong);
    row.decision = state.sprt.decision();
    row.log_ratio = state.sprt.log_ratio();
    row.decided_after = state.sprt.decided_after();
    row.e_value = state.betting.wealth();
    row.anytime_p = state.betting.anytime_p();
    result.workers.push_back(row);
  }
  return result;
}

GoldEvidence gold_evidence(const LabelTable& table, std::span<const int64_t> truth,
                           const SprtOptions& options) {
  check_truth(table, truth, "gold tasks");
  std::vector<GoldAnswer> answers;
  for (const Label& label : table.labels()) {
    if (truth[label.task] < 0) continue;
    answers.push_back({label.worker, static_cast<int64_t>(label.value) == truth[label.task]});
  }
  return gold_evidence(answers, options);
}

std::vector<TimeRow> time_evidence(std::span<const Answer> answers, double floor,
                                   uint64_t min_timed) {
  if (!(floor > 0.0) || !std::isfinite(floor)) {
    throw invalid_input("time on task: the floor must be a positive number of seconds");
  }
  std::map<uint32_t, std::vector<double>> times;
  uint64_t timed = 0, below = 0;
  for (const Answer& answer : answers) {
    if (!(answer.seconds >= 0.0) || !std::isfinite(answer.seconds)) continue;
    times[answer.worker].push_back(answer.seconds);
    ++timed;
    below += answer.seconds < floor;
  }
  std::vector<TimeRow> rows;
  for (auto& [worker, own] : times) {
    if (own.size() < std::max<uint64_t>(min_timed, 1)) continue;
    std::sort(own.begin(), own.end());
    TimeRow row;
    row.worker = worker;
    row.timed = own.size();
    row.below =
        static_cast<uint64_t>(std::lower_bound(own.begin(), own.end(), floor) - own.begin());
    row.share = share(row.below, row.timed);
    row.crowd_share = share(below - row.below, timed - row.timed);
    row.median = sorted_quantile(own, 0.5);
    row.fifth_percentile = sorted_quantile(own, 0.05);
    // One more answer below among the others: a crowd that never was below proves little.
    row.p =
        binomial_tail(row.below, row.timed, share(below - row.below + 1, timed - row.timed + 1));
    rows.push_back(row);
  }
  adjust(rows);
  return rows;
}

std::vector<LeaveOneOutRow> leave_one_out_agreement(const LabelTable& table, uint64_t min_labels) {
  const TaskCounts counts(table);
  std::vector<LeaveOneOutRow> rows;
  for (uint32_t worker = 0; worker < table.worker_count(); ++worker) {
    const auto own = table.labels_of_worker(worker);
    if (own.size() < std::max<uint64_t>(min_labels, 1)) continue;
    LeaveOneOutRow row;
    row.worker = worker;
    row.labels = own.size();
    for (const uint32_t index : own) {
      const Label& label = table.labels()[index];
      const int64_t others = majority_without(table, counts, label.task, worker);
      if (others < 0) continue;
      ++row.compared;
      row.agreed += others == static_cast<int64_t>(label.value);
    }
    row.agreement = share(row.agreed, row.compared);
    row.interval = wilson(row.agreed, row.compared);
    rows.push_back(row);
  }
  return rows;
}

}  // namespace hone::quality
