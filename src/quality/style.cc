#include "quality/style.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace hone::quality {

StyleCovariates scale_covariates(const ComparisonTable& table) {
  StyleCovariates style;
  const std::vector<Comparison>& rows = table.comparisons;
  if (table.covariates.size() != table.covariate_names.size()) {
    throw invalid_input("ranking: every covariate needs a name and a column");
  }
  for (size_t c = 0; c < table.covariates.size(); ++c) {
    const std::vector<double>& column = table.covariates[c];
    if (column.size() != rows.size()) {
      throw invalid_input("ranking: the covariate \"" + table.covariate_names[c] +
                          "\" needs one value per comparison");
    }
    // In units of the largest value, so that no square overflows.
    double largest = 0.0, weight = 0.0, sum = 0.0, squares = 0.0;
    for (const double value : column) {
      if (!std::isfinite(value)) {
        throw invalid_input("ranking: the covariate \"" + table.covariate_names[c] +
                            "\" has a value that is no finite number");
      }
      largest = std::max(largest, std::abs(value));
    }
    double scale = 0.0;
    if (largest > 0.0) {
      for (size_t i = 0; i < rows.size(); ++i) {
        weight += rows[i].weight;
        sum += rows[i].weight * (column[i] / largest);
      }
      const double mean = sum / weight;
      for (size_t i = 0; i < rows.size(); ++i) {
        const double distance = column[i] / largest - mean;
        squares += rows[i].weight * distance * distance;
      }
      const double spread = std::sqrt(squares / weight);
      if (spread > 1e-9) scale = spread * largest;
    }
    style.scales.push_back(scale);
    style.columns.emplace_back();
    if (scale > 0.0) {
      style.columns.back().reserve(column.size());
      for (const double value : column) style.columns.back().push_back(value / scale);
    }
  }
  return style;
}

}  // namespace hone::quality
