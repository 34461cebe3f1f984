#pragma once
// Newton's method for every comparison model whose row depends on d = b_a - b_b + delta + gamma z
// and one tie parameter: Bradley-Terry, Davidson, Rao-Kupper, with or without the left-side effect
// and covariates. One home for parameters, likelihood, gradient and Hessian, so that fits,
// bootstrap rounds, sandwich and fragility cannot differ.
//
// Parameters: strengths (mean 0), then the tie parameter (log nu or log theta), the left-side
// effect, the covariates' coefficients, each if the model has it.
//
// Where the likelihood has no maximum the strengths get a normal prior (kPriorPrecision), and where
// the rest runs away too, so does the rest.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quality/bradley_terry.h"
#include "quality/rank_data.h"

namespace hone::quality {

enum class TieModel { kHalf, kDavidson, kRaoKupper };

// A strength's prior: mean 0, standard deviation 3, that is 521 points of score.
inline constexpr double kPriorPrecision = 1.0 / 9.0;

struct ModelSpec {
  TieModel tie = TieModel::kHalf;
  bool left = false;
  std::vector<uint32_t> covariates;  // which of the scaled covariates; empty = none
  double style_l2 = 0.0;

  RowLayout layout() const {
    return !covariates.empty() ? RowLayout::kSingle : left ? RowLayout::kSided : RowLayout::kFolded;
  }
  size_t tie_count() const { return tie == TieModel::kHalf ? 0 : 1; }
  size_t extras() const { return tie_count() + (left ? 1 : 0) + covariates.size(); }
  bool operator==(const ModelSpec&) const = default;
};

// A model on rows. Borrows all it is given; evaluate and solve use the workspace inside: one thread.
class ComparisonModel {
 public:
  // covariates[c][i]: scaled covariate c of comparison i.
  ComparisonModel(const ModelSpec& spec, size_t things,
                  std::span<const std::vector<double>> covariates);

  size_t size() const { return things_ + spec_.extras(); }
  size_t things() const { return things_; }
  const ModelSpec& spec() const { return spec_; }
  size_t tie_index() const { return things_; }
  size_t left_index() const { return things_ + spec_.tie_count(); }
  size_t style_index() const { return left_index() + (spec_.left ? 1 : 0); }

  // The precision of the normal priors, on strengths and on the other parameters.
  void set_prior(double strengths, double extras);
  double prior() const { return prior_strengths_; }
  double extras_prior() const { return prior_extras_; }

  // Log-likelihood at the parameters; then gradient() and hessian() (upper triangle of minus the
  // second derivatives) are of the penalised log-likelihood.
  double evaluate(const RankRows& rows, std::span<const double> parameters,
                  ThreadPool* pool = nullptr);
  double penalty(std::span<const double> parameters) const;
  std::span<const double> gradient() const { return gradient_; }
  std::span<const double> hessian() const { return hessian_; }

  // Makes the Hessian invertible along "all strengths up" and factors it; kPositiveDefinite or
  // the parameter at which it failed.
  size_t factor();
  std::span<const double> factored() const { return factor_; }

  // d of one row, and its derivatives for the given outcomes.
  double predictor(uint32_t a, uint32_t b, size_t row, std::span<const double> parameters) const;
  PairTerms terms(double d, double tie, const PairOutcomes& outcomes) const;

 private:
  void evaluate_block(const RankRows& rows, std::span<const double> parameters, size_t from,
                      size_t to, PairTerms* terms) const;
  void scatter(const RankRows& rows, size_t from, size_t to, const PairTerms* terms);

  ModelSpec spec_;
  size_t things_;
  std::span<const std::vector<double>> covariates_;
  double prior_strengths_ = 0.0, prior_extras_ = 0.0;
  std::vector<double> gradient_, hessian_, factor_;
  std::vector<PairTerms> terms_;
  std::vector<double> direction_;
  double log_likelihood_ = 0.0;
};

struct ModelFit {
  std::vector<double> parameters;
  double log_likelihood = 0.0;  // without the prior
  size_t iterations = 0;
  bool converged = false;
  double prior = 0.0;  // on the strengths
  double extras_prior = 0.0;
  // The parameter (>= things) that cannot be told from the others; kPositiveDefinite = none.
  size_t unidentified;
};

// From `start` (empty = zeros). Leaves model factored at the optimum. tolerance: of the largest
// change of a parameter in the last step.
ModelFit fit_model(ComparisonModel& model, const RankRows& rows, std::span<const double> start,
                   size_t iterations_max, double tolerance, ThreadPool* pool = nullptr);

}  // namespace hone::quality
