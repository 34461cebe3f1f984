#include "quality/rank_fit.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/thread_pool.h"
#include "quality/davidson.h"
#include "quality/linear_algebra.h"
#include "quality/rao_kupper.h"

namespace hone::quality {
namespace {

constexpr size_t kBlock = 2048;       // rows a task
constexpr size_t kBlocksAtOnce = 16;  // the workspace: 1.5 MB whatever the number of rows
constexpr double kRunaway = 25.0;     // e^25: no data of ours can tell such odds
constexpr double kSmallestTheta = 1e-8;

double tie_start(TieModel model, const RankRows& rows) {
  const double ties = rows.tie_total(), decided = rows.decided_total();
  const double share = std::clamp(ties / (ties + decided), 0.01, 0.99);
  // Both models at equal strengths.
  const double nu = 2.0 * share / (1.0 - share);
  if (model == TieModel::kDavidson) return math::log(nu);
  return math::log((1.0 + share) / (1.0 - share));
}

}  // namespace

ComparisonModel::ComparisonModel(const ModelSpec& spec, size_t things,
                                 std::span<const std::vector<double>> covariates)
    : spec_(spec), things_(things), covariates_(covariates) {
  gradient_.resize(size());
  hessian_.resize(size() * size());
  factor_.resize(size() * size());
  direction_.resize(spec_.extras());
}

void ComparisonModel::set_prior(double strengths, double extras) {
  prior_strengths_ = strengths;
  prior_extras_ = extras;
}

double ComparisonModel::predictor(uint32_t a, uint32_t b, size_t row,
                                  std::span<const double> parameters) const {
  double d = parameters[a] - parameters[b];
  if (spec_.left) d += parameters[left_index()];
  for (size_t c = 0; c < spec_.covariates.size(); ++c) {
    d += parameters[style_index() + c] * covariates_[spec_.covariates[c]][row];
  }
  return d;
}

PairTerms ComparisonModel::terms(double d, double tie, const PairOutcomes& outcomes) const {
  switch (spec_.tie) {
    case TieModel::kHalf: break;
    case TieModel::kDavidson: return davidson_terms(d, tie, outcomes);
    case TieModel::kRaoKupper: return rao_kupper_terms(d, tie, outcomes);
  }
  return bradley_terry_terms(d, tie, outcomes);
}

void ComparisonModel::evaluate_block(const RankRows& rows, std::span<const double> parameters,
                                     size_t from, size_t to, PairTerms* out) const {
  const std::span<const uint32_t> a = rows.a(), b = rows.b();
  const std::span<const double> wins_a = rows.wins_a(), wins_b = rows.wins_b(), ties = rows.ties();
  const double tie = spec_.tie_count() > 0 ? parameters[tie_index()] : 0.0;
  const auto each = [&](const auto& row_terms) {
    for (size_t r = from; r < to; ++r) {
      out[r - from] = row_terms(predictor(a[r], b[r], r, parameters), tie,
                                PairOutcomes{wins_a[r], wins_b[r], ties[r]});
    }
  };
  switch (spec_.tie) {
    case TieModel::kHalf: each(bradley_terry_terms); break;
    case TieModel::kDavidson: each(davidson_terms); break;
    case TieModel::kRaoKupper: each(rao_kupper_terms); break;
  }
}

void ComparisonModel::scatter(const RankRows& rows, size_t from, size_t to,
                              const PairTerms* terms) {
  const std::span<const uint32_t> as = rows.a(), bs = rows.b();
  const size_t m = size(), extras = spec_.extras(), ties = spec_.tie_count();
  const size_t style = ties + (spec_.left ? 1 : 0);
  double* h = hessian_.data();
  double* g = gradient_.data();
  if (spec_.left) direction_[ties] = 1.0;
  for (size_t r = from; r < to; ++r) {
    const PairTerms& t = terms[r - from];
    const size_t a = as[r], b = bs[r];
    log_likelihood_ += t.log_likelihood;
    g[a] += t.by_d;
    g[b] -= t.by_d;
    h[a * m + a] += t.by_d_d;
    h[b * m + b] += t.by_d_d;
    h[std::min(a, b) * m + std::max(a, b)] -= t.by_d_d;
    if (extras == 0) continue;
    for (size_t c = 0; c < spec_.covariates.size(); ++c) {
      direction_[style + c] = covariates_[spec_.covariates[c]][r];
    }
    if (ties > 0) {
      g[things_] += t.by_tie;
      h[a * m + things_] += t.by_d_tie;
      h[b * m + things_] -= t.by_d_tie;
      h[things_ * m + things_] += t.by_tie_tie;
    }
    for (size_t k = ties; k < extras; ++k) {
      const double x = direction_[k], curve = t.by_d_d * x;
      const size_t column = things_ + k;
      g[column] += t.by_d * x;
      h[a * m + column] += curve;
      h[b * m + column] -= curve;
      if (ties > 0) h[things_ * m + column] += t.by_d_tie * x;
      for (size_t l = k; l < extras; ++l) h[column * m + things_ + l] += curve * direction_[l];
    }
  }
}

double ComparisonModel::evaluate(const RankRows& rows, std::span<const double> parameters,
                                 ThreadPool* pool) {
  HONE_CHECK(parameters.size() == size() && rows.layout() == spec_.layout());
  std::fill(gradient_.begin(), gradient_.end(), 0.0);
  std::fill(hessian_.begin(), hessian_.end(), 0.0);
  log_likelihood_ = 0.0;
  const size_t count = rows.size(), stride = kBlock * kBlocksAtOnce;
  terms_.resize(std::min(count, stride));
  for (size_t first = 0; first < count; first += stride) {
    const size_t last = std::min(count, first + stride);
    const size_t blocks = (last - first + kBlock - 1) / kBlock;
    const auto block = [&](size_t task) {
      const size_t from = first + task * kBlock;
      evaluate_block(rows, parameters, from, std::min(last, from + kBlock),
                     terms_.data() + (from - first));
    };
    if (pool != nullptr && blocks > 1) {
      pool->run(blocks, [&](size_t task, size_t) { block(task); });
    } else {
      for (size_t task = 0; task < blocks; ++task) block(task);
    }
    scatter(rows, first, last, terms_.data());
  }
  const size_t m = size();
  for (size_t i = 0; i < m; ++i) {
    double precision = i < things_ ? prior_strengths_ : prior_extras_;
    if (i >= style_index()) precision += spec_.style_l2;
    gradient_[i] -= precision * parameters[i];
    hessian_[i * m + i] += precision;
  }
  return log_likelihood_;
}

double ComparisonModel::penalty(std::span<const double> parameters) const {
  double sum = 0.0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    double precision = i < things_ ? prior_strengths_ : prior_extras_;
    if (i >= style_index()) precision += spec_.style_l2;
    sum += 0.5 * precision * parameters[i] * parameters[i];
  }
  return sum;
}

