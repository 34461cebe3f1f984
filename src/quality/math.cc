#include "quality/math.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/error.h"

namespace hone::quality::math {
namespace {

constexpr double kHalfLogTwoPi = 0x1.d67f1c864beb5p-1;

// lgamma(z) - ((z - 1/2) log z - z + log(2 pi) / 2) for z >= 8 (Abramowitz & Stegun 6.1.41).
double stirling_rest(double z) {
  const double inverse = 1.0 / z;
  const double w = inverse * inverse;
  return inverse *
         (1.0 / 12 -
          w * (1.0 / 360 -
               w * (1.0 / 1260 -
                    w * (1.0 / 1680 -
                         w * (1.0 / 1188 -
                              w * (691.0 / 360360 - w * (1.0 / 156 - w * 3617.0 / 122400)))))));
}

// log(x^a e^-x / Gamma(a)) without the cancellation of its large terms when x is near a.
double log_gamma_density(double a, double x) {
  if (a < 8.0) return a * log(x) - x - lgamma(a);
  const double t = (x - a) / a;  // x = a (1 + t)
  // a log x - x - lgamma(a) = a (log(1 + t) - t) + log(a / (2 pi)) / 2 - rest
  return a * (log1p(t) - t) + 0.5 * log(a) - kHalfLogTwoPi - stirling_rest(a);
}

// log(x^a (1-x)^b / B(a, b)), the same way when both are large.
double log_beta_density(double a, double b, double x) {
  if (a < 8.0 || b < 8.0) return a * log(x) + b * log1p(-x) - log_beta(a, b);
  const double n = a + b;
  const double p = a / n, q = b / n;
  const double d = x - p;  // x = p (1 + d / p), 1 - x = q (1 - d / q)
  return a * log1p(d / p) + b * log1p(-d / q) + 0.5 * (log(a) + log(b) - log(n)) - kHalfLogTwoPi +
         (stirling_rest(n) - stirling_rest(a) - stirling_rest(b));
}

// Lentz's evaluation of the continued fraction of I_x(a, b) (DLMF 8.17.22); converges in O(sqrt(max(a, b))) for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto away = [](double v) { return std::fabs(v) < kTiny ? kTiny : v; };
  double c = 1.0;
  double d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
  double value = d;
  for (int m = 1; m <= 100000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m));
    d = 1.0 / away(1.0 + even * d);
    c = away(1.0 + even / c);
    value *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0));
    d = 1.0 / away(1.0 + odd * d);
    c = away(1.0 + odd / c);
    const double step = d * c;
    value *= step;
    if (std::fabs(step - 1.0) < 1e-15) break;
  }
  return value;
}

void need_positive(double a, const char* what) {
  if (!(a > 0.0) || !std::isfinite(a)) {
    throw invalid_input(std::string(what) + " needs positive finite parameters, got " +
                        std::to_string(a));
  }
}

// The series of P(a, x) for x < a + 1 and the continued fraction of Q(a, x) beyond.
double gamma_series(double a, double x) {
  double term = 1.0 / a, sum = term;
  for (int n = 1; n <= 100000 && term > 1e-17 * sum; ++n) {
    term *= x / (a + n);
    sum += term;
  }
  return exp(log_gamma_density(a, x)) * sum;
}

double gamma_fraction(double a, double x) {
  constexpr double kTiny = 1e-300;
  double b = x + 1.0 - a;
  double c = 1.0 / kTiny;
  double d = 1.0 / b;
  double value = d;
  for (int i = 1; i <= 100000; ++i) {
    const double factor = -static_cast<double>(i) * (i - a);
    b += 2.0;
    d = factor * d + b;
    d = 1.0 / (std::fabs(d) < kTiny ? kTiny : d);
    c = b + factor / c;
    if (std::fabs(c) < kTiny) c = kTiny;
    const double step = d * c;
    value *= step;
    if (std::fabs(step - 1.0) < 1e-15) break;
  }
  return exp(log_gamma_density(a, x)) * value;
}

// The root of an ascending function on [low, high] by Newton's step where it stays inside and by
// halving where it does not.
template <typename Value, typename Density>
double ascending_root(double low, double high, double start, double target, const Value& value,
                      const Density& density) {
  double x = start;
  for (int i = 0; i < 200; ++i) {
    const double error = value(x) - target;
    if (error == 0.0) return x;
    (error < 0.0 ? low : high) = x;
    const double slope = density(x);
    double next = x - error / slope;
    if (!(next > low && next < high)) next = low + (high - low) / 2.0;
    if (std::fabs(next - x) <= 4e-16 * std::fabs(next) || next <= low || next >= high) return next;
    x = next;
  }
  return x;
}

}  // namespace

double lgamma(double x) {
  if (!(x > 0.0)) return x == 0.0 ? kInfinity : kInfinity - kInfinity;
  if (!(x < kInfinity)) return x;
  double product = 1.0, z = x;
  if (x < 8.0) {
    const double y = x * (x + 7.0);
    product = y * (y + 6.0) * (y + 10.0) * (y + 12.0);
    z = x + 8.0;
  }
  return ((z - 0.5) * log(z) - z + (kHalfLogTwoPi + stirling_rest(z))) - log(product);
}

