#include "quality/multiple_testing.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "base/error.h"

namespace hone::quality {
namespace {

std::vector<size_t> ascending(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  return order;
}

void check(std::span<const double> p) {
  for (const double value : p) {
    if (!(value >= 0.0 && value <= 1.0)) {
      throw invalid_input("a p-value must lie between 0 and 1, got " + std::to_string(value));
    }
  }
}

std::vector<double> step_up(std::span<const double> p, double factor) {
  check(p);
  const auto order = ascending(p);
  const double n = static_cast<double>(p.size());
  std::vector<double> q(p.size());
  double least = 1.0;
  for (size_t rank = p.size(); rank-- > 0;) {
    least = std::min(least, factor * n * p[order[rank]] / static_cast<double>(rank + 1));
    q[order[rank]] = least;
  }
  return q;
}

}  // namespace

std::vector<double> benjamini_hochberg(std::span<const double> p) { return step_up(p, 1.0); }

std::vector<double> benjamini_yekutieli(std::span<const double> p) {
  double harmonic = 0.0;
  for (size_t i = 1; i <= p.size(); ++i) harmonic += 1.0 / static_cast<double>(i);
  return step_up(p, harmonic);
}

std::vector<double> holm(std::span<const double> p) {
  check(p);
  const auto order = ascending(p);
  std::vector<double> q(p.size());
  double largest = 0.0;
  for (size_t rank = 0; rank < p.size(); ++rank) {
    largest = std::max(largest, static_cast<double>(p.size() - rank) * p[order[rank]]);
    q[order[rank]] = std::min(1.0, largest);
  }
  return q;
}

std::vector<double> e_benjamini_hochberg(std::span<const double> e) {
  std::vector<double> p(e.size());
  for (size_t i = 0; i < e.size(); ++i) {
    if (!(e[i] >= 0.0)) {
      throw invalid_input("an e-value must be at least 0, got " + std::to_string(e[i]));
    }
    p[i] = e[i] > 1.0 ? 1.0 / e[i] : 1.0;
  }
  return step_up(p, 1.0);
}

}  // namespace hone::quality
