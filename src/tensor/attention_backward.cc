#include "tensor/attention_backward.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <vector>

#include "tensor/attention_layout.h"
#include "tensor/row_tasks.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/attention_backward.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/attention-inl.h"
#include "tensor/math-inl.h"

#ifndef HONE_TENSOR_ATTENTION_BACKWARD_ONCE_
#define HONE_TENSOR_ATTENTION_BACKWARD_ONCE_
namespace hone::tensor {

constexpr size_t kChunkRows = 48;  // (position, head) rows at a time

// What every task reads.
struct BackwardInputs {
  AttentionShape shape;
  View<const float> q, lse, dout, dot;
  size_t group() const { return shape.head_count / shape.kv_head_count; }
};

// Rows of one kv head: row i is position position_begin + i / heads, query head
// head_begin + i % heads.
struct RowChunk {
  const AttentionRun* run;
  size_t position_begin, rows, head_begin, heads;

  size_t position(size_t i) const { return position_begin + i / heads; }
  size_t row(size_t i) const { return run->row_begin + position(i); }
  size_t head(size_t i) const { return head_begin + i % heads; }
};

// One block of one kv head in both orders.
struct BlockData {
  const float* forward;     // K panels of positions, V panels of dims
  const float* transposed;  // K panels of dims, V panels of positions
  size_t index;             // block number in the run
};

}  // namespace hone::tensor
#endif

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {

// In: scores and dout v; out: p and ds. Element j lies at (j / 16) * panel + j % 16.
HWY_INLINE void WeightsRow(float* HWY_RESTRICT scores, float* HWY_RESTRICT grads, size_t panel,
                           size_t begin, size_t end, VisibleRange visible, float scale, float lse,
                           float dot) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const size_t lanes = hn::Lanes(d);
  const auto factor = hn::Set(d, scale);
  const auto sum = hn::Set(d, lse);
  const auto mean = hn::Set(d, dot);
  const auto first = hn::Set(di, static_cast<int32_t>(visible.begin));
  const auto last = hn::Set(di, static_cast<int32_t>(visible.end));
  for (size_t j = begin; j < end; j += lanes) {
    const size_t at = j / 16 * panel + j % 16;
    const auto t = hn::Mul(hn::Load(d, scores + at), factor);
    const auto index = hn::Iota(di, static_cast<int32_t>(j));
    const auto seen = hn::AndNot(hn::Lt(index, first), hn::Lt(index, last));
    const auto p = hn::IfThenElseZero(hn::RebindMask(d, seen), Exp(d, hn::Sub(t, sum)));
    hn::Store(p, d, scores + at);
    const auto dp = hn::Load(d, grads + at);
    hn::Store(hn::Mul(hn::Mul(p, hn::Sub(dp, mean)), factor), d, grads + at);
  }
}

// Fills p and ds of a chunk against a block; returns the positions that any row sees.
VisibleRange ChunkWeights(const BackwardInputs& in, const RowChunk& chunk, const BlockData& block,
                          float* p, float* ds, size_t row_step, size_t panel_step) {
  const size_t head_dim = in.shape.head_dim;
  VisibleRange any{kKvBlock, 0};
  for (size_t i = 0; i < chunk.rows; ++i) {
    const VisibleRange seen =
        visible_range(in.shape, chunk.run->kv_begin + chunk.position(i), block.index);
    if (seen.begin >= seen.end) continue;
    any.begin = std::min(any.begin, seen.begin);
    any.end = std::max(any.end, seen.end);
  }
  if (any.begin >= any.end) return any;
  const size_t panel_begin = any.begin / 16;
  const size_t panel_end = (any.end + 15) / 16;
  TileArgs t;
  t.a_step = 1;
  t.b_rows = head_dim;
  t.k_begin = 0;
  t.k_end = head_dim;
  t.c_row = row_step;
  t.c_panel = panel_step;
  for (size_t first = 0; first < chunk.rows; first += kGroupRows) {
    const size_t rows = std::min(kGroupRows, chunk.rows - first);
    for (size_t r = 0; r < rows; ++r) {
      t.a[r] = in.q.row(chunk.row(first + r)) + chunk.head(first + r) * head_dim;
    }
    t.b = block.forward;
    t.ahead = t.b;
    t.c = p + first * row_step;
    TileProduct<false>(rows, t, panel_begin, panel_end);
    for (size_t r = 0; r < rows; ++r) {
      t.a[r] = in.dout.row(chunk.row(first + r)) + chunk.head(first + r) * head_dim;
    }
    t.b = block.transposed + padded_dim(head_dim) * kKvBlock;
    t.ahead = t.b;
    t.c = ds + first * row_step;
    TileProduct<false>(rows, t, panel_begin, panel_end);
    for (size_t r = 0; r < rows; ++r) {
      const size_t i = first + r;
      const VisibleRange seen =
          visible_range(in.shape, chunk.run->kv_begin + chunk.position(i), block.index);
      WeightsRow(p + i * row_step, ds + i * row_step, panel_step, panel_begin * 16, panel_end * 16,
                 seen, in.shape.scale, in.lse.row(chunk.row(i))[chunk.head(i)],
                 in.dot.row(chunk.row(i))[chunk.head(i)]);
    }
  }
  return any;
}

