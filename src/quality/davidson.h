#pragma once
// Davidson's model of ties (J. Am. Stat. Assoc. 65, 1970): P(a) : P(b) : P(tie) =
// e^(d/2) : e^(-d/2) : nu. tie = log nu. An exponential family, so concave in (d, tie).

#include "quality/bradley_terry.h"

namespace hone::quality {

inline PairTerms davidson_terms(double d, double tie, const PairOutcomes& n) {
  const double half = 0.5 * d;
  const double size = half < 0.0 ? -half : half;
  const double top = size < tie ? tie : size;
  const double a = math::exp(half - top), b = math::exp(-half - top), t = math::exp(tie - top);
  const double sum = (a + b) + t;
  const double pa = a / sum, pb = b / sum, pt = t / sum;
  const double total = (n.a + n.b) + n.tie;
  const double mean = 0.5 * (pa - pb);  // of the statistic that goes with d: 1/2, -1/2 or 0
  PairTerms terms;
  terms.log_likelihood = (half * (n.a - n.b) + tie * n.tie) - total * (top + math::log(sum));
  terms.by_d = 0.5 * (n.a - n.b) - total * mean;
  terms.by_tie = n.tie - total * pt;
  terms.by_d_d = total * (0.25 * (pa + pb) - mean * mean);
  terms.by_d_tie = -total * (mean * pt);
  terms.by_tie_tie = total * (pt * (pa + pb));
  return terms;
}

}  // namespace hone::quality
