#include "quality/newman.h"

#include <algorithm>
#include <cmath>

#include "quality/math.h"

namespace hone::quality {

NewmanFit fit_newman(const RankRows& rows, size_t things, size_t iterations_max) {
  constexpr double kTolerance = 1e-12;
  const std::span<const uint32_t> as = rows.a(), bs = rows.b();
  std::vector<double> pi(things, 1.0), root(things), up(things), down(things);
  NewmanFit fit;
  fit.strengths.assign(things, 0.0);
  double v = rows.tie_total() > 0.0 ? 0.5 : 0.0;
  while (fit.iterations < iterations_max && !fit.converged) {
    ++fit.iterations;
    std::fill(up.begin(), up.end(), 0.0);
    std::fill(down.begin(), down.end(), 0.0);
    for (size_t i = 0; i < things; ++i) root[i] = std::sqrt(pi[i]);
    double tie_sum = 0.0, win_sum = 0.0;
    for (size_t r = 0; r < rows.size(); ++r) {
      const size_t a = as[r], b = bs[r];
      const double tie = rows.ties()[r], mixed = root[a] * root[b];
      const double scale = 1.0 / ((pi[a] + pi[b]) + 2.0 * v * mixed);
      const double for_a = rows.wins_a()[r] + 0.5 * tie, for_b = rows.wins_b()[r] + 0.5 * tie;
      up[a] += for_a * ((pi[b] + v * mixed) * scale);
      down[a] += for_b * ((1.0 + v * root[b] / root[a]) * scale);
      up[b] += for_b * ((pi[a] + v * mixed) * scale);
      down[b] += for_a * ((1.0 + v * root[a] / root[b]) * scale);
      tie_sum += tie * ((pi[a] + pi[b]) * scale);
      win_sum += (rows.wins_a()[r] + rows.wins_b()[r]) * (mixed * scale);
    }
    if (v > 0.0 && win_sum > 0.0) v = tie_sum / (2.0 * win_sum);
    double mean = 0.0, largest = 0.0;
    for (size_t i = 0; i < things; ++i) {
      root[i] = math::log(up[i] / down[i]);
      mean += root[i] / static_cast<double>(things);
    }
    for (size_t i = 0; i < things; ++i) {
      const double strength = root[i] - mean;
      largest = std::max(largest, std::abs(strength - fit.strengths[i]));
      fit.strengths[i] = strength;
      pi[i] = math::exp(strength);
    }
    fit.converged = largest < kTolerance;
  }
  fit.nu = 2.0 * v;
  return fit;
}

}  // namespace hone::quality
