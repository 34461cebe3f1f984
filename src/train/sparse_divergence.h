#pragma once
// How far a student is from a teacher of whom only the k most likely words of a place are known, and
// that all others together have the probability `rest`: the generalised Jensen-Shannon divergence of
// tensor/distillation_head.h over k + 1 outcomes. With k = all words it is that one.
//
// T, S: probabilities of an outcome under teacher and student, M = (1 - beta) S + beta T.
//   0 < beta < 1:  beta KL(T || M) + (1 - beta) KL(S || M);  beta 0: KL(T || S);  1: KL(S || T)
// Of the others neither is taken below 1e-10, so that no logarithm is of 0. All in f64.

#include <span>
#include <vector>

namespace hone::train {

struct SparseDivergence {
  double value = 0;
  std::vector<double> slopes;  // d value / d the student's log-probability of each of the k words
};

SparseDivergence sparse_divergence(double beta, std::span<const float> teacher_log_probs,
                                   double rest, std::span<const float> student_log_probs);

}  // namespace hone::train
