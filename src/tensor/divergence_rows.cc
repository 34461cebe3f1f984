#include "tensor/divergence_rows.h"

#include <array>
#include <cmath>

#include "tensor/lanes_reference.h"
#include "tensor/math.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/divergence_rows.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/lanes-inl.h"
#include "tensor/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {

using Vector = hn::Vec<Floats>;

HWY_INLINE Vector LogMixture(Floats d, Vector a, Vector c, Vector student_weight,
                             Vector teacher_weight) {
  const auto student_leads = hn::Ge(a, c);
  const Vector most = hn::IfThenElse(student_leads, a, c);
  const Vector least = hn::IfThenElse(student_leads, c, a);
  const Vector weight = hn::IfThenElse(student_leads, student_weight, teacher_weight);
  const Vector other = hn::IfThenElse(student_leads, teacher_weight, student_weight);
  return hn::Add(most, Log(d, hn::MulAdd(other, Exp(d, hn::Sub(least, most)), weight)));
}

// The log-probability that a row's S and T are compared with; kind of beta fixed outside the loop. (SVE's
// vectors cannot be members: a and c are the caller's.)
template <int kBeta>  // 0, 1, or 2 for a mixture
HWY_INLINE Vector ComparedWith(Floats d, Vector a, Vector c, Vector student_weight,
                               Vector teacher_weight) {
  if constexpr (kBeta == 0) return a;
  if constexpr (kBeta == 1) return c;
  return LogMixture(d, a, c, student_weight, teacher_weight);
}

template <int kBeta>
DivergenceSum SumOf(const float* HWY_RESTRICT student, const float* HWY_RESTRICT teacher, size_t n,
                    const DivergenceRow& row) {
  const Floats d;
  const Vector student_lse = hn::Set(d, row.student_lse), teacher_lse = hn::Set(d, row.teacher_lse);
  const Vector student_weight = hn::Set(d, 1.0f - row.beta), teacher_weight = hn::Set(d, row.beta);
  DivergenceSum out;
  // Behind a row's end loads give 0, whose log-probability is some number: the product is masked.
  const auto inside = [&](Vector v, size_t count) HWY_ATTR {
    return count == hn::Lanes(d) ? v : hn::IfThenElseZero(hn::FirstN(d, count), v);
  };
  const auto student_at = [&](size_t i, size_t count) HWY_ATTR {
    return hn::Sub(LoadCount(d, student + i, count), student_lse);
  };
  const auto teacher_at = [&](size_t i, size_t count) HWY_ATTR {
    return hn::Sub(LoadCount(d, teacher + i, count), teacher_lse);
  };
  if constexpr (kBeta != 1) {
    out.teacher = LaneSum(d, n, [&](Vector sum, size_t i, size_t count) HWY_ATTR {
      const Vector a = student_at(i, count), c = teacher_at(i, count);
      const Vector m = ComparedWith<kBeta>(d, a, c, student_weight, teacher_weight);
      return hn::MulAdd(inside(Exp(d, c), count), hn::Sub(c, m), sum);
    });
  }
  if constexpr (kBeta != 0) {
    out.student = LaneSum(d, n, [&](Vector sum, size_t i, size_t count) HWY_ATTR {
      const Vector a = student_at(i, count), c = teacher_at(i, count);
      const Vector m = ComparedWith<kBeta>(d, a, c, student_weight, teacher_weight);
      return hn::MulAdd(inside(Exp(d, a), count), hn::Sub(a, m), sum);
    });
  }
  return out;
}

