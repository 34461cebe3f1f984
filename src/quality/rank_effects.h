#pragma once
// The left-side effect and the style coefficients beside a ranking: each model is fitted with and
// without the term, whatever the ranking itself uses.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "quality/rank_data.h"
#include "quality/rank_errors.h"
#include "quality/rank_fit.h"
#include "quality/style.h"

namespace hone::quality {

struct FittedModel {
  std::unique_ptr<ComparisonModel> model;  // factored at the optimum
  ModelFit fit;
  bool left_dropped = false;  // asked for, but not identified
  std::vector<uint32_t> covariates_dropped;
};

// Fits, leaving out terms that cannot be told from the rest.
FittedModel fit_identified(ModelSpec spec, const RankData& data, const StyleCovariates& style,
                           size_t iterations_max, ThreadPool* pool);

struct EffectContext {
  const RankData& data;
  const StyleCovariates& style;
  const Clusters& clusters;
  double confidence;
  size_t iterations_max;
  ThreadPool* pool;
};

// How far an interval reaches, in standard errors: Student's quantile with clusters - 1 degrees of
// freedom, the normal one without clusters.
double interval_reach(const Clusters& clusters, double confidence);
double two_sided_p(double z, const Clusters& clusters);

// base: the model of the ranking.
Effect left_effect(const ModelSpec& base, const EffectContext& context);

struct StyleEffects {
  std::vector<Effect> effects;
  double likelihood_ratio = 0.0;
  double likelihood_ratio_p = 1.0;
};
// style_l2: the penalty of these fits.
StyleEffects style_effects(const ModelSpec& base, double style_l2, const EffectContext& context);

}  // namespace hone::quality
