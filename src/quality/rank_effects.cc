#include "quality/rank_effects.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "quality/distributions.h"
#include "quality/normal.h"

namespace hone::quality {
namespace {

constexpr double kTolerance = 1e-9;

Effect make_effect(std::string name, const FittedModel& fitted, size_t parameter,
                   double log_likelihood_without, const EffectContext& context) {
  Effect effect;
  effect.name = std::move(name);
  effect.value = fitted.fit.parameters[parameter];
  const Scores scores = comparison_scores(*fitted.model, context.data, fitted.fit.parameters);
  const double variance = sandwich_variance(*fitted.model, scores, context.data,
                                            context.style.columns, context.clusters, parameter);
  effect.standard_error = std::sqrt(variance);
  const double reach = interval_reach(context.clusters, context.confidence) * effect.standard_error;
  effect.interval = {effect.value - reach, effect.value + reach};
  if (variance > 0.0) {
    effect.wald_p = two_sided_p(effect.value / effect.standard_error, context.clusters);
  }
  effect.likelihood_ratio =
      std::max(0.0, 2.0 * (fitted.fit.log_likelihood - log_likelihood_without));
  effect.likelihood_ratio_p = chi_square_upper(effect.likelihood_ratio, 1.0);
  return effect;
}

Effect not_identified(std::string name) {
  Effect effect;
  effect.name = std::move(name);
  effect.identified = false;
  return effect;
}

}  // namespace

FittedModel fit_identified(ModelSpec spec, const RankData& data, const StyleCovariates& style,
                           size_t iterations_max, ThreadPool* pool) {
  FittedModel fitted;
  for (size_t c = spec.covariates.size(); c-- > 0;) {
    if (style.scales[spec.covariates[c]] > 0.0) continue;
    fitted.covariates_dropped.push_back(spec.covariates[c]);
    spec.covariates.erase(spec.covariates.begin() + static_cast<long>(c));
  }
  while (true) {
    const RankRows rows(data, spec.layout());
    fitted.model = std::make_unique<ComparisonModel>(spec, data.things, style.columns);
    fitted.fit = fit_model(*fitted.model, rows, {}, iterations_max, kTolerance, pool);
    const size_t lost = fitted.fit.unidentified;
    if (lost > fitted.model->size()) return fitted;
    if (spec.left && lost == fitted.model->left_index()) {
      spec.left = false;
      fitted.left_dropped = true;
    } else if (lost >= fitted.model->style_index()) {
      const size_t c = lost - fitted.model->style_index();
      fitted.covariates_dropped.push_back(spec.covariates[c]);
      spec.covariates.erase(spec.covariates.begin() + static_cast<long>(c));
    } else {
      // A tie parameter always has information of its own: rounding brought us here.
      spec.tie = TieModel::kHalf;
    }
  }
}

double interval_reach(const Clusters& clusters, double confidence) {
  const double probability = 0.5 + confidence / 2.0;
  if (clusters.by == ClusterBy::kNone) return normal_quantile(probability);
  return student_quantile(probability, static_cast<double>(clusters.count - 1));
}

double two_sided_p(double z, const Clusters& clusters) {
  const double size = std::abs(z);
  if (clusters.by == ClusterBy::kNone) return 2.0 * normal_cdf(-size);
  return 2.0 * student_cdf(-size, static_cast<double>(clusters.count - 1));
}

Effect left_effect(const ModelSpec& base, const EffectContext& context) {
  ModelSpec with = base, without = base;
  with.left = true;
  without.left = false;
  const FittedModel full =
      fit_identified(with, context.data, context.style, context.iterations_max, context.pool);
  if (full.left_dropped) return not_identified("left");
  const FittedModel plain =
      fit_identified(without, context.data, context.style, context.iterations_max, context.pool);
  return make_effect("left", full, full.model->left_index(), plain.fit.log_likelihood, context);
}

StyleEffects style_effects(const ModelSpec& base, double style_l2, const EffectContext& context) {
  StyleEffects result;
  const size_t count = context.style.scales.size();
  ModelSpec all = base, none = base;
  all.covariates.resize(count);
  std::iota(all.covariates.begin(), all.covariates.end(), 0u);
  all.style_l2 = style_l2;
  none.covariates.clear();
  const auto fit = [&](const ModelSpec& spec) {
    return fit_identified(spec, context.data, context.style, context.iterations_max, context.pool);
  };
  const FittedModel full = fit(all);
  const ModelSpec& kept = full.model->spec();
  const double none_log_likelihood = fit(none).fit.log_likelihood;
  for (uint32_t c = 0; c < count; ++c) {
    const std::string& name = context.data.table.covariate_names[c];
    const auto place = std::find(kept.covariates.begin(), kept.covariates.end(), c);
    if (place == kept.covariates.end()) {
      result.effects.push_back(not_identified(name));
      continue;
    }
    double without = none_log_likelihood;
    if (kept.covariates.size() > 1) {
      ModelSpec fewer = kept;
      std::erase(fewer.covariates, c);
      without = fit(fewer).fit.log_likelihood;
    }
    const size_t parameter =
        full.model->style_index() + static_cast<size_t>(place - kept.covariates.begin());
    result.effects.push_back(make_effect(name, full, parameter, without, context));
    result.effects.back().scale = context.style.scales[c];
  }
  if (!kept.covariates.empty()) {
    result.likelihood_ratio = std::max(0.0, 2.0 * (full.fit.log_likelihood - none_log_likelihood));
    result.likelihood_ratio_p =
        chi_square_upper(result.likelihood_ratio, static_cast<double>(kept.covariates.size()));
  }
  return result;
}

}  // namespace hone::quality
