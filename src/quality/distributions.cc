#include "quality/distributions.h"

#include <cmath>

#include "base/error.h"
#include "quality/math.h"

namespace hone::quality {

double chi_square_upper(double value, double degrees) {
  if (!(degrees > 0.0) || std::isnan(value)) {
    throw invalid_input("chi-square: needs a number and degrees of freedom above 0");
  }
  if (value <= 0.0) return 1.0;
  return math::incomplete_gamma_upper(degrees / 2.0, value / 2.0);
}

// The mass beyond |t| on both sides is I_x(degrees / 2, 1/2) at x = degrees / (degrees + t^2);
// from the other end of the beta where that keeps the digits of a small t.
double student_cdf(double value, double degrees) {
  if (!(degrees > 0.0) || std::isnan(value)) {
    throw invalid_input("Student's t: needs a number and degrees of freedom above 0");
  }
  const double square = value * value;
  if (square < degrees) {
    const double inner = math::incomplete_beta(0.5, degrees / 2.0, square / (degrees + square));
    return value < 0.0 ? 0.5 - 0.5 * inner : 0.5 + 0.5 * inner;
  }
  const double outer = math::incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + square));
  return value < 0.0 ? 0.5 * outer : 1.0 - 0.5 * outer;
}

// t^2 / (degrees + t^2) is Beta(1/2, degrees / 2).
double student_quantile(double probability, double degrees) {
  if (!(degrees > 0.0) || !(probability > 0.0 && probability < 1.0)) {
    throw invalid_input("Student's t: needs a probability inside (0, 1) and degrees above 0");
  }
  if (probability == 0.5) return 0.0;
  const double tail = probability < 0.5 ? probability : 1.0 - probability;
  const double x =
      math::beta_quantile(degrees / 2.0, 0.5, 2.0 * tail);  // degrees / (degrees + t^2)
  const double size = std::sqrt(degrees * (1.0 - x) / x);
  return probability < 0.5 ? -size : size;
}

}  // namespace hone::quality
