#include "quality/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "base/error.h"
#include "base/rng.h"
#include "quality/normal.h"

namespace hone::quality {
namespace {

struct Unit {  // an item, or all items of one cluster
  double sum = 0.0;
  double count = 0.0;
};

void check(std::span<const double> differences, const BootstrapOptions& options,
           std::span<const uint64_t> clusters) {
  if (options.rounds < 100 || options.rounds > 1000000) {
    throw invalid_input("bootstrap: rounds must lie between 100 and 1000000, got " +
                        std::to_string(options.rounds));
  }
  if (!(options.confidence > 0.0 && options.confidence < 1.0)) {
    throw invalid_input("bootstrap: the confidence must lie between 0 and 1");
  }
  if (!clusters.empty() && clusters.size() != differences.size()) {
    throw invalid_input("bootstrap: " + std::to_string(clusters.size()) + " cluster numbers for " +
                        std::to_string(differences.size()) + " differences");
  }
  for (const double difference : differences) {
    if (!std::isfinite(difference)) throw invalid_input("bootstrap: a difference is not finite");
  }
}

std::vector<Unit> make_units(std::span<const double> differences,
                             std::span<const uint64_t> clusters) {
  std::vector<Unit> units;
  std::map<uint64_t, size_t> place;  // clusters in order of first appearance
  for (size_t i = 0; i < differences.size(); ++i) {
    size_t unit = i;
    if (!clusters.empty()) unit = place.emplace(clusters[i], place.size()).first->second;
    if (unit == units.size()) units.emplace_back();
    units[unit].sum += differences[i];
    units[unit].count += 1.0;
  }
  return units;
}

double one_round(const std::vector<Unit>& units, Rng rng) {
  double sum = 0.0, count = 0.0;
  for (size_t i = 0; i < units.size(); ++i) {
    const Unit& unit = units[rng.below(units.size())];
    sum += unit.sum;
    count += unit.count;
  }
  return sum / count;
}

// Efron's acceleration from the leave-one-out means.
double acceleration(const std::vector<Unit>& units, const Unit& total) {
  double center = 0.0;
  const auto without = [&](const Unit& unit) {
    return (total.sum - unit.sum) / (total.count - unit.count);
  };
  for (const Unit& unit : units) center += without(unit) / static_cast<double>(units.size());
  double squares = 0.0, cubes = 0.0;
  for (const Unit& unit : units) {
    const double distance = center - without(unit);
    squares += distance * distance;
    cubes += distance * distance * distance;
  }
  return squares > 0.0 ? cubes / (6.0 * squares * std::sqrt(squares)) : 0.0;
}

Interval bca_interval(const std::vector<double>& sorted, double mean, double skew,
                      double confidence) {
  const auto first_not_below = std::lower_bound(sorted.begin(), sorted.end(), mean);
  const auto first_above = std::upper_bound(first_not_below, sorted.end(), mean);
  const double n = static_cast<double>(sorted.size());
  // Rounds that hit the mean itself count half; at the rim the share is moved inside by half a
  // round.
  const double share = (static_cast<double>(first_not_below - sorted.begin()) +
                        0.5 * static_cast<double>(first_above - first_not_below)) /
                       n;
  const double bias = normal_quantile(std::clamp(share, 0.5 / n, 1.0 - 0.5 / n));
  const auto bound = [&](double probability) {
    const double z = bias + normal_quantile(probability);
    const double moved = normal_cdf(bias + z / (1.0 - skew * z));
    return sorted_quantile(sorted, std::clamp(moved, 0.0, 1.0));
  };
  const double rim = (1.0 - confidence) / 2.0;
  return {bound(rim), bound(1.0 - rim)};
}

}  // namespace

double sorted_quantile(std::span<const double> sorted, double probability) {
  if (sorted.empty() || !(probability >= 0.0 && probability <= 1.0)) {
    throw invalid_input("quantile: needs values and a probability from 0 to 1");
  }
  const double position = probability * static_cast<double>(sorted.size() - 1);
  const double below = std::floor(position);
  const size_t index = static_cast<size_t>(below);
  if (index + 1 >= sorted.size()) return sorted.back();
  return sorted[index] + (position - below) * (sorted[index + 1] - sorted[index]);
}

BootstrapResult bootstrap_mean(std::span<const double> differences, const BootstrapOptions& options,
                               std::span<const uint64_t> clusters) {
  check(differences, options, clusters);
  const std::vector<Unit> units = make_units(differences, clusters);
  if (units.size() < 2) {
    throw invalid_input("bootstrap: needs at least 2 items (or clusters), got " +
                        std::to_string(units.size()));
  }
  Unit total;
  for (const Unit& unit : units) {
    total.sum += unit.sum;
    total.count += unit.count;
  }

  BootstrapResult result;
  result.mean = total.sum / total.count;
  std::vector<double> means(options.rounds);
  for (size_t round = 0; round < options.rounds; ++round) {
    means[round] = one_round(units, Rng(options.seed, rng_stream("bootstrap", round)));
  }
  double center = 0.0, squares = 0.0;
  for (const double mean : means) center += mean / static_cast<double>(means.size());
  for (const double mean : means) squares += (mean - center) * (mean - center);
  result.standard_error = std::sqrt(squares / static_cast<double>(means.size() - 1));

  std::sort(means.begin(), means.end());
  const double rim = (1.0 - options.confidence) / 2.0;
  result.percentile = {sorted_quantile(means, rim), sorted_quantile(means, 1.0 - rim)};
  result.bca = bca_interval(means, result.mean, acceleration(units, total), options.confidence);
  return result;
}

}  // namespace hone::quality