// Called for one block after another, ascending; state is [rows][padded], zero at first.
void AddQueryGradient(const BackwardInputs& in, const RowChunk& chunk, const BlockData& block,
                      float* scratch, float* state) {
  const Floats d;
  const size_t padded = padded_dim(in.shape.head_dim);
  float* p = scratch;
  float* ds = p + kChunkRows * kKvBlock;
  float* part = ds + kChunkRows * kKvBlock;
  const VisibleRange any = ChunkWeights(in, chunk, block, p, ds, kKvBlock, 16);
  if (any.begin >= any.end) return;
  TileArgs t;
  t.a_step = 1;
  t.b = block.transposed;
  t.ahead = t.b;
  t.b_rows = kKvBlock;
  t.k_begin = any.begin;
  t.k_end = any.end;
  t.c = part;
  t.c_row = padded;
  t.c_panel = 16;
  for (size_t first = 0; first < chunk.rows; first += kGroupRows) {
    const size_t rows = std::min(kGroupRows, chunk.rows - first);
    for (size_t r = 0; r < rows; ++r) t.a[r] = ds + (first + r) * kKvBlock;
    TileProduct<false>(rows, t, 0, padded / 16);
    for (size_t r = 0; r < rows; ++r) {
      float* into = state + (first + r) * padded;
      for (size_t c = 0; c < padded; c += hn::Lanes(d)) {
        const auto sum = hn::Load(d, part + r * padded + c);
        hn::Store(hn::Add(hn::Load(d, into + c), sum), d, into + c);
      }
    }
  }
}

// dk and dv of one block and kv head from one chunk of rows.
void AddKeyValueGradient(const BackwardInputs& in, const RowChunk& chunk, const BlockData& block,
                         float* scratch, float* grad) {
  const size_t head_dim = in.shape.head_dim;
  const size_t padded = padded_dim(head_dim);
  constexpr size_t kPanel = kChunkRows * 16;
  float* p = scratch;
  float* ds = p + 4 * kPanel;
  float* q_rows = ds + 4 * kPanel;                    // [rows][padded]
  float* dout_panels = q_rows + kChunkRows * padded;  // [padded / 16][kChunkRows][16]
  const VisibleRange any = ChunkWeights(in, chunk, block, p, ds, 16, kPanel);
  if (any.begin >= any.end) return;
  for (size_t i = 0; i < chunk.rows; ++i) {
    const size_t at = chunk.head(i) * head_dim;
    std::memcpy(q_rows + i * padded, in.q.row(chunk.row(i)) + at, head_dim * sizeof(float));
    const float* dout = in.dout.row(chunk.row(i)) + at;
    for (size_t c = 0; c < padded; c += 16) {
      float* out = dout_panels + c / 16 * kPanel + i * 16;
      const size_t count = std::min<size_t>(16, head_dim - c);
      std::memset(out, 0, 16 * sizeof(float));
      std::memcpy(out, dout + c, count * sizeof(float));
    }
  }
  TileArgs t;
  t.k_begin = 0;
  t.k_end = chunk.rows;
  t.b_rows = kChunkRows;
  t.c_row = 16;
  // dk: rows are dims, lanes are positions.
  t.a_step = padded;
  t.b = ds;
  t.ahead = t.b;
  t.c_panel = head_dim * 16;
  for (size_t dim = 0; dim < head_dim; dim += kGroupRows) {
    const size_t rows = std::min(kGroupRows, head_dim - dim);
    for (size_t r = 0; r < rows; ++r) t.a[r] = q_rows + dim + r;
    t.c = grad + dim * 16;
    TileProduct<true>(rows, t, any.begin / 16, (any.end + 15) / 16);
  }
  // dv: rows are positions, lanes are dims.
  t.a_step = 16;
  t.b = dout_panels;
  t.ahead = t.b;
  t.c_panel = kKvBlock * 16;
  for (size_t j = any.begin; j < any.end; j += kGroupRows) {
    const size_t rows = std::min(kGroupRows, any.end - j);
    for (size_t r = 0; r < rows; ++r) t.a[r] = p + (j + r) / 16 * kPanel + (j + r) % 16;
    t.c = grad + kKvBlock * head_dim + j * 16;
    TileProduct<true>(rows, t, 0, padded / 16);
  }
}

