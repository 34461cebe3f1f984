#pragma once
// Another temperature by the head's input: logits of (s h) are s times those of h, and the kernels
// behind it stay what they are. Sampler and trainer scale the same rows by the same number.

#include <cstddef>

namespace hone::llm {

inline void scale_row(float* row, size_t size, float scale) {
  if (scale == 1) return;
  for (size_t i = 0; i < size; ++i) row[i] *= scale;
}

}  // namespace hone::llm