double log_beta(double a, double b) {
  const double large = std::max(a, b), small = std::min(a, b);
  if (!(large >= 8.0 && large < kInfinity)) return lgamma(a) + lgamma(b) - lgamma(a + b);
  // lgamma(large) - lgamma(large + small) from Stirling's formula, its large terms cancelled first.
  const double sum = large + small;
  const double rest = stirling_rest(large) - stirling_rest(sum);
  const double difference = small - (large - 0.5) * log1p(small / large) - small * log(sum) + rest;
  return lgamma(small) + difference;
}

void exp(std::span<const double> in, std::span<double> out) {
  HONE_CHECK(in.size() == out.size());
  for (size_t i = 0; i < in.size(); ++i) out[i] = exp(in[i]);
}

void log(std::span<const double> in, std::span<double> out) {
  HONE_CHECK(in.size() == out.size());
  for (size_t i = 0; i < in.size(); ++i) out[i] = log(in[i]);
}

double log_sum_exp(std::span<const double> values) {
  double most = -kInfinity;
  for (const double value : values) most = value > most ? value : most;
  if (!(most > -kInfinity && most < kInfinity)) return most;
  double sum = 0.0;
  for (const double value : values) sum += exp(value - most);
  return most + log(sum);
}

double incomplete_beta(double a, double b, double x) {
  need_positive(a, "incomplete_beta");
  need_positive(b, "incomplete_beta");
  if (!(x >= 0.0 && x <= 1.0)) throw invalid_input("incomplete_beta needs x in [0, 1]");
  if (x == 0.0 || x == 1.0) return x;
  const double factor = exp(log_beta_density(a, b, x));
  if (x < (a + 1.0) / (a + b + 2.0)) return std::min(1.0, factor * beta_fraction(a, b, x) / a);
  return std::max(0.0, 1.0 - factor * beta_fraction(b, a, 1.0 - x) / b);
}

double incomplete_gamma_lower(double a, double x) {
  need_positive(a, "incomplete_gamma");
  if (!(x >= 0.0)) throw invalid_input("incomplete_gamma needs x >= 0");
  if (x == 0.0) return 0.0;
  if (x == kInfinity) return 1.0;
  return x < a + 1.0 ? std::min(1.0, gamma_series(a, x))
                     : std::max(0.0, 1.0 - gamma_fraction(a, x));
}

double incomplete_gamma_upper(double a, double x) {
  need_positive(a, "incomplete_gamma");
  if (!(x >= 0.0)) throw invalid_input("incomplete_gamma needs x >= 0");
  if (x == 0.0) return 1.0;
  if (x == kInfinity) return 0.0;
  return x < a + 1.0 ? std::max(0.0, 1.0 - gamma_series(a, x))
                     : std::min(1.0, gamma_fraction(a, x));
}

double beta_quantile(double a, double b, double probability) {
  need_positive(a, "beta_quantile");
  need_positive(b, "beta_quantile");
  if (!(probability >= 0.0 && probability <= 1.0)) {
    throw invalid_input("beta_quantile needs a probability in [0, 1]");
  }
  if (probability == 0.0 || probability == 1.0) return probability;
  const double log_norm = log_beta(a, b);
  // The power law of the lower end is exact for small quantiles, the mean good for the rest.
  const double mean = a / (a + b);
  const double at_end = exp((log(probability) + log(a) + log_norm) / a);
  const double start = at_end < 0.1 * mean ? at_end : mean;
  if (start < 1e-300) return start;  // x^a / (a B) to the last bit
  return ascending_root(
      0.0, 1.0, start, probability, [&](double x) { return incomplete_beta(a, b, x); },
      [&](double x) { return exp((a - 1.0) * log(x) + (b - 1.0) * log1p(-x) - log_norm); });
}

double gamma_quantile(double a, double probability) {
  need_positive(a, "gamma_quantile");
  if (!(probability >= 0.0 && probability <= 1.0)) {
    throw invalid_input("gamma_quantile needs a probability in [0, 1]");
  }
  if (probability == 0.0) return 0.0;
  if (probability == 1.0) return kInfinity;
  const double log_norm = lgamma(a);
  const double at_end = exp((log(probability) + log(a) + log_norm) / a);
  const double start = at_end < 0.1 * a ? at_end : a;
  if (start < 1e-300) return start;
  double high = a + 10.0;
  while (incomplete_gamma_lower(a, high) < probability) high *= 2.0;
  return ascending_root(
      0.0, high, std::min(start, high / 2.0), probability,
      [&](double x) { return incomplete_gamma_lower(a, x); },
      [&](double x) { return exp((a - 1.0) * log(x) - x - log_norm); });
}

Interval beta_interval(double a, double b, double confidence) {
  if (!(confidence > 0.0 && confidence < 1.0)) {
    throw invalid_input("the confidence of an interval must lie between 0 and 1");
  }
  const double tail = 0.5 * (1.0 - confidence);
  // The upper end from the other side: 1 - p would lose the digits of a small tail.
  return {beta_quantile(a, b, tail), 1.0 - beta_quantile(b, a, tail)};
}

}  // namespace hone::quality::math