float RowDot(const float* a, const float* b, size_t n) {
  const Floats d;
  return LaneSum(d, n, [&](auto acc, size_t i, size_t count) HWY_ATTR {
    return hn::MulAdd(LoadCount(d, a + i, count), LoadCount(d, b + i, count), acc);
  });
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(AddQueryGradient);
HWY_EXPORT(AddKeyValueGradient);
HWY_EXPORT(RowDot);

namespace {

size_t transposed_floats(size_t head_dim) { return kKvBlock * (padded_dim(head_dim) + head_dim); }

void transpose_block(size_t head_dim, const float* in, float* out) {
  const size_t padded = padded_dim(head_dim);
  float* values = out + kKvBlock * padded;
  for (size_t j = 0; j < kKvBlock; ++j) {
    for (size_t dim = 0; dim < padded; ++dim) {
      out[(dim / 16 * kKvBlock + j) * 16 + dim % 16] =
          dim < head_dim ? in[k_offset(head_dim, j, dim)] : 0.0f;
    }
    for (size_t dim = 0; dim < head_dim; ++dim) {
      values[k_offset(head_dim, j, dim)] = in[v_offset(head_dim, j, dim)];
    }
  }
}

// One (run, block) that some row of the run sees.
struct Sight {
  float* grad;
  const float* data;
  size_t run, block, unique;
};

// Sights sorted by gradient block, runs ascending inside; `unique` numbers the blocks.
struct Sights {
  std::vector<Sight> by_block;
  std::vector<size_t> unique_begin;                // of by_block, one past the end too
  std::vector<std::vector<size_t>> unique_of_run;  // [run][block - first_block[run]]
  std::vector<size_t> first_block;
};

Sights find_sights(const AttentionShape& shape, std::span<const AttentionRun> runs,
                   std::span<float* const* const> grad_blocks) {
  Sights s;
  for (size_t r = 0; r < runs.size(); ++r) {
    VisibleRange blocks{0, 0};
    if (runs[r].row_count != 0) {
      blocks = visible_blocks(shape, runs[r].kv_begin, runs[r].kv_begin + runs[r].row_count);
    }
    s.first_block.push_back(blocks.begin);
    s.unique_of_run.emplace_back(blocks.end - blocks.begin);
    for (size_t b = blocks.begin; b < blocks.end; ++b) {
      s.by_block.push_back({grad_blocks[r][b], runs[r].blocks[b], r, b, 0});
    }
  }
  std::stable_sort(s.by_block.begin(), s.by_block.end(),
                   [](const Sight& a, const Sight& b) { return std::less<>()(a.grad, b.grad); });
  for (size_t i = 0; i < s.by_block.size(); ++i) {
    Sight& sight = s.by_block[i];
    if (i == 0 || s.by_block[i - 1].grad != sight.grad) s.unique_begin.push_back(i);
    sight.unique = s.unique_begin.size() - 1;
    s.unique_of_run[sight.run][sight.block - s.first_block[sight.run]] = sight.unique;
  }
  s.unique_begin.push_back(s.by_block.size());
  return s;
}

// Calls visit(chunk) for the rows of a run and kv head, ascending, positions from `begin` on.
template <typename Visit>
void for_each_chunk(const BackwardInputs& in, const AttentionRun& run, size_t kv_head, size_t begin,
                    size_t end, const Visit& visit) {
  const size_t group = in.group();
  // A group above the chunk is cut by heads; then a chunk is one position.
  const size_t heads = std::min(group, kChunkRows);
  const size_t positions = group <= kChunkRows ? kChunkRows / group : 1;
  for (size_t p = begin; p < end; p += positions) {
    for (size_t h = 0; h < group; h += heads) {
      const size_t count = std::min(heads, group - h);
      visit(RowChunk{&run, p, std::min(positions, end - p) * count, kv_head * group + h, count});
    }
  }
}

size_t backward_scratch_bytes(size_t head_dim) {
  return (2 * kChunkRows * kKvBlock + 3 * kChunkRows * padded_dim(head_dim)) * sizeof(float);
}

struct Backward {
  Compute& compute;
  const BackwardInputs& in;
  std::span<const AttentionRun> runs;
  const Sights& sights;
  const float* transposed;

  float* scratch(size_t thread) const {
    return reinterpret_cast<float*>(
        compute.scratch(thread, backward_scratch_bytes(in.shape.head_dim)));
  }
  BlockData block(const Sight& sight, size_t kv_head) const {
    const size_t head_dim = in.shape.head_dim;
    return {sight.data + kv_head * kv_block_floats(head_dim),
            transposed +
                (sight.unique * in.shape.kv_head_count + kv_head) * transposed_floats(head_dim),
            sight.block};
  }

  // One chunk of query rows against all its blocks.
  void query_task(const RowChunk& chunk, size_t run_index, size_t kv_head, View<float> dq,
                  size_t thread) const {
    const size_t head_dim = in.shape.head_dim;
    const size_t padded = padded_dim(head_dim);
    float* memory = scratch(thread);
    float* state = memory + (2 * kKvBlock + padded) * kChunkRows;
    const AttentionRun& run = runs[run_index];
    const auto add = &HWY_DYNAMIC_DISPATCH(AddQueryGradient);
    std::fill_n(state, chunk.rows * padded, 0.0f);
    const size_t begin = run.kv_begin + chunk.position_begin;
    const VisibleRange blocks =
        visible_blocks(in.shape, begin, begin + (chunk.rows - 1) / chunk.heads + 1);
    for (size_t b = blocks.begin; b < blocks.end; ++b) {
      const Sight sight{nullptr, run.blocks[b], run_index, b,
                        sights.unique_of_run[run_index][b - sights.first_block[run_index]]};
      add(in, chunk, block(sight, kv_head), memory, state);
    }
    for (size_t i = 0; i < chunk.rows; ++i) {
      float* out = dq.row(chunk.row(i)) + chunk.head(i) * head_dim;
      for (size_t d = 0; d < head_dim; ++d) out[d] = state[i * padded + d] + 0.0f;
    }
  }

  // One gradient block of one kv head: every run that sees it, in order.
  void key_value_task(size_t unique, size_t kv_head, size_t thread) const {
    const auto add = &HWY_DYNAMIC_DISPATCH(AddKeyValueGradient);
    float* memory = scratch(thread);
    for (size_t i = sights.unique_begin[unique]; i < sights.unique_begin[unique + 1]; ++i) {
      const Sight& sight = sights.by_block[i];
      const AttentionRun& run = runs[sight.run];
      const size_t base = sight.block * kKvBlock;
      const size_t begin = base > run.kv_begin ? base - run.kv_begin : 0;
      size_t end = run.row_count;
      if (in.shape.window != 0) {
        // The first kv index that no longer sees the block.
        const size_t last = base + kKvBlock + in.shape.window - 1;
        end = std::min(end, last > run.kv_begin ? last - run.kv_begin : 0);
      }
      float* grad = sight.grad + kv_head * kv_block_floats(in.shape.head_dim);
      for_each_chunk(in, run, kv_head, begin, end, [&](const RowChunk& chunk) {
        add(in, chunk, block(sight, kv_head), memory, grad);
      });
    }
  }
};

}  // namespace

void attention_backward(Compute& compute, const AttentionShape& shape, View<const float> q,
                        View<const float> out, View<const float> lse, View<const float> dout,
                        std::span<const AttentionRun> runs,
                        std::span<float* const* const> grad_blocks, View<float> dq) {
  check_attention_shape(shape);
  HONE_CHECK(runs.size() == grad_blocks.size());
  const size_t heads = shape.kv_head_count;
  const Sights sights = find_sights(shape, runs, grad_blocks);
  const size_t unique = sights.unique_begin.size() - 1;
  const size_t block_floats = transposed_floats(shape.head_dim);
  auto* transposed = reinterpret_cast<float*>(compute.shared_scratch(
      (unique * heads * block_floats + q.rows * shape.head_count) * sizeof(float)));
  View<float> dot(transposed + unique * heads * block_floats, q.rows, shape.head_count);
  const BackwardInputs in{shape, q, lse, dout, dot};
  const Backward backward{compute, in, runs, sights, transposed};

  const auto row_dot = &HWY_DYNAMIC_DISPATCH(RowDot);
  for_row_pieces(compute, q.rows, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) {
      for (size_t h = 0; h < shape.head_count; ++h) {
        const size_t at = h * shape.head_dim;
        dot.row(r)[h] = row_dot(dout.row(r) + at, out.row(r) + at, shape.head_dim);
      }
    }
  });
  compute.pool().run(unique * heads, [&](size_t task, size_t) {
    const Sight& sight = sights.by_block[sights.unique_begin[task / heads]];
    transpose_block(shape.head_dim, sight.data + task % heads * kv_block_floats(shape.head_dim),
                    transposed + task * block_floats);
  });

  struct QueryTask {
    RowChunk chunk;
    size_t run, kv_head;
  };
  std::vector<QueryTask> tasks;
  for (size_t r = 0; r < runs.size(); ++r) {
    for (size_t h = 0; h < heads; ++h) {
      for_each_chunk(in, runs[r], h, 0, runs[r].row_count, [&](const RowChunk& chunk) {
        tasks.push_back({chunk, r, h});
      });
    }
  }
  // Both kinds in one fork: they write different memory.
  const size_t block_tasks = unique * heads;
  compute.pool().run(block_tasks + tasks.size(), [&](size_t task, size_t thread) {
    if (task < block_tasks) {
      backward.key_value_task(task / heads, task % heads, thread);
    } else {
      const QueryTask& t = tasks[task - block_tasks];
      backward.query_task(t.chunk, t.run, t.kv_head, dq, thread);
    }
  });
}

void load_kv_grad(Compute& compute, const AttentionShape& shape, std::span<const AttentionRun> runs,
                  std::span<float* const* const> grad_blocks, View<float> dk, View<float> dv) {
  check_attention_shape(shape);
  const size_t heads = shape.kv_head_count;
  const size_t n = shape.head_dim;
  compute.pool().run(runs.size() * heads, [&](size_t task, size_t) {
    const AttentionRun& run = runs[task / heads];
    const size_t head = task % heads;
    for (size_t i = 0; i < run.row_count; ++i) {
      const size_t index = run.kv_begin + i;
      const float* grad = grad_blocks[task / heads][index / kKvBlock] + head * kv_block_floats(n);
      float* k_row = dk.row(run.row_begin + i) + head * n;
      float* v_row = dv.row(run.row_begin + i) + head * n;
      for (size_t d = 0; d < n; ++d) {
        k_row[d] = grad[k_offset(n, index % kKvBlock, d)] + 0.0f;
        v_row[d] = grad[v_offset(n, index % kKvBlock, d)] + 0.0f;
      }
    }
  });
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
