#pragma once
// The row functions of distillation_head.h: what one tile of a row adds to a divergence, and its
// gradient by the student's logits.
//
// a = logit - lse of the student and c = logit - lse of the teacher are their log-probabilities;
// S = exp_f32(a), T = exp_f32(c). With 0 < beta < 1 the mixture's is
//   log M = m + log_f32(fma(w', exp_f32(-|a - c|), w)),  m = max(a, c),
// w the weight of the larger (1 - beta of the student, beta of the teacher; the student's when
// equal), w' of the other. Sums keep 16 virtual lanes and the tree of log_softmax.h.

#include <cstddef>

namespace hone::tensor {

struct DivergenceSum {
  float teacher = 0.0f;  // sum of T (c - log M); of T (c - a) when beta is 0; 0 when it is 1
  float student = 0.0f;  // sum of S (a - log M); of S (a - c) when beta is 1; 0 when it is 0
};

struct DivergenceRow {
  float beta = 0.5f;  // 0 to 1
  float student_lse = 0.0f, teacher_lse = 0.0f;
  // Of the gradient only: the row's whole student sum, and what its divergence is multiplied by.
  float student_sum = 0.0f, coefficient = 0.0f;
};

// n at most 1024. Any thread.
DivergenceSum divergence_sum(const float* student, const float* teacher, size_t n,
                             const DivergenceRow& row);
DivergenceSum divergence_sum_reference(const float* student, const float* teacher, size_t n,
                                       const DivergenceRow& row);
// student[i] = coefficient * d divergence / d logit i:
//   beta 0:  S - T
//   else:    (1 - beta) S (a - log M - student_sum), with log M = c and factor 1 when beta is 1
void divergence_gradient(float* student, const float* teacher, size_t n, const DivergenceRow& row);
void divergence_gradient_reference(float* student, const float* teacher, size_t n,
                                   const DivergenceRow& row);

}  // namespace hone::tensor
