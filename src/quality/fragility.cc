#include "quality/fragility.h"

#include <algorithm>
#include <numeric>

#include "quality/linear_algebra.h"

namespace hone::quality {
namespace {

// Comparisons that hold up the lead, the strongest first. Equal ones (same pair, same outcome, same
// weight) are one unit.
struct Unit {
  double effect;
  uint32_t first, count;
};

struct Challenger {
  uint32_t thing;
  size_t predicted;  // comparisons, by influence alone
  std::vector<Unit> units;
};

class Search {
 public:
  Search(const ComparisonModel& model, const ModelFit& fit, const RankData& data,
         std::span<const std::vector<double>> covariates, const Scores& scores)
      : model_(model),
        fit_(fit),
        data_(data),
        covariates_(covariates),
        scores_(scores),
        refit_(model.spec(), data.things, covariates),
        all_(data, model.spec().layout()) {
    top_ = static_cast<uint32_t>(
        std::max_element(fit.parameters.begin(),
                         fit.parameters.begin() + static_cast<long>(data.things)) -
        fit.parameters.begin());
    result_.of = data.table.comparisons.size();
    limit_ = result_.of / 2;
  }

  Fragility run() {
    std::vector<Challenger> challengers;
    for (uint32_t thing = 0; thing < data_.things; ++thing) {
      if (thing == top_) continue;
      Challenger challenger = challenge(thing);
      // The influence of a set is less than what its removal does (weights shift as it goes), but
      // not by a factor of two near the first place.
      if (challengers.empty() || challenger.predicted <= 2 * least_predicted_ + 10) {
        least_predicted_ = std::min(least_predicted_, challenger.predicted);
        challengers.push_back(std::move(challenger));
      }
    }
    std::stable_sort(
        challengers.begin(), challengers.end(),
        [](const Challenger& x, const Challenger& y) { return x.predicted < y.predicted; });
    for (const Challenger& challenger : challengers) {
      if (challenger.predicted > 2 * least_predicted_ + 10) break;
      shrink(challenger);
    }
    return std::move(result_);
  }

 private:
  Challenger challenge(uint32_t thing) const {
    Challenger challenger{thing, ~size_t{0} / 4, {}};
    std::vector<double> contrast(model_.size(), 0.0);
    contrast[top_] = 1.0;
    contrast[thing] = -1.0;
    cholesky_solve(model_.factored(), model_.size(), contrast);
    const auto consider = [&](uint32_t first, uint32_t count) {
      const double effect = project_score(model_, scores_, data_, covariates_, contrast, first);
      if (effect > 0.0) challenger.units.push_back({effect, first, count});
    };
    if (data_.unit_weights && model_.spec().covariates.empty()) {
      for (size_t cell = 0; cell + 1 < data_.begin.size(); ++cell) {
        const uint32_t from = data_.begin[cell], to = data_.begin[cell + 1];
        if (from < to) consider(from, to - from);
      }
    } else {
      for (uint32_t i = 0; i < result_.of; ++i) consider(i, 1);
    }
    std::sort(challenger.units.begin(), challenger.units.end(), [](const Unit& x, const Unit& y) {
      return x.effect != y.effect ? x.effect > y.effect : x.first < y.first;
    });
    double left = fit_.parameters[top_] - fit_.parameters[thing];
    size_t taken = 0;
    for (const Unit& unit : challenger.units) {
      if (unit.effect * unit.count >= left) {
        const double needed = left / unit.effect;
        challenger.predicted = taken + 1 + static_cast<size_t>(std::max(needed, 0.0));
        break;
      }
      left -= unit.effect * unit.count;
      taken += unit.count;
    }
    return challenger;
  }

  std::vector<uint32_t> prefix(const Challenger& challenger, size_t count) const {
    std::vector<uint32_t> taken;
    for (const Unit& unit : challenger.units) {
      for (uint32_t k = 0; k < unit.count && taken.size() < count; ++k) {
        taken.push_back(unit.first + k);
      }
      if (taken.size() >= count) break;
    }
    return taken;
  }

  // Who is first without these comparisons, if it is somebody else.
  bool flips(const Challenger& challenger, size_t count, uint32_t& first) {
    RankRows rows = all_;
    const std::vector<uint32_t> taken = prefix(challenger, count);
    if (taken.size() < count) return false;
    rows.remove(taken);
    const ModelFit again = fit_model(refit_, rows, fit_.parameters, 100, 1e-9);
    const auto begin = again.parameters.begin();
    first = static_cast<uint32_t>(std::max_element(begin, begin + static_cast<long>(data_.things)) -
                                  begin);
    return again.parameters[first] > again.parameters[top_] + 1e-9;
  }

  // The smallest count in [1, limit_] that works, limit_ being one below the best so far.
  void shrink(const Challenger& challenger) {
    if (limit_ == 0) return;
    uint32_t first = 0;
    size_t fails = 0, works = std::min(challenger.predicted, limit_);
    size_t width = 2;
    while (!flips(challenger, works, first)) {
      if (works == limit_) return;
      fails = works;
      works = std::min(works + width, limit_);
      width *= 2;
    }
    width = 2;
    while (works > fails + 1) {
      // Close steps downwards first: the prediction is near.
      const size_t middle =
          fails == 0 && works > width ? works - width : fails + (works - fails) / 2;
      uint32_t who = 0;
      if (flips(challenger, middle, who)) {
        works = middle;
        first = who;
        width *= 2;
      } else {
        fails = middle;
      }
    }
    limit_ = works - 1;
    result_.found = true;
    result_.votes = works;
    result_.challenger = first;
    result_.removed = prefix(challenger, works);
    std::sort(result_.removed.begin(), result_.removed.end());
  }

  const ComparisonModel& model_;
  const ModelFit& fit_;
  const RankData& data_;
  std::span<const std::vector<double>> covariates_;
  const Scores& scores_;
  ComparisonModel refit_;
  RankRows all_;
  uint32_t top_ = 0;
  size_t limit_ = 0;
  size_t least_predicted_ = ~size_t{0} / 4;
  Fragility result_;
};

}  // namespace

Fragility find_fragility(const ComparisonModel& model, const ModelFit& fit, const RankData& data,
                         std::span<const std::vector<double>> covariates, const Scores& scores) {
  return Search(model, fit, data, covariates, scores).run();
}

}  // namespace hone::quality
