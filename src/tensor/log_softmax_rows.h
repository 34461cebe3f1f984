#pragma once
// The row function of log_softmax.h: what one tile of 1024 logits adds up to, and how tiles join.

#include <cstddef>
#include <cstdint>

#include "tensor/log_softmax.h"

namespace hone::tensor {

struct TileSum {
  float max = 0.0f, sum = 0.0f, weighted = 0.0f;
  int32_t argmax = 0;  // column in the whole row
};

// n logits (at most 1024), the first of which is column `begin`. Any thread.
TileSum tile_sum(const float* logits, size_t n, size_t begin);
TileSum tile_sum_reference(const float* logits, size_t n, size_t begin);
// logits[i] = -coefficient_sum * exp(logits[i] - lse)
void tile_gradient(float* logits, size_t n, float lse, float coefficient_sum);
void tile_gradient_reference(float* logits, size_t n, float lse, float coefficient_sum);
// With a = logits[i] - lse: logits[i] = exp(a) * fma(-by_entropy, a + entropy, -coefficient_sum), the
// gradient of coefficient_sum * log p beside by_entropy * the row's entropy.
struct EntropyTerm {
  float entropy = 0.0f, by_entropy = 0.0f;
};
void tile_gradient(float* logits, size_t n, float lse, float coefficient_sum, EntropyTerm term);
void tile_gradient_reference(float* logits, size_t n, float lse, float coefficient_sum,
                             EntropyTerm term);

void join_tile(TileSum& into, const TileSum& next);
HeadRowResult finish_tiles(const TileSum& sum);

}  // namespace hone::tensor
