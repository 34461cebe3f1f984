#pragma once
// Many tests at once: which of them to believe.
//
// Adjusted p-values q: rejecting q <= alpha controls
//   benjamini_hochberg  the expected share of false discoveries, tests independent or positively
//                       dependent (Benjamini, Hochberg 1995)
//   benjamini_yekutieli the same under any dependence (2001)
//   holm                the chance of any false discovery, any dependence (1979)
// e_benjamini_hochberg takes e-values (mean at most 1 under the null) and controls the share of
// false discoveries under any dependence, also when each was looked at as often as one liked (Wang,
// Ramdas 2022); it returns the smallest alpha at which each is rejected, above 1 cut to 1.
//
// Pure; results in the order of the input; p outside [0, 1] and negative or NaN e: invalid_input.

#include <span>
#include <vector>

namespace hone::quality {

std::vector<double> benjamini_hochberg(std::span<const double> p);
std::vector<double> benjamini_yekutieli(std::span<const double> p);
std::vector<double> holm(std::span<const double> p);
std::vector<double> e_benjamini_hochberg(std::span<const double> e);

}  // namespace hone::quality
