#include "quality/rank_data.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace hone::quality {
namespace {

size_t outcome_of(Winner winner) {
  return winner == Winner::kLeft ? 0 : winner == Winner::kRight ? 1 : 2;
}

constexpr size_t kClustersEnough = 30;

}  // namespace

Clusters make_clusters(const ComparisonTable& table, ClusterBy by,
                       std::vector<std::string>& warnings) {
  const size_t count = table.comparisons.size();
  if (by == ClusterBy::kAuto) {
    by = table.workers.size() >= kClustersEnough ? ClusterBy::kWorker
         : table.tasks.size() >= kClustersEnough ? ClusterBy::kTask
                                                 : ClusterBy::kNone;
    if (by == ClusterBy::kNone && table.workers.size() + table.tasks.size() > 0) {
      warnings.push_back(
          "fewer than 30 workers and fewer than 30 tasks: the intervals take every "
          "comparison as independent and may be too narrow");
    }
  }
  Clusters clusters;
  clusters.of.resize(count);
  const auto own = [&](const Comparison& c) {
    return by == ClusterBy::kWorker ? c.worker : by == ClusterBy::kTask ? c.task : kNobody;
  };
  const size_t named = by == ClusterBy::kWorker ? table.workers.size()
                       : by == ClusterBy::kTask ? table.tasks.size()
                                                : 0;
  uint32_t next = static_cast<uint32_t>(named);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t cluster = own(table.comparisons[i]);
    clusters.of[i] = cluster == kNobody ? next++ : cluster;
  }
  clusters.count = next;
  clusters.by = by;
  if (by != ClusterBy::kNone && clusters.count < 2) {
    warnings.push_back(std::string("there is only one ") + std::string(cluster_by_name(by)) +
                       ": the intervals take every comparison as independent");
    return make_clusters(table, ClusterBy::kNone, warnings);
  }
  if (by != ClusterBy::kNone && clusters.count < kClustersEnough) {
    warnings.push_back("only " + std::to_string(clusters.count) + " " +
                       std::string(cluster_by_name(by)) +
                       " clusters: intervals from fewer than 30 are rough");
  }
  clusters.begin.assign(clusters.count + 1, 0);
  for (const uint32_t cluster : clusters.of) ++clusters.begin[cluster + 1];
  std::partial_sum(clusters.begin.begin(), clusters.begin.end(), clusters.begin.begin());
  clusters.members.resize(count);
  std::vector<uint32_t> place(clusters.begin.begin(), clusters.begin.end() - 1);
  for (uint32_t i = 0; i < count; ++i) clusters.members[place[clusters.of[i]]++] = i;
  return clusters;
}

RankData::RankData(const ComparisonTable& comparisons) : table(comparisons) {
  things = table.names.size();
  const std::vector<Comparison>& rows = table.comparisons;
  size_t previous = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Comparison& row = rows[i];
    if (row.left >= things || row.right >= things || row.left == row.right ||
        (row.worker != kNobody && row.worker >= table.workers.size()) ||
        (row.task != kNobody && row.task >= table.tasks.size())) {
      throw invalid_input("ranking: comparison " + std::to_string(i) +
                          " names nothing of the table; build it with ComparisonTableBuilder");
    }
    const size_t outcome = outcome_of(row.winner);
    if (left.empty() || left.back() != row.left || right.back() != row.right) {
      if (!left.empty() &&
          (row.left < left.back() || (row.left == left.back() && row.right < right.back()))) {
        throw invalid_input(
            "ranking: the comparisons are not in canonical order; build the table "
            "with ComparisonTableBuilder");
      }
      while (begin.size() < 3 * left.size()) begin.push_back(static_cast<uint32_t>(i));
      left.push_back(row.left);
      right.push_back(row.right);
      previous = 0;
    }
    if (outcome < previous) {
      throw invalid_input(
          "ranking: the comparisons are not in canonical order; build the table "
          "with ComparisonTableBuilder");
    }
    previous = outcome;
    while (begin.size() <= 3 * (left.size() - 1) + outcome) {
      begin.push_back(static_cast<uint32_t>(i));
    }
    unit_weights = unit_weights && row.weight == 1.0;
  }
  while (begin.size() <= 3 * left.size()) begin.push_back(static_cast<uint32_t>(rows.size()));

  std::vector<uint32_t> by_pair(left.size());
  std::iota(by_pair.begin(), by_pair.end(), 0u);
  const auto key = [&](uint32_t p) {
    return (uint64_t{std::min(left[p], right[p])} << 32) | std::max(left[p], right[p]);
  };
  std::sort(by_pair.begin(), by_pair.end(),
            [&](uint32_t p, uint32_t q) { return key(p) != key(q) ? key(p) < key(q) : p < q; });
  fold.resize(left.size());
  for (const uint32_t p : by_pair) {
    const uint32_t small = std::min(left[p], right[p]), large = std::max(left[p], right[p]);
    if (low.empty() || low.back() != small || high.back() != large) {
      low.push_back(small);
      high.push_back(large);
    }
    fold[p] = static_cast<uint32_t>(low.size() - 1);
  }
}

