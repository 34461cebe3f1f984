#pragma once
// The fused head of distillation: how far the student's distribution is from the teacher's in each
// row, over the whole vocabulary, and the gradient, without storing the logits of all rows.
//
// The generalised Jensen-Shannon divergence as TRL's GKD has it (arXiv 2306.13649, trainers.md 2),
// with M = (1 - beta) S + beta T:
//   0 < beta < 1:  beta KL(T || M) + (1 - beta) KL(S || M);  beta 0: KL(T || S);  1: KL(S || T)
// Order: log-probabilities are logit - lse with log_softmax.h's lse; a row is cut into tiles of 1024
// columns; each tile's two sums are divergence_rows.h's; tiles are added in f64, ascending.
// dlogits are divergence_rows.h's too; dhidden and dw follow matmul's gradients.
//
// Memory: the logits of both models for pieces of at most 256 rows, which every group of rows fits.

#include <span>

#include "tensor/log_softmax.h"

namespace hone::tensor {

struct TeacherHead {
  View<const float> hidden;              // of the same rows as the student's; its own width
  const PanelMatrix* weights = nullptr;  // the student's vocabulary
};

struct DistillationTask {
  View<const float> hidden;
  const PanelMatrix* weights = nullptr;
  TeacherHead teacher;
  float beta = 0.5f;
  // Log-probabilities that are wanted beside. A row's divergence is multiplied by the f32 sum of its
  // targets' coefficients.
  std::span<const HeadTarget> targets;
  std::span<const TokenGroup> groups;
  const FixedGradient* dw = nullptr;  // null: not wanted; added to
};

struct DistillationResult {
  float* log_probs = nullptr;     // one per target, of the student
  HeadRowResult* rows = nullptr;  // of the student
  float* divergences = nullptr;   // one per row
  View<float> dhidden;            // written; null where only the divergences are wanted
  FixedStatistics statistics = {};
};

// memory is the caller's to keep; it grows to distillation_bytes.
void distillation_head(Compute& compute, const DistillationTask& task, DistillationResult& result,
                       Buffer& memory);
void distillation_head_reference(const DistillationTask& task, DistillationResult& result);
size_t distillation_bytes(size_t rows, size_t hidden, size_t vocabulary);

}  // namespace hone::tensor
