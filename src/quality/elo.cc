#include "quality/elo.h"

#include <cmath>

#include "base/check.h"
#include "quality/math.h"

namespace hone::quality {

std::vector<double> elo_ratings(const ComparisonTable& table, double k, bool backwards) {
  constexpr double kSteepness = 2.302585092994045684 / 400.0;  // ln 10 / 400
  std::vector<double> ratings(table.names.size(), 1000.0);
  const size_t count = table.order.size();
  for (size_t place = 0; place < count; ++place) {
    const Comparison& row = table.comparisons[table.order[backwards ? count - 1 - place : place]];
    const double expected = math::sigmoid((ratings[row.left] - ratings[row.right]) * kSteepness);
    const double seen = row.winner == Winner::kLeft    ? 1.0
                        : row.winner == Winner::kRight ? 0.0
                                                       : 0.5;
    const double change = k * row.weight * (seen - expected);
    ratings[row.left] += change;
    ratings[row.right] -= change;
  }
  return ratings;
}

double kendall_tau(std::span<const double> x, std::span<const double> y) {
  HONE_CHECK(x.size() == y.size());
  double agreeing = 0.0, pairs_x = 0.0, pairs_y = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const double dx = x[i] > x[j] ? 1.0 : x[i] < x[j] ? -1.0 : 0.0;
      const double dy = y[i] > y[j] ? 1.0 : y[i] < y[j] ? -1.0 : 0.0;
      agreeing += dx * dy;
      pairs_x += dx * dx;
      pairs_y += dy * dy;
    }
  }
  return pairs_x > 0.0 && pairs_y > 0.0 ? agreeing / std::sqrt(pairs_x * pairs_y) : 0.0;
}

}  // namespace hone::quality