template <int kBeta>
void GradientOf(float* HWY_RESTRICT student, const float* HWY_RESTRICT teacher, size_t n,
                const DivergenceRow& row) {
  const Floats d;
  const Vector student_lse = hn::Set(d, row.student_lse), teacher_lse = hn::Set(d, row.teacher_lse);
  const Vector student_weight = hn::Set(d, 1.0f - row.beta), teacher_weight = hn::Set(d, row.beta);
  const Vector sum = hn::Set(d, row.student_sum);
  const Vector factor =
      hn::Set(d, kBeta == 2 ? row.coefficient * (1.0f - row.beta) : row.coefficient);
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    const Vector a = hn::Sub(LoadCount(d, student + i, count), student_lse);
    const Vector c = hn::Sub(LoadCount(d, teacher + i, count), teacher_lse);
    if constexpr (kBeta == 0) {
      StoreCount(hn::Mul(factor, hn::Sub(Exp(d, a), Exp(d, c))), d, student + i, count);
    } else {
      const Vector m = ComparedWith<kBeta>(d, a, c, student_weight, teacher_weight);
      const Vector slope = hn::Sub(hn::Sub(a, m), sum);
      StoreCount(hn::Mul(factor, hn::Mul(Exp(d, a), slope)), d, student + i, count);
    }
  });
}

DivergenceSum SumHere(const float* student, const float* teacher, size_t n,
                      const DivergenceRow& row) {
  if (row.beta == 0.0f) return SumOf<0>(student, teacher, n, row);
  if (row.beta == 1.0f) return SumOf<1>(student, teacher, n, row);
  return SumOf<2>(student, teacher, n, row);
}

void GradientHere(float* student, const float* teacher, size_t n, const DivergenceRow& row) {
  if (row.beta == 0.0f) return GradientOf<0>(student, teacher, n, row);
  if (row.beta == 1.0f) return GradientOf<1>(student, teacher, n, row);
  GradientOf<2>(student, teacher, n, row);
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(SumHere);
HWY_EXPORT(GradientHere);

DivergenceSum divergence_sum(const float* student, const float* teacher, size_t n,
                             const DivergenceRow& row) {
  return HWY_DYNAMIC_DISPATCH(SumHere)(student, teacher, n, row);
}

void divergence_gradient(float* student, const float* teacher, size_t n, const DivergenceRow& row) {
  HWY_DYNAMIC_DISPATCH(GradientHere)(student, teacher, n, row);
}

namespace {

// What S and T are compared with at one place.
float compared_with(float a, float c, float beta) {
  if (beta == 0.0f) return a;
  if (beta == 1.0f) return c;
  const bool student_leads = a >= c;
  const float most = student_leads ? a : c, least = student_leads ? c : a;
  const float weight = student_leads ? 1.0f - beta : beta;
  const float other = student_leads ? beta : 1.0f - beta;
  return most + log_f32(std::fma(other, exp_f32(least - most), weight));
}

}  // namespace

DivergenceSum divergence_sum_reference(const float* student, const float* teacher, size_t n,
                                       const DivergenceRow& row) {
  std::array<float, 16> of_teacher{}, of_student{};
  for (size_t i = 0; i < n; ++i) {
    const float a = student[i] - row.student_lse, c = teacher[i] - row.teacher_lse;
    const float m = compared_with(a, c, row.beta);
    of_teacher[i % 16] = std::fma(exp_f32(c), c - m, of_teacher[i % 16]);
    of_student[i % 16] = std::fma(exp_f32(a), a - m, of_student[i % 16]);
  }
  return {row.beta == 1.0f ? 0.0f : tree_16(of_teacher),
          row.beta == 0.0f ? 0.0f : tree_16(of_student)};
}

void divergence_gradient_reference(float* student, const float* teacher, size_t n,
                                   const DivergenceRow& row) {
  const bool mixed = row.beta != 0.0f && row.beta != 1.0f;
  const float factor = mixed ? row.coefficient * (1.0f - row.beta) : row.coefficient;
  for (size_t i = 0; i < n; ++i) {
    const float a = student[i] - row.student_lse, c = teacher[i] - row.teacher_lse;
    const float m = compared_with(a, c, row.beta);
    student[i] = row.beta == 0.0f ? factor * (exp_f32(a) - exp_f32(c))
                                  : factor * (exp_f32(a) * ((a - m) - row.student_sum));
  }
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
