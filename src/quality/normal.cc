#include "quality/normal.h"

#include <cmath>
#include <string>

#include "base/error.h"

namespace hone::quality {
namespace {

constexpr double kLn2High = 0x1.62e42fefa38p-1;  // 42 bits: times an exponent is exact
constexpr double kLn2Low = 0x1.ef35793c7673p-45;
constexpr double kInvSqrtTwoPi = 0.39894228040143267794;

// e^x for x <= 0: x = k ln 2 + r, |r| <= ln 2 / 2, Taylor in r (the 18th term is below 1e-22).
double exp_of_negative(double x) {
  if (x < -745.0) return 0.0;
  const double k = std::floor(x / (kLn2High + kLn2Low) + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1.0;
  for (int i = 18; i >= 1; --i) sum = 1.0 + sum * r / i;
  return std::ldexp(sum, static_cast<int>(k));
}

// P(X > x) for x >= 3.
double upper_tail(double x) {
  double fraction = 0.0;
  for (int i = 120; i >= 1; --i) fraction = i / (x + fraction);
  return normal_pdf(x) / (x + fraction);
}

}  // namespace

double normal_pdf(double x) {
  // x^2 / 2 = high^2 / 2 + (x - high)(x + high) / 2 with a short high: the square is exact and the
  // rounding of x^2 does not grow in the far tail.
  const double size = std::fabs(x);
  if (size > 40.0) return 0.0;
  const double high = std::floor(size * 16.0) / 16.0;
  const double rest = 0.5 * (size - high) * (size + high);
  return kInvSqrtTwoPi * exp_of_negative(-0.5 * high * high) * exp_of_negative(-rest);
}

double normal_cdf(double x) {
  if (std::isnan(x)) throw invalid_input("normal_cdf of a value that is not a number");
  if (x > 3.0) return x > 40.0 ? 1.0 : 1.0 - upper_tail(x);
  if (x < -3.0) return x < -40.0 ? 0.0 : upper_tail(-x);
  double term = x, sum = x;
  for (int i = 3; std::fabs(term) > 1e-18 * std::fabs(sum); i += 2) {
    term = term * x * x / i;
    sum += term;
  }
  return 0.5 + normal_pdf(x) * sum;
}

double normal_quantile(double probability) {
  if (!(probability > 0.0 && probability < 1.0)) {
    throw invalid_input("normal_quantile needs a probability between 0 and 1, got " +
                        std::to_string(probability));
  }
  if (probability == 0.5) return 0.0;
  if (probability > 0.5) return -normal_quantile(1.0 - probability);
  double low = -39.0, high = 0.0;  // normal_cdf(-39) underflows
  for (;;) {
    const double middle = low + (high - low) / 2.0;
    if (middle <= low || middle >= high) return middle;
    (normal_cdf(middle) < probability ? low : high) = middle;
  }
}

}  // namespace hone::quality
