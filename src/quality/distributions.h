#pragma once
// Tails and quantiles of the distributions that tests of this room use, from the incomplete gamma
// and beta functions of math.h: the same bits on every machine.
//
// Pure functions; any thread. Outside its domain a function throws invalid_input.

namespace hone::quality {

// P(chi-square with `degrees` degrees of freedom >= value), degrees > 0; 1 for value <= 0.
double chi_square_upper(double value, double degrees);

// P(Student's t <= value), degrees > 0.
double student_cdf(double value, double degrees);

// The t with student_cdf(t) = probability, probability in (0, 1).
double student_quantile(double probability, double degrees);

}  // namespace hone::quality
