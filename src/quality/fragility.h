#pragma once
// How few comparisons decide the first place (Broderick, Giordano & Meager, "An automatic
// finite-sample robustness metric", 2020): each comparison's influence on the lead over a
// challenger is -c^T H^-1 (its score), so the comparisons to take out are those that hold up the
// lead most. Every answer is verified: the model is fitted again without them, and the count is the
// smallest prefix of that order after which another thing is first. A cleverer choice may need
// fewer still: the number is an upper bound that was reached.

#include <span>
#include <vector>

#include "quality/rank_data.h"
#include "quality/rank_errors.h"
#include "quality/rank_fit.h"

namespace hone::quality {

// model: factored at the fit of all comparisons. Looks at sets up to half of the comparisons.
Fragility find_fragility(const ComparisonModel& model, const ModelFit& fit, const RankData& data,
                         std::span<const std::vector<double>> covariates, const Scores& scores);

}  // namespace hone::quality
