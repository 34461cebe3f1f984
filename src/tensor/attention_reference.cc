#include <array>
#include <cmath>
#include <vector>

#include "tensor/attention.h"
#include "tensor/attention_layout.h"
#include "tensor/lanes_reference.h"
#include "tensor/math.h"

namespace hone::tensor {

namespace {

struct State {
  float max = 0.0f, sum = 0.0f;
  std::vector<float> out;
};

State block_state(const AttentionShape& shape, const float* q, const float* block,
                  VisibleRange visible) {
  std::array<float, kKvBlock> p{};
  for (size_t j = 0; j < kKvBlock; ++j) {
    for (size_t d = 0; d < shape.head_dim; ++d) {
      p[j] = std::fma(q[d], block[k_offset(shape.head_dim, j, d)], p[j]);
    }
    p[j] = p[j] * shape.scale;
  }
  State state{p[visible.begin], 0.0f, std::vector<float>(shape.head_dim)};
  for (size_t j = visible.begin; j < visible.end; ++j) state.max = std::fmax(state.max, p[j]);
  for (size_t j = 0; j < kKvBlock; ++j) {
    p[j] = j >= visible.begin && j < visible.end ? exp_f32(p[j] - state.max) : 0.0f;
  }
  state.sum = lane_sum_reference(p.data(), kKvBlock);
  for (size_t d = 0; d < shape.head_dim; ++d) {
    for (size_t j = 0; j < kKvBlock; ++j) {
      state.out[d] = std::fma(p[j], block[v_offset(shape.head_dim, j, d)], state.out[d]);
    }
  }
  return state;
}

void merge(State& into, const State& next) {
  const float e = exp_f32(-std::fabs(into.max - next.max));
  const bool keeps = into.max >= next.max;
  into.sum = keeps ? std::fma(next.sum, e, into.sum) : std::fma(into.sum, e, next.sum);
  for (size_t d = 0; d < into.out.size(); ++d) {
    into.out[d] =
        keeps ? std::fma(next.out[d], e, into.out[d]) : std::fma(into.out[d], e, next.out[d]);
  }
  if (!keeps) into.max = next.max;
}

}  // namespace

void attention_reference(const AttentionShape& shape, View<const float> q,
                         std::span<const AttentionRun> runs, View<float> out, View<float> lse) {
  check_attention_shape(shape);
  const size_t group = shape.head_count / shape.kv_head_count;
  for (const AttentionRun& run : runs) {
    for (size_t i = 0; i < run.row_count; ++i) {
      const size_t row = run.row_begin + i;
      for (size_t h = 0; h < shape.head_count; ++h) {
        State state;
        bool first = true;
        for (size_t b = 0; b * kKvBlock <= run.kv_begin + i; ++b) {
          const VisibleRange visible = visible_range(shape, run.kv_begin + i, b);
          if (visible.begin >= visible.end) continue;
          const float* block = run.blocks[b] + h / group * kv_block_floats(shape.head_dim);
          State next = block_state(shape, q.row(row) + h * shape.head_dim, block, visible);
          if (first) {
            state = std::move(next);
          } else {
            merge(state, next);
          }
          first = false;
        }
        const float inverse = 1.0f / state.sum;
        for (size_t d = 0; d < shape.head_dim; ++d) {
          out.row(row)[h * shape.head_dim + d] = std::fma(state.out[d], inverse, 0.0f);
        }
        if (lse.data != nullptr) {
          lse.row(row)[h] = static_cast<float>(static_cast<double>(state.max) +
                                               log_f64(static_cast<double>(state.sum)));
        }
      }
    }
  }
}

}  // namespace hone::tensor
