#pragma once
// Elo ratings (Elo 1978): after each comparison, r += K (y - 1 / (1 + 10^((r_other - r) / 400))).
// The result depends on the order of the comparisons, so it is here for comparison only.

#include <cstdint>
#include <span>
#include <vector>

#include "quality/comparison_table.h"

namespace hone::quality {

// In the order of the rows of the input; start 1000, scale 400. A comparison's weight multiplies
// K. backwards: the last row first.
std::vector<double> elo_ratings(const ComparisonTable& table, double k, bool backwards = false);

// Kendall's tau-b of two score lists of equal length, 0 where one of them is constant. O(n^2).
double kendall_tau(std::span<const double> x, std::span<const double> y);

}  // namespace hone::quality