RankRows::RankRows(const RankData& data, RowLayout layout) : data_(&data), layout_(layout) {
  if (layout == RowLayout::kSingle) {
    for (const Comparison& row : data.table.comparisons) {
      single_a_.push_back(row.left);
      single_b_.push_back(row.right);
    }
  }
  const std::vector<uint32_t> once(1, 1);
  const std::vector<uint32_t> all(data.table.comparisons.size(), 0);
  weigh(once, all);
}

std::span<const uint32_t> RankRows::a() const {
  return layout_ == RowLayout::kFolded  ? std::span<const uint32_t>(data_->low)
         : layout_ == RowLayout::kSided ? std::span<const uint32_t>(data_->left)
                                        : std::span<const uint32_t>(single_a_);
}

std::span<const uint32_t> RankRows::b() const {
  return layout_ == RowLayout::kFolded  ? std::span<const uint32_t>(data_->high)
         : layout_ == RowLayout::kSided ? std::span<const uint32_t>(data_->right)
                                        : std::span<const uint32_t>(single_b_);
}

double RankRows::tie_total() const {
  double sum = 0.0;
  for (const double tie : ties_) sum += tie;
  return sum;
}

double RankRows::decided_total() const {
  double sum = 0.0;
  for (const double win : wins_a_) sum += win;
  for (const double win : wins_b_) sum += win;
  return sum;
}

void RankRows::add(size_t pair, const double sums[3]) {
  const bool folded = layout_ == RowLayout::kFolded;
  const size_t row = folded ? data_->fold[pair] : pair;
  const bool swapped = folded && data_->left[pair] > data_->right[pair];
  wins_a_[row] += sums[swapped ? 1 : 0];
  wins_b_[row] += sums[swapped ? 0 : 1];
  ties_[row] += sums[2];
}

void RankRows::weigh(std::span<const uint32_t> times, std::span<const uint32_t> cluster_of) {
  const std::vector<Comparison>& comparisons = data_->table.comparisons;
  wins_a_.assign(size(), 0.0);
  wins_b_.assign(size(), 0.0);
  ties_.assign(size(), 0.0);
  if (layout_ == RowLayout::kSingle) {
    for (size_t i = 0; i < comparisons.size(); ++i) {
      const double weight = comparisons[i].weight * times[cluster_of[i]];
      const size_t outcome = outcome_of(comparisons[i].winner);
      (outcome == 0 ? wins_a_ : outcome == 1 ? wins_b_ : ties_)[i] = weight;
    }
    return;
  }
  for (size_t pair = 0; pair < data_->left.size(); ++pair) {
    double sums[3];
    for (size_t outcome = 0; outcome < 3; ++outcome) {
      const uint32_t from = data_->begin[3 * pair + outcome];
      const uint32_t to = data_->begin[3 * pair + outcome + 1];
      if (data_->unit_weights) {
        uint64_t sum = 0;
        for (uint32_t i = from; i < to; ++i) sum += times[cluster_of[i]];
        sums[outcome] = static_cast<double>(sum);
      } else {
        double sum = 0.0;
        for (uint32_t i = from; i < to; ++i) sum += comparisons[i].weight * times[cluster_of[i]];
        sums[outcome] = sum;
      }
    }
    add(pair, sums);
  }
}

