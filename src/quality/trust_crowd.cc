// Test supermartingales of each worker against the crowd (trust.h says what they guarantee).

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <tuple>

#include "base/error.h"
#include "quality/math.h"
#include "quality/multiple_testing.h"
#include "quality/trust.h"
#include "quality/trust_counts.h"

namespace hone::quality {
namespace {

constexpr std::array<double, 5> kStakes = {1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1.0};
constexpr double kMostLog = 690.0;

double capped_exp(double x) { return math::exp(std::min(x, kMostLog)); }

class CrowdProcess {
 public:
  CrowdProcess(uint32_t worker, size_t classes, double alpha) : own_(classes, 1.0), alpha_(alpha) {
    row_.worker = worker;
  }

  // The worker's label and how often each class is in the bag, own label included.
  void add(uint32_t value, std::span<const ClassCount> bag) {
    double labels = 0.0, own_mass = 0.0, count = 0.0;
    for (const ClassCount& entry : bag) {
      labels += entry.count;
      own_mass += own_[entry.label_class];
      if (entry.label_class == value) count = entry.count;
    }
    if (bag.size() > 1) {
      const double uniform = labels / (static_cast<double>(bag.size()) * count);
      const double habit = own_[value] / own_mass * labels / count;
      log_fixed_ += math::log(uniform);
      for (size_t i = 0; i < kStakes.size(); ++i) {
        log_wealth_[i] += math::log(1.0 - kStakes[i] + kStakes[i] * uniform);
        log_wealth_[kStakes.size() + i] += math::log(1.0 - kStakes[i] + kStakes[i] * habit);
      }
      ++row_.votes;
      row_.fixed = capped_exp(log_fixed_);
      row_.fixed_max = std::max(row_.fixed_max, row_.fixed);
      row_.betting = capped_exp(math::log_sum_exp(log_wealth_) -
                                math::log(static_cast<double>(log_wealth_.size())));
      row_.betting_max = std::max(row_.betting_max, row_.betting);
      if (row_.crossed_after == 0 && row_.betting >= 1.0 / alpha_) row_.crossed_after = row_.votes;
    }
    own_[value] += 1.0;
  }

  const CrowdRow& row() const { return row_; }

