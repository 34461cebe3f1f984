#pragma once
// Rao and Kupper's model of ties (J. Am. Stat. Assoc. 62, 1967): a difference below the threshold
// tie = log theta > 0 is not noticed. P(a) = s(d - tie), P(b) = s(-d - tie), s the logistic
// function; P(tie) = (theta^2 - 1) P(a) P(b). Concave in (d, tie) for tie > 0.

#include "quality/bradley_terry.h"

namespace hone::quality {

// tie > 0.
inline PairTerms rao_kupper_terms(double d, double tie, const PairOutcomes& n) {
  const double pa = math::sigmoid(d - tie), pb = math::sigmoid(-d - tie);
  const double shrink = math::exp(-2.0 * tie);  // theta^-2
  const double rest = 1.0 - shrink;
  const double a = n.a + n.tie, b = n.b + n.tie;
  PairTerms terms;
  terms.log_likelihood = a * math::log_sigmoid(d - tie) + b * math::log_sigmoid(-d - tie);
  terms.by_d = a * (1.0 - pa) - b * (1.0 - pb);
  terms.by_tie = -(a * (1.0 - pa) + b * (1.0 - pb));
  const double curve_a = a * (pa * (1.0 - pa)), curve_b = b * (pb * (1.0 - pb));
  terms.by_d_d = curve_a + curve_b;
  terms.by_d_tie = curve_b - curve_a;
  terms.by_tie_tie = curve_a + curve_b;
  if (n.tie > 0.0) {
    terms.log_likelihood += n.tie * (2.0 * tie + math::log1p(-shrink));  // log(theta^2 - 1)
    terms.by_tie += n.tie * (2.0 / rest);
    terms.by_tie_tie += n.tie * (4.0 * shrink / (rest * rest));
  }
  return terms;
}

}  // namespace hone::quality