void RankRows::remove(std::span<const uint32_t> taken) {
  for (const uint32_t i : taken) {
    const Comparison& row = data_->table.comparisons[i];
    const size_t outcome = outcome_of(row.winner);
    if (layout_ == RowLayout::kSingle) {
      (outcome == 0 ? wins_a_ : outcome == 1 ? wins_b_ : ties_)[i] = 0.0;
      continue;
    }
    const auto after = std::upper_bound(data_->begin.begin(), data_->begin.end(), i);
    double sums[3] = {0.0, 0.0, 0.0};
    sums[outcome] = -row.weight;
    add(static_cast<size_t>(after - data_->begin.begin() - 1) / 3, sums);
  }
  for (std::vector<double>* sums : {&wins_a_, &wins_b_, &ties_}) {
    for (double& sum : *sums) sum = std::max(sum, 0.0);  // what rounding left of a weighted sum
  }
}

bool RankRows::strongly_connected() const {
  const size_t n = data_->things;
  const std::span<const uint32_t> from = a(), to = b();
  // Neighbours in both directions, each edge with whether it may be walked that way.
  std::vector<uint32_t> begin(n + 1, 0);
  for (size_t r = 0; r < from.size(); ++r) {
    ++begin[from[r] + 1];
    ++begin[to[r] + 1];
  }
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  struct Edge {
    uint32_t thing;
    bool beats, loses;
  };
  std::vector<Edge> edges(2 * from.size());
  std::vector<uint32_t> place(begin.begin(), begin.end() - 1);
  for (size_t r = 0; r < from.size(); ++r) {
    const bool a_scores = wins_a_[r] > 0.0 || ties_[r] > 0.0;
    const bool b_scores = wins_b_[r] > 0.0 || ties_[r] > 0.0;
    edges[place[from[r]]++] = {to[r], a_scores, b_scores};
    edges[place[to[r]]++] = {from[r], b_scores, a_scores};
  }
  for (const bool forward : {true, false}) {
    std::vector<bool> seen(n, false);
    std::vector<uint32_t> open{0};
    seen[0] = true;
    size_t reached = 1;
    while (!open.empty()) {
      const uint32_t thing = open.back();
      open.pop_back();
      for (uint32_t e = begin[thing]; e < begin[thing + 1]; ++e) {
        if (!(forward ? edges[e].beats : edges[e].loses) || seen[edges[e].thing]) continue;
        seen[edges[e].thing] = true;
        open.push_back(edges[e].thing);
        ++reached;
      }
    }
    if (reached != n) return false;
  }
  return true;
}

void center_strengths(std::span<double> strengths) {
  double sum = 0.0;
  for (const double strength : strengths) sum += strength;
  const double mean = sum / static_cast<double>(strengths.size());
  for (double& strength : strengths) strength -= mean;
}

std::vector<uint32_t> connected_components(const RankData& data, uint32_t& count) {
  std::vector<uint32_t> parent(data.things);
  std::iota(parent.begin(), parent.end(), 0u);
  const auto root = [&](uint32_t thing) {
    while (parent[thing] != thing) thing = parent[thing] = parent[parent[thing]];
    return thing;
  };
  for (size_t r = 0; r < data.low.size(); ++r) {
    const uint32_t x = root(data.low[r]), y = root(data.high[r]);
    parent[std::max(x, y)] = std::min(x, y);
  }
  std::vector<uint32_t> group(data.things);
  count = 0;
  for (uint32_t thing = 0; thing < data.things; ++thing) {
    const uint32_t first = root(thing);  // the smallest member
    group[thing] = first == thing ? count++ : group[first];
  }
  return group;
}

}  // namespace hone::quality
