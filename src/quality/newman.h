#pragma once
// Newman's iteration ("Efficient computation of rankings from pairwise comparisons", JMLR 24,
// 2023, section 4) for the Davidson model with nu = 2 v: no derivatives, each round over all pairs.
// For comparison with Newton's method, which reaches the same point in a few steps.

#include <cstddef>
#include <vector>

#include "quality/rank_data.h"

namespace hone::quality {

struct NewmanFit {
  std::vector<double> strengths;  // log pi, mean 0
  double nu = 0.0;
  size_t iterations = 0;
  bool converged = false;
};

// rows: folded. Stops when no strength moves by more than 1e-12 or after iterations_max. The graph
// must be strongly connected (RankRows::strongly_connected), or strengths would run away.
NewmanFit fit_newman(const RankRows& rows, size_t things, size_t iterations_max);

}  // namespace hone::quality