 private:
  CrowdRow row_;
  std::vector<double> own_;  // the worker's earlier answers, each class once more
  double alpha_;
  double log_fixed_ = 0.0;
  std::array<double, 2 * kStakes.size()> log_wealth_{};
};

void check(const CrowdOptions& options) {
  if (!(options.alpha > 0.0 && options.alpha < 1.0)) {
    throw invalid_input("evidence against the crowd: alpha must lie between 0 and 1");
  }
}

CrowdEvidence finish(std::vector<CrowdRow> rows, const CrowdOptions& options) {
  CrowdEvidence result;
  for (const CrowdRow& row : rows) {
    if (row.votes >= std::max<uint64_t>(options.min_votes, 1)) result.workers.push_back(row);
  }
  std::vector<double> e;
  for (const CrowdRow& row : result.workers) e.push_back(row.betting);
  const std::vector<double> q = e_benjamini_hochberg(e);
  for (size_t i = 0; i < q.size(); ++i) result.workers[i].q = q[i];
  if (result.workers.empty()) {
    result.warnings.push_back("No worker has " + std::to_string(options.min_votes) +
                              " labels on tasks where the answers differ: nothing to compare.");
  }
  return result;
}

uint32_t answer_of(const Comparison& vote) {
  switch (vote.winner) {
    case Winner::kLeft: return vote.left < vote.right ? 0 : 1;
    case Winner::kRight: return vote.left < vote.right ? 1 : 0;
    case Winner::kTie: return 2;
    case Winner::kBothBad: break;
  }
  return 3;
}

std::vector<uint32_t> time_order(const ComparisonTable& table) {
  if (table.order.size() == table.comparisons.size()) return table.order;
  std::vector<uint32_t> order(table.comparisons.size());
  std::iota(order.begin(), order.end(), 0u);
  return order;
}

}  // namespace

CrowdEvidence crowd_evidence(const LabelTable& table, const CrowdOptions& options,
                             std::span<const uint32_t> order) {
  check(options);
  const TaskCounts counts(table);
  std::vector<uint32_t> place(table.label_count());
  if (order.empty()) {
    std::iota(place.begin(), place.end(), 0u);
  } else {
    std::vector<uint8_t> seen(table.label_count(), 0);
    for (const uint32_t index : order) {
      if (index >= table.label_count() || seen[index]++ != 0) {
        throw invalid_input("evidence against the crowd: the order must name each label once");
      }
    }
    if (order.size() != table.label_count()) {
      throw invalid_input("evidence against the crowd: the order must name each label once");
    }
    for (uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  }
  std::vector<CrowdRow> rows;
  std::vector<uint32_t> own;
  for (uint32_t worker = 0; worker < table.worker_count(); ++worker) {
    const auto labels = table.labels_of_worker(worker);
    own.clear();
    for (const uint32_t index : labels) {  // the first label on a task; see OnConflict
      if (own.empty() || table.labels()[own.back()].task != table.labels()[index].task) {
        own.push_back(index);
      }
    }
    std::sort(own.begin(), own.end(), [&](uint32_t a, uint32_t b) { return place[a] < place[b]; });
    CrowdProcess process(worker, table.class_count(), options.alpha);
    for (const uint32_t index : own) {
      const Label& label = table.labels()[index];
      process.add(label.value, counts.of(label.task));
    }
    rows.push_back(process.row());
  }
  return finish(std::move(rows), options);
}

CrowdEvidence crowd_evidence(const ComparisonTable& table, const CrowdOptions& options) {
  check(options);
  // Votes by bag, then worker, then time; of each worker the first in a bag counts.
  struct Vote {
    uint32_t task, low, high, worker, time, answer;
    auto bag() const { return std::tie(task, low, high); }
  };
  std::vector<Vote> votes;
  const std::vector<uint32_t> order = time_order(table);
  for (uint32_t time = 0; time < order.size(); ++time) {
    const Comparison& vote = table.comparisons[order[time]];
    votes.push_back({vote.task, std::min(vote.left, vote.right), std::max(vote.left, vote.right),
                     vote.worker, time, answer_of(vote)});
  }
  std::sort(votes.begin(), votes.end(), [](const Vote& a, const Vote& b) {
    return std::tie(a.task, a.low, a.high, a.worker, a.time) <
           std::tie(b.task, b.low, b.high, b.worker, b.time);
  });
  struct Step {
    uint32_t worker, time, answer;
    size_t bag;
  };
  std::vector<Step> steps;
  std::vector<std::vector<ClassCount>> bags;
  for (size_t from = 0; from < votes.size();) {
    size_t to = from;
    std::array<uint32_t, 4> count{};
    for (; to < votes.size() && votes[to].bag() == votes[from].bag(); ++to) {
      const bool again =
          to > from && votes[to].worker == votes[to - 1].worker && votes[to].worker != kNobody;
      if (again) continue;
      ++count[votes[to].answer];
      if (votes[to].worker != kNobody) {
        steps.push_back({votes[to].worker, votes[to].time, votes[to].answer, bags.size()});
      }
    }
    bags.emplace_back();
    for (uint32_t answer = 0; answer < 4; ++answer) {
      if (count[answer] > 0) bags.back().push_back({answer, count[answer]});
    }
    from = to;
  }
  std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    return a.worker != b.worker ? a.worker < b.worker : a.time < b.time;
  });
  std::vector<CrowdRow> rows;
  for (size_t from = 0; from < steps.size();) {
    CrowdProcess process(steps[from].worker, 4, options.alpha);
    size_t to = from;
    for (; to < steps.size() && steps[to].worker == steps[from].worker; ++to) {
      process.add(steps[to].answer, bags[steps[to].bag]);
    }
    rows.push_back(process.row());
    from = to;
  }
  return finish(std::move(rows), options);
}

std::vector<FastchatRow> fastchat_evidence(const ComparisonTable& table, double alpha) {
  constexpr uint64_t kMostVotes = 100, kLeastVotes = 5;
  if (!(alpha > 0.0 && alpha < 1.0)) {
    throw invalid_input("FastChat's rule: alpha must lie between 0 and 1");
  }
  std::map<std::pair<uint32_t, uint32_t>, std::array<double, 2>> won;  // by first, by second
  for (const Comparison& vote : table.comparisons) {
    const uint32_t answer = answer_of(vote);
    if (answer > 1) continue;
    won[std::minmax(vote.left, vote.right)][answer] += 1.0;
  }
  struct State {
    FastchatRow row;
    uint64_t all = 0;
    double log_upper = 0.0, log_lower = 0.0;
  };
  std::vector<State> states(table.workers.size());
  for (const uint32_t index : time_order(table)) {
    const Comparison& vote = table.comparisons[index];
    if (vote.worker == kNobody) continue;
    State& state = states[vote.worker];
    ++state.all;
    const uint32_t answer = answer_of(vote);
    if (answer > 1 || state.row.flagged || state.row.votes == kMostVotes) continue;
    const auto& counts = won.at(std::minmax(vote.left, vote.right));
    const double p = counts[answer] / (counts[0] + counts[1]);
    ++state.row.votes;
    // The vote is the larger or the smaller of two values: one of the two shares is 1.
    state.log_upper -= math::log(2.0 * (answer == 0 ? 1.0 : p));
    state.log_lower -= math::log(2.0 * (answer == 0 ? p : 1.0));
    state.row.upper = capped_exp(state.log_upper);
    state.row.lower = capped_exp(state.log_lower);
    state.row.flagged = std::max(state.row.upper, state.row.lower) > 1.0 / alpha;
  }
  std::vector<FastchatRow> rows;
  for (uint32_t worker = 0; worker < states.size(); ++worker) {
    if (states[worker].all < kLeastVotes) continue;
    states[worker].row.worker = worker;
    rows.push_back(states[worker].row);
  }
  return rows;
}

}  // namespace hone::quality
