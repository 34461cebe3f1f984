#pragma once
// Sandwich covariance H^-1 M H^-1 of a fitted comparison model (Huber 1967; clustered: Liang &
// Zeger 1986): H is minus the second derivative, M the sum over clusters of g g^T, g the sum of the
// scores of a cluster's comparisons. No small-sample factor.
//
// A prior that was needed counts as one more observation (its precision is added to M): what only
// the prior holds then keeps the prior's own spread instead of none.

#include <span>
#include <vector>

#include "quality/rank_data.h"
#include "quality/rank_fit.h"

namespace hone::quality {

// Per comparison, the derivative of its log-likelihood by d and (when the model has one) by the tie
// parameter; weights included.
struct Scores {
  std::vector<double> by_d;
  std::vector<double> by_tie;
};
Scores comparison_scores(const ComparisonModel& model, const RankData& data,
                         std::span<const double> parameters);

// The score of comparison i times a vector over all parameters.
double project_score(const ComparisonModel& model, const Scores& scores, const RankData& data,
                     std::span<const std::vector<double>> covariates,
                     std::span<const double> vector, size_t i);

// All parameters, full matrix; the model is factored at its optimum.
std::vector<double> sandwich_covariance(const ComparisonModel& model, const Scores& scores,
                                        const RankData& data,
                                        std::span<const std::vector<double>> covariates,
                                        const Clusters& clusters, ThreadPool* pool);

// One diagonal element of it, without the matrix: one solve and one pass over the comparisons.
double sandwich_variance(const ComparisonModel& model, const Scores& scores, const RankData& data,
                         std::span<const std::vector<double>> covariates, const Clusters& clusters,
                         size_t parameter);

}  // namespace hone::quality
