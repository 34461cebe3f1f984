#pragma once
// The fused head: log-probabilities of chosen tokens, and their gradient, without ever storing all
// logits. Decode uses the same row function on stored logits, so that the log-probability of a
// sampled token equals the one that scoring or training computes, to the bit.
//
// Order. Logits are matmul's (matmul.h). A row is cut into tiles of 1024 columns from 0. Per tile:
//   m = the largest logit
//   l = 16 virtual lanes: lane j adds exp_f32(logit - m) of columns i % 16 == j, ascending; the tree
//       + 8, + 4, + 2, + 1
//   w = the same over fma(exp, logit - m, lane)            (for the entropy)
// The first tile is the state (M, L, W); each further one joins it, e = exp_f32(-|M - m|):
//   M >= m: L = fma(l, e, L), W = fma(e, fma(l, m - M, w), W)
//   else:   L = fma(L, e, l), W = fma(e, fma(L_before, M - m, W), w), M = m
// lse = f32(M + log_f64(L)), the sum in f64; log_prob = logit - lse;
// entropy = f32(log_f64(L) - f64(W) / f64(L)).
//
// Backward, for loss = sum of coefficient * log_prob, per row: C = f32 sum of its coefficients in
// the order given; dlogit = -C * exp_f32(logit - lse), then + coefficient at each target, in the
// order given; rows without a target have dlogit 0. dhidden and dw follow matmul's gradients.
//
// Memory: tiles of at most 512 rows x 1024 columns a thread forward; at most 16 MB of dlogits (or
// one tile of all rows) backward; at most 64 MB of logits where both are done at once. Rows without
// targets cost the same: leave them out.

#include <span>

#include "tensor/compute.h"
#include "tensor/matmul.h"
#include "tensor/memory.h"
#include "tensor/panels.h"
#include "tensor/view.h"

namespace hone::tensor {

constexpr size_t kVocabularyTile = 1024;

// One log-probability that is wanted; several per row are allowed. The coefficient, dloss /
// dlog_prob, is read by the backward only. 0 <= token < rows of the head.
struct HeadTarget {
  uint32_t row = 0;
  int32_t token = 0;
  float coefficient = 0.0f;
};

struct HeadRowResult {
  float lse = 0.0f;
  int32_t argmax = 0;  // ties: the lowest id
  float max_logit = 0.0f;
  float entropy = 0.0f;
};

// hidden [M, H], weights [V, H]; log_probs: one per target; rows: one per row of hidden.
void head_log_probs(Compute& compute, View<const float> hidden, const PanelMatrix& weights,
                    std::span<const HeadTarget> targets, float* log_probs, HeadRowResult* rows);
void head_log_probs_reference(View<const float> hidden, const PanelMatrix& weights,
                              std::span<const HeadTarget> targets, float* log_probs,
                              HeadRowResult* rows);

// The same results from stored logits [M, V].
void log_softmax_rows(Compute& compute, View<const float> logits, HeadRowResult* rows);
void log_softmax_rows_reference(View<const float> logits, HeadRowResult* rows);

// dhidden is written. dw (null: not wanted) has the panel layout of weights and is added to.
// lse: one per row, from head_log_probs of the same hidden and weights. memory is the caller's to
// keep from call to call; it grows to head_gradient_bytes.
FixedStatistics head_backward(Compute& compute, View<const float> hidden,
                              const PanelMatrix& weights, std::span<const HeadTarget> targets,
                              const float* lse, View<float> dhidden, const FixedGradient* dw,
                              std::span<const TokenGroup> groups, Buffer& memory);
FixedStatistics head_backward_reference(View<const float> hidden, const PanelMatrix& weights,
                                        std::span<const HeadTarget> targets, const float* lse,
                                        View<float> dhidden, const FixedGradient* dw,
                                        std::span<const TokenGroup> groups);

// head_log_probs and head_backward of targets whose coefficients do not depend on the log-probabilities
// (a sum of -log p; a policy's first step): the logits are computed once instead of twice. The same
// bits. Where a group of rows is too long to keep its logits, it calls the two.
FixedStatistics head_at_once(Compute& compute, View<const float> hidden, const PanelMatrix& weights,
                             std::span<const HeadTarget> targets, float* log_probs,
                             HeadRowResult* rows, View<float> dhidden, const FixedGradient* dw,
                             std::span<const TokenGroup> groups, Buffer& memory);
// What `memory` of either grows to.
size_t head_gradient_bytes(size_t rows, size_t hidden, size_t vocabulary, bool at_once);

}  // namespace hone::tensor
