#include <array>
#include <cmath>
#include <vector>

#include "tensor/attention_backward.h"
#include "tensor/attention_layout.h"
#include "tensor/lanes_reference.h"
#include "tensor/math.h"

namespace hone::tensor {

namespace {

// One row, one head, one block: adds to dk, dv and the block's share of dq.
void add_block(const AttentionShape& shape, const float* q, const float* dout, float lse, float dot,
               const float* block, float* grad, VisibleRange visible,
               std::vector<float>& dq_block) {
  const size_t n = shape.head_dim;
  for (size_t j = visible.begin; j < visible.end; ++j) {
    float s = 0.0f, dp = 0.0f;
    for (size_t d = 0; d < n; ++d) {
      s = std::fma(q[d], block[k_offset(n, j, d)], s);
      dp = std::fma(dout[d], block[v_offset(n, j, d)], dp);
    }
    const float p = exp_f32(s * shape.scale - lse);
    const float ds = (p * (dp - dot)) * shape.scale;
    for (size_t d = 0; d < n; ++d) {
      float& dk = grad[k_offset(n, j, d)];
      float& dv = grad[v_offset(n, j, d)];
      dk = std::fma(ds, q[d], dk);
      dv = std::fma(p, dout[d], dv);
      dq_block[d] = std::fma(ds, block[k_offset(n, j, d)], dq_block[d]);
    }
  }
}

}  // namespace

void attention_backward_reference(const AttentionShape& shape, View<const float> q,
                                  View<const float> out, View<const float> lse,
                                  View<const float> dout, std::span<const AttentionRun> runs,
                                  std::span<float* const* const> grad_blocks, View<float> dq) {
  check_attention_shape(shape);
  const size_t group = shape.head_count / shape.kv_head_count;
  const size_t n = shape.head_dim;
  for (size_t at = 0; at < runs.size(); ++at) {
    const AttentionRun& run = runs[at];
    for (size_t i = 0; i < run.row_count; ++i) {
      const size_t row = run.row_begin + i;
      for (size_t h = 0; h < shape.head_count; ++h) {
        const float* dout_row = dout.row(row) + h * n;
        const float dot = lane_dot_reference(dout_row, out.row(row) + h * n, n);
        std::vector<float> sum(n);
        bool first = true;
        for (size_t b = 0; b * kKvBlock <= run.kv_begin + i; ++b) {
          const VisibleRange visible = visible_range(shape, run.kv_begin + i, b);
          if (visible.begin >= visible.end) continue;
          const size_t offset = h / group * kv_block_floats(n);
          std::vector<float> part(n);
          add_block(shape, q.row(row) + h * n, dout_row, lse.row(row)[h], dot,
                    run.blocks[b] + offset, grad_blocks[at][b] + offset, visible, part);
          for (size_t d = 0; d < n; ++d) sum[d] = first ? part[d] : sum[d] + part[d];
          first = false;
        }
        for (size_t d = 0; d < n; ++d) dq.row(row)[h * n + d] = sum[d] + 0.0f;
      }
    }
  }
}

}  // namespace hone::tensor
