#pragma once
// Bradley-Terry: P(a beats b) = 1 / (1 + e^-d), d = b_a - b_b. A tie is half a win for each side, so
// with ties the log-likelihood is a quasi-likelihood.
//
// One home for what every comparison model says of a row: the log-likelihood and its derivatives in
// the linear predictor d and in a tie parameter, for weighted sums of outcomes between one ordered
// pair. All models here are concave in (d, tie), so Newton's method finds the one optimum.

#include "quality/math.h"

namespace hone::quality {

struct PairOutcomes {
  double a = 0.0, b = 0.0, tie = 0.0;  // sums of weights
};

struct PairTerms {
  double log_likelihood = 0.0;
  double by_d = 0.0, by_tie = 0.0;                        // first derivatives
  double by_d_d = 0.0, by_d_tie = 0.0, by_tie_tie = 0.0;  // minus the second derivatives
};

inline PairTerms bradley_terry_terms(double d, double /*tie*/, const PairOutcomes& n) {
  const double size = d < 0.0 ? -d : d;
  const double e = math::exp(-size);
  const double far = e / (1.0 + e), near = 1.0 / (1.0 + e);
  const double p = d < 0.0 ? far : near;
  const double total = (n.a + n.b) + n.tie;
  const double wins = n.a + 0.5 * n.tie, losses = n.b + 0.5 * n.tie;
  const double log_near = -math::log1p(e);  // log sigmoid(|d|)
  PairTerms terms;
  terms.log_likelihood = total * log_near - size * (d < 0.0 ? wins : losses);
  terms.by_d = wins * (1.0 - p) - losses * p;
  terms.by_d_d = total * (far * near);
  return terms;
}

}  // namespace hone::quality
