#pragma once
// The rows that the comparison models are fitted on, and how comparisons hang together.
//
// A model without covariates sees a comparison only through who met whom on which side and how it
// ended, so comparisons are summed: per pair when sides do not matter (folded), per (left, right)
// when they do (sided), one row per comparison when there are covariates (single). The table's
// canonical order keeps every sum a contiguous range, so no hash and no scatter is needed, and a
// bootstrap round or a removal only sums again.
//
// RankData borrows the table. RankRows borrows RankData; copies own their sums, so threads can
// weigh their own copies.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quality/comparison_table.h"
#include "quality/rank.h"

namespace hone::quality {

struct Clusters {
  ClusterBy by = ClusterBy::kNone;  // never kAuto
  size_t count = 0;
  std::vector<uint32_t> of;       // cluster of each comparison
  std::vector<uint32_t> begin;    // count + 1
  std::vector<uint32_t> members;  // comparisons by cluster, ascending
};

// Resolves kAuto and falls back to none (with a warning) where there are fewer than 2 clusters.
Clusters make_clusters(const ComparisonTable& table, ClusterBy by,
                       std::vector<std::string>& warnings);

enum class RowLayout { kFolded, kSided, kSingle };

struct RankData {
  // Throws invalid_input on a table that ComparisonTableBuilder did not make (order, indices).
  explicit RankData(const ComparisonTable& comparisons);

  const ComparisonTable& table;
  size_t things = 0;
  std::vector<uint32_t> left, right;  // distinct (left, right), ascending
  // Comparisons of pair p with outcome o (0 left, 1 right, 2 tie or both bad):
  // [begin[3 p + o], begin[3 p + o + 1]).
  std::vector<uint32_t> begin;
  // Folded: low < high and, per (left, right), its place there.
  std::vector<uint32_t> low, high, fold;
  bool unit_weights = true;
};

class RankRows {
 public:
  // Weighed with every comparison's own weight.
  RankRows(const RankData& data, RowLayout layout);

  size_t size() const { return a().size(); }
  RowLayout layout() const { return layout_; }
  std::span<const uint32_t> a() const;
  std::span<const uint32_t> b() const;
  std::span<const double> wins_a() const { return wins_a_; }
  std::span<const double> wins_b() const { return wins_b_; }
  std::span<const double> ties() const { return ties_; }
  double tie_total() const;
  double decided_total() const;

  // Comparison i counts `times[cluster_of[i]]` times.
  void weigh(std::span<const uint32_t> times, std::span<const uint32_t> cluster_of);
  // Takes comparisons out again.
  void remove(std::span<const uint32_t> comparisons);

  // Every thing can be reached from every other over "did not lose to": the condition (Ford 1957)
  // for the strengths to have a likelihood maximum.
  bool strongly_connected() const;

 private:
  void add(size_t pair, const double sums[3]);

  const RankData* data_;
  RowLayout layout_;
  std::vector<uint32_t> single_a_, single_b_;
  std::vector<double> wins_a_, wins_b_, ties_;
};

void center_strengths(std::span<double> strengths);  // mean 0

// Groups of things that met, directly or through others: the group of each thing, numbered by
// their first members.
std::vector<uint32_t> connected_components(const RankData& data, uint32_t& count);

}  // namespace hone::quality