size_t ComparisonModel::factor() {
  const size_t m = size();
  factor_ = hessian_;
  double trace = 0.0;
  for (size_t i = 0; i < things_; ++i) trace += hessian_[i * m + i];
  // Adding to the direction (1, ..., 1), which the likelihood does not see, changes nothing else.
  const double lift = trace / static_cast<double>(things_ * things_);
  for (size_t i = 0; i < things_; ++i) {
    for (size_t j = i; j < things_; ++j) factor_[i * m + j] += lift;
  }
  return cholesky(factor_, m);
}

namespace {

enum class NewtonEnd { kDone, kStrengthsSingular, kExtraSingular, kDiverged };

NewtonEnd newton(ComparisonModel& model, const RankRows& rows, size_t iterations_max,
                 double tolerance, ThreadPool* pool, ModelFit& fit) {
  const size_t m = model.size(), n = model.things();
  const bool theta = model.spec().tie == TieModel::kRaoKupper;
  std::vector<double> step(m), trial(m);
  bool at_parameters = true;  // the model was last evaluated there
  fit.converged = false;
  fit.log_likelihood = model.evaluate(rows, fit.parameters, pool);
  double objective = fit.log_likelihood - model.penalty(fit.parameters);
  for (fit.iterations = 0; fit.iterations < iterations_max && !fit.converged; ++fit.iterations) {
    const size_t failed = model.factor();
    if (failed < n) return NewtonEnd::kStrengthsSingular;
    if (failed != kPositiveDefinite) {
      fit.unidentified = failed;
      return NewtonEnd::kExtraSingular;
    }
    std::copy(model.gradient().begin(), model.gradient().end(), step.begin());
    cholesky_solve(model.factored(), m, step);
    double largest = 0.0;
    for (const double change : step) largest = std::max(largest, std::abs(change));
    double share = 1.0;
    at_parameters = false;
    for (size_t halvings = 0; halvings < 60; ++halvings, share *= 0.5) {
      for (size_t i = 0; i < m; ++i) trial[i] = fit.parameters[i] + share * step[i];
      if (theta && trial[model.tie_index()] < kSmallestTheta) continue;
      center_strengths(std::span(trial).first(n));
      const double log_likelihood = model.evaluate(rows, trial, pool);
      const double value = log_likelihood - model.penalty(trial);
      if (value >= objective - 1e-12 * (1.0 + std::abs(objective))) {
        fit.parameters = trial;
        fit.log_likelihood = log_likelihood;
        objective = value;
        at_parameters = true;
        break;
      }
    }
    fit.converged = largest < tolerance;
    if (!at_parameters) break;  // rounding leaves nothing to gain
    for (const double parameter : fit.parameters) {
      if (!(std::abs(parameter) < kRunaway)) return NewtonEnd::kDiverged;
    }
  }
  if (!at_parameters) model.evaluate(rows, fit.parameters, pool);
  const size_t failed = model.factor();
  if (failed < n) return NewtonEnd::kStrengthsSingular;
  if (failed != kPositiveDefinite) {
    fit.unidentified = failed;
    return NewtonEnd::kExtraSingular;
  }
  return NewtonEnd::kDone;
}

}  // namespace

ModelFit fit_model(ComparisonModel& model, const RankRows& rows, std::span<const double> start,
                   size_t iterations_max, double tolerance, ThreadPool* pool) {
  ModelFit fit;
  const auto begin_at = [&](std::span<const double> from) {
    fit.unidentified = kPositiveDefinite;
    if (from.size() == model.size()) {
      fit.parameters.assign(from.begin(), from.end());
      return;
    }
    fit.parameters.assign(model.size(), 0.0);
    if (model.spec().tie_count() > 0) {
      fit.parameters[model.tie_index()] = tie_start(model.spec().tie, rows);
    }
  };
  model.set_prior(rows.strongly_connected() ? 0.0 : kPriorPrecision, 0.0);
  begin_at(start);
  NewtonEnd end = newton(model, rows, iterations_max, tolerance, pool, fit);
  // Without the prior the strengths could not stay, or another parameter runs away with them.
  if (end == NewtonEnd::kStrengthsSingular || end == NewtonEnd::kDiverged) {
    model.set_prior(kPriorPrecision, kPriorPrecision);
    begin_at({});
    end = newton(model, rows, iterations_max, tolerance, pool, fit);
  }
  if (end != NewtonEnd::kDone) fit.converged = false;
  fit.prior = model.prior();
  fit.extras_prior = model.extras_prior();
  return fit;
}

}  // namespace hone::quality
