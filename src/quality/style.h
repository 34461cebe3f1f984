#pragma once
// Style control: covariates of a comparison (left minus right: length, headers, lists, bold) enter
// the linear predictor, so that strengths are those of equal style (Li, Angelopoulos & Chiang,
// "Does style matter?", 2024; length: Dubois et al. 2024).
//
// A covariate is divided by its standard deviation over the comparisons (weighted), and not
// centred: a difference of zero is no style effect, and exchanging left and right only changes the
// sign. What has no spread cannot be fitted.

#include <vector>

#include "quality/comparison_table.h"

namespace hone::quality {

struct StyleCovariates {
  std::vector<double> scales;                // standard deviations; 0 = no spread
  std::vector<std::vector<double>> columns;  // divided by their scale; empty where that is 0
};
StyleCovariates scale_covariates(const ComparisonTable& table);

}  // namespace hone::quality
