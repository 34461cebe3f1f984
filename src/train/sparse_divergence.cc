#include "train/sparse_divergence.h"

#include <algorithm>

#include "base/check.h"
#include "tensor/math.h"

namespace hone::train {

namespace {

constexpr double kLeastRest = 1e-10;

using tensor::exp_f64;
using tensor::log_f64;

// What one outcome adds, and the slope by S.
struct Part {
  double value = 0, slope = 0;
};

Part part_of(double beta, double t, double s, double log_t, double log_s) {
  if (beta == 0) return {t * (log_t - log_s), -t / s};
  if (beta == 1) return {s * (log_s - log_t), log_s - log_t + 1};
  const double log_m = log_f64((1 - beta) * s + beta * t);
  return {beta * t * (log_t - log_m) + (1 - beta) * s * (log_s - log_m),
          (1 - beta) * (log_s - log_m)};
}

}  // namespace

SparseDivergence sparse_divergence(double beta, std::span<const float> teacher, double rest,
                                   std::span<const float> student) {
  HONE_CHECK(teacher.size() == student.size());
  SparseDivergence out;
  double said = 0;
  std::vector<double> s(student.size());
  for (size_t k = 0; k < student.size(); ++k) {
    const double log_t = static_cast<double>(teacher[k]), log_s = static_cast<double>(student[k]);
    // Below what f64 holds the word is as good as impossible, and its slope is 0.
    s[k] = std::max(exp_f64(log_s), 1e-300);
    said += s[k];
    const Part part = part_of(beta, exp_f64(log_t), s[k], log_t, log_s);
    out.value += part.value;
    out.slopes.push_back(part.slope);
  }
  const double t_rest = std::max(rest, kLeastRest), s_rest = std::max(1 - said, kLeastRest);
  const Part others = part_of(beta, t_rest, s_rest, log_f64(t_rest), log_f64(s_rest));
  out.value += others.value;
  // A word that gains takes from the others, while they have something.
  const double other_slope = 1 - said > kLeastRest ? others.slope : 0;
  for (size_t k = 0; k < s.size(); ++k) out.slopes[k] = s[k] * (out.slopes[k] - other_slope);
  return out;
}

}  // namespace hone::train
