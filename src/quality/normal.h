#pragma once
// The normal distribution without libm, so that an interval in a report has the same bits on every
// machine: only IEEE operations and the square root.
//
// normal_cdf: Taylor series about 0 (Marsaglia, "Evaluating the normal distribution", J. Stat.
// Software 11, 2004) up to |x| = 3, Laplace's continued fraction beyond; relative error below
// 1e-13. normal_quantile: bisection of normal_cdf down to neighbouring doubles, p in (0, 1).
//
// Pure functions; may run on any thread. Outside its domain a function throws invalid_input.

namespace hone::quality {

double normal_pdf(double x);
double normal_cdf(double x);
double normal_quantile(double probability);

}  // namespace hone::quality
