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

// What both halves of the gradient read of a chunk: its query rows [kChunkRows][padded], its dout as
// panels [padded / 16][kChunkRows][16], and then for each block that it sees its weights.
inline size_t chunk_floats(size_t head_dim) { return 2 * kChunkRows * padded_dim(head_dim); }
// Of a chunk and a block: p, then ds, each [kChunkRows][kKvBlock].
constexpr size_t kWeightFloats = 2 * kChunkRows * kKvBlock;

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

// In: scores and dout v; out: p and ds.
HWY_INLINE void WeightsRow(float* HWY_RESTRICT scores, float* HWY_RESTRICT grads, size_t begin,
                           size_t end, VisibleRange visible, float scale, float lse, float dot) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const size_t lanes = hn::Lanes(d);
  const auto factor = hn::Set(d, scale);
  const auto sum = hn::Set(d, lse);
  const auto mean = hn::Set(d, dot);
  const auto first = hn::Set(di, static_cast<int32_t>(visible.begin));
  const auto last = hn::Set(di, static_cast<int32_t>(visible.end));
  for (size_t j = begin; j < end; j += lanes) {
    const auto t = hn::Mul(hn::Load(d, scores + j), factor);
    const auto index = hn::Iota(di, static_cast<int32_t>(j));
    const auto seen = hn::AndNot(hn::Lt(index, first), hn::Lt(index, last));
    const auto p = hn::IfThenElseZero(hn::RebindMask(d, seen), Exp(d, hn::Sub(t, sum)));
    hn::Store(p, d, scores + j);
    const auto dp = hn::Load(d, grads + j);
    hn::Store(hn::Mul(hn::Mul(p, hn::Sub(dp, mean)), factor), d, grads + j);
  }
}

// The positions of a block that any row of the chunk sees.
VisibleRange AnyVisible(const BackwardInputs& in, const RowChunk& chunk, size_t block) {
  VisibleRange any{kKvBlock, 0};
  for (size_t i = 0; i < chunk.rows; ++i) {
    const VisibleRange seen =
        visible_range(in.shape, chunk.run->kv_begin + chunk.position(i), block);
    if (seen.begin >= seen.end) continue;
    any.begin = std::min(any.begin, seen.begin);
    any.end = std::max(any.end, seen.end);
  }
  return any;
}

// Fills p and ds of a chunk against a block, where any row sees something.
void ChunkWeights(const BackwardInputs& in, const RowChunk& chunk, const BlockData& block,
                  VisibleRange any, float* p, float* ds) {
  const size_t head_dim = in.shape.head_dim;
  const size_t panel_begin = any.begin / 16;
  const size_t panel_end = (any.end + 15) / 16;
  TileArgs t;
  t.a_step = 1;
  t.b_rows = head_dim;
  t.k_begin = 0;
  t.k_end = head_dim;
  t.c_row = kKvBlock;
  t.c_panel = 16;
  for (size_t first = 0; first < chunk.rows; first += kGroupRows) {
    const size_t rows = std::min(kGroupRows, chunk.rows - first);
    for (size_t r = 0; r < rows; ++r) {
      t.a[r] = in.q.row(chunk.row(first + r)) + chunk.head(first + r) * head_dim;
    }
    t.b = block.forward;
    t.ahead = t.b;
    t.c = p + first * kKvBlock;
    TileProduct<false>(rows, t, panel_begin, panel_end);
    for (size_t r = 0; r < rows; ++r) {
      t.a[r] = in.dout.row(chunk.row(first + r)) + chunk.head(first + r) * head_dim;
    }
    t.b = block.transposed + padded_dim(head_dim) * kKvBlock;
    t.ahead = t.b;
    t.c = ds + first * kKvBlock;
    TileProduct<false>(rows, t, panel_begin, panel_end);
    for (size_t r = 0; r < rows; ++r) {
      const size_t i = first + r;
      const VisibleRange seen =
          visible_range(in.shape, chunk.run->kv_begin + chunk.position(i), block.index);
      WeightsRow(p + i * kKvBlock, ds + i * kKvBlock, panel_begin * 16, panel_end * 16, seen,
                 in.shape.scale, in.lse.row(chunk.row(i))[chunk.head(i)],
                 in.dot.row(chunk.row(i))[chunk.head(i)]);
    }
  }
}

// Called for one block after another, ascending; state is [rows][padded], zero at first. Leaves the
// weights of chunk and block in `weights`; part is memory like state.
void AddQueryGradient(const BackwardInputs& in, const RowChunk& chunk, const BlockData& block,
                      float* weights, float* part, float* state) {
  const Floats d;
  const size_t padded = padded_dim(in.shape.head_dim);
  float* ds = weights + kChunkRows * kKvBlock;
  const VisibleRange any = AnyVisible(in, chunk, block.index);
  if (any.begin >= any.end) return;
  ChunkWeights(in, chunk, block, any, weights, ds);
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

// dk and dv of one block and kv head from one chunk of rows: `rows_of_chunk` as pack_rows left them, `weights`
// as AddQueryGradient did.
void AddKeyValueGradient(const BackwardInputs& in, const RowChunk& chunk, size_t block,
                         const float* rows_of_chunk, const float* weights, float* grad) {
  const size_t head_dim = in.shape.head_dim;
  const size_t padded = padded_dim(head_dim);
  const float* p = weights;
  const float* ds = p + kChunkRows * kKvBlock;
  const float* q_rows = rows_of_chunk;
  const float* dout_panels = q_rows + kChunkRows * padded;
  const VisibleRange any = AnyVisible(in, chunk, block);
  if (any.begin >= any.end) return;
  TileArgs t;
  t.k_begin = 0;
  t.k_end = chunk.rows;
  t.c_row = 16;
  // dk: rows are dims, lanes are positions.
  t.a_step = padded;
  t.b = ds;
  t.b_rows = 1;
  t.b_step = kKvBlock;
  t.ahead = t.b;
  t.c_panel = head_dim * 16;
  for (size_t dim = 0; dim < head_dim; dim += kGroupRows) {
    const size_t rows = std::min(kGroupRows, head_dim - dim);
    for (size_t r = 0; r < rows; ++r) t.a[r] = q_rows + dim + r;
    t.c = grad + dim * 16;
    TileProduct<true>(rows, t, any.begin / 16, (any.end + 15) / 16);
  }
  // dv: rows are positions, lanes are dims.
  t.a_step = kKvBlock;
  t.b = dout_panels;
  t.b_rows = kChunkRows;
  t.b_step = 16;
  t.ahead = t.b;
  t.c_panel = kKvBlock * 16;
  for (size_t j = any.begin; j < any.end; j += kGroupRows) {
    const size_t rows = std::min(kGroupRows, any.end - j);
    for (size_t r = 0; r < rows; ++r) t.a[r] = p + j + r;
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

// Calls visit(chunk, the blocks that it sees) for the rows of a run and kv head, ascending.
template <typename Visit>
void for_each_chunk(const AttentionShape& shape, const AttentionRun& run, size_t kv_head,
                    const Visit& visit) {
  const size_t group = shape.head_count / shape.kv_head_count;
  // A group above the chunk is cut by heads; then a chunk is one position.
  const size_t heads = std::min(group, kChunkRows);
  const size_t positions = group <= kChunkRows ? kChunkRows / group : 1;
  for (size_t p = 0; p < run.row_count; p += positions) {
    const size_t rows = std::min(positions, run.row_count - p);
    const size_t begin = run.kv_begin + p;
    for (size_t h = 0; h < group; h += heads) {
      const size_t count = std::min(heads, group - h);
      visit(RowChunk{&run, p, rows * count, kv_head * group + h, count},
            visible_blocks(shape, begin, begin + rows));
    }
  }
}

// What a query task needs for itself: the sum over blocks, and one block's part.
size_t backward_scratch_bytes(size_t head_dim) {
  return 2 * kChunkRows * padded_dim(head_dim) * sizeof(float);
}

void pack_rows(const BackwardInputs& in, const RowChunk& chunk, float* to) {
  const size_t head_dim = in.shape.head_dim;
  const size_t padded = padded_dim(head_dim);
  float* panels = to + kChunkRows * padded;
  for (size_t i = 0; i < chunk.rows; ++i) {
    const size_t at = chunk.head(i) * head_dim;
    std::memcpy(to + i * padded, in.q.row(chunk.row(i)) + at, head_dim * sizeof(float));
    const float* dout = in.dout.row(chunk.row(i)) + at;
    for (size_t c = 0; c < padded; c += 16) {
      float* out = panels + (c * kChunkRows + i * 16);
      const size_t count = std::min<size_t>(16, head_dim - c);
      std::memset(out + count, 0, (16 - count) * sizeof(float));
      std::memcpy(out, dout + c, count * sizeof(float));
    }
  }
}

struct QueryTask {
  RowChunk chunk;
  size_t run, kv_head;
  VisibleRange blocks;
  float* memory = nullptr;  // chunk_floats, then kWeightFloats a block

  size_t floats(size_t head_dim) const {
    return chunk_floats(head_dim) + (blocks.end - blocks.begin) * kWeightFloats;
  }
  float* weights(size_t head_dim, size_t block) const {
    return memory + chunk_floats(head_dim) + (block - blocks.begin) * kWeightFloats;
  }
};

// What one chunk gives to one gradient block of one kv head.
struct Gift {
  size_t target;  // unique block * kv heads + kv head
  size_t task, block;
};

// Chunks in the order of the contract, so many that their weights fit into `most` floats; one at
// least. `begin` moves on.
std::vector<QueryTask> next_slab(const std::vector<QueryTask>& all, size_t head_dim, size_t most,
                                 float* memory, size_t& begin) {
  std::vector<QueryTask> slab;
  for (size_t used = 0; begin < all.size(); ++begin) {
    const size_t more = all[begin].floats(head_dim);
    if (!slab.empty() && used + more > most) break;
    slab.push_back(all[begin]);
    slab.back().memory = memory + used;
    used += more;
  }
  return slab;
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
  void query_task(const QueryTask& task, View<float> dq, size_t thread) const {
    const size_t head_dim = in.shape.head_dim;
    const size_t padded = padded_dim(head_dim);
    const RowChunk& chunk = task.chunk;
    float* state = scratch(thread);
    float* part = state + kChunkRows * padded;
    const auto add = &HWY_DYNAMIC_DISPATCH(AddQueryGradient);
    pack_rows(in, chunk, task.memory);
    std::fill_n(state, chunk.rows * padded, 0.0f);
    for (size_t b = task.blocks.begin; b < task.blocks.end; ++b) {
      const Sight sight{nullptr, runs[task.run].blocks[b], task.run, b, unique(task, b)};
      add(in, chunk, block(sight, task.kv_head), task.weights(head_dim, b), part, state);
    }
    for (size_t i = 0; i < chunk.rows; ++i) {
      float* out = dq.row(chunk.row(i)) + chunk.head(i) * head_dim;
      for (size_t d = 0; d < head_dim; ++d) out[d] = state[i * padded + d] + 0.0f;
    }
  }

  size_t unique(const QueryTask& task, size_t b) const {
    return sights.unique_of_run[task.run][b - sights.first_block[task.run]];
  }

  // All that the slab gives to one gradient block of one kv head, in order.
  void key_value_task(std::span<const QueryTask> slab, std::span<const Gift> gifts) const {
    const auto add = &HWY_DYNAMIC_DISPATCH(AddKeyValueGradient);
    const size_t head_dim = in.shape.head_dim;
    for (const Gift& gift : gifts) {
      const QueryTask& task = slab[gift.task];
      const size_t first = sights.unique_begin[gift.target / in.shape.kv_head_count];
      float* grad = sights.by_block[first].grad + task.kv_head * kv_block_floats(head_dim);
      add(in, task.chunk, gift.block, task.memory, task.weights(head_dim, gift.block), grad);
    }
  }

  // Weights and dq of the slab's chunks, then what they give to the gradient blocks.
  void run_slab(std::span<const QueryTask> slab, View<float> dq) const {
    compute.pool().run(slab.size(),
                       [&](size_t task, size_t thread) { query_task(slab[task], dq, thread); });
    std::vector<Gift> gifts;
    for (size_t i = 0; i < slab.size(); ++i) {
      for (size_t b = slab[i].blocks.begin; b < slab[i].blocks.end; ++b) {
        gifts.push_back({unique(slab[i], b) * in.shape.kv_head_count + slab[i].kv_head, i, b});
      }
    }
    std::stable_sort(gifts.begin(), gifts.end(),
                     [](const Gift& a, const Gift& b) { return a.target < b.target; });
    std::vector<size_t> begins;
    for (size_t i = 0; i < gifts.size(); ++i) {
      if (i == 0 || gifts[i].target != gifts[i - 1].target) begins.push_back(i);
    }
    begins.push_back(gifts.size());
    compute.pool().run(begins.size() - 1, [&](size_t task, size_t) {
      key_value_task(slab, std::span<const Gift>(gifts).subspan(begins[task],
                                                                begins[task + 1] - begins[task]));
    });
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
  std::vector<QueryTask> tasks;
  size_t slab_floats = 0, largest = 0;
  for (size_t r = 0; r < runs.size(); ++r) {
    for (size_t h = 0; h < heads; ++h) {
      for_each_chunk(shape, runs[r], h, [&](const RowChunk& chunk, VisibleRange blocks) {
        tasks.push_back({chunk, r, h, blocks});
        largest = std::max(largest, tasks.back().floats(shape.head_dim));
        slab_floats += tasks.back().floats(shape.head_dim);
      });
    }
  }
  slab_floats = std::max(largest, std::min(slab_floats, kAttentionSlabBytes / sizeof(float)));
  const size_t dots = padded_dim(q.rows * shape.head_count);
  auto* transposed = reinterpret_cast<float*>(
      compute.shared_scratch((unique * heads * block_floats + dots + slab_floats) * sizeof(float)));
  View<float> dot(transposed + unique * heads * block_floats, q.rows, shape.head_count);
  float* slab_memory = dot.data + dots;
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

  for (size_t begin = 0; begin < tasks.size();) {
    backward.run_slab(next_slab(tasks, shape.head_dim, slab_floats, slab_memory, begin), dq);
  }
}

void load_kv_grad(Compute& compute, const AttentionShape& shape, std::span<const AttentionRun> runs,
                  std::span<float* const* const> grad_blocks, View<float> dk, View<float> dv) {
  check_attention_shape(shape);
  const size_t heads = shape.kv_head_count;
  const size_t n = shape.head_dim;
  const std::vector<BlockPiece> pieces = block_pieces(runs);
  compute.pool().run(pieces.size() * heads, [&](size_t task, size_t) {
    const BlockPiece& piece = pieces[task / heads];
    const size_t head = task % heads;
    const float* grad = grad_blocks[piece.run][piece.block] + head * kv_block_floats(n);
    for (size_t i = 0; i < piece.rows;) {
      const size_t position = piece.position + i;
      const size_t count = std::min(16 - position % 16, piece.rows - i);  // of one panel
      const float* from = grad + k_offset(n, position, 0);
      float* k_row = dk.row(piece.row + i) + head * n;
      for (size_t d = 0; d < n; ++d) {
        for (size_t j = 0; j < count; ++j) k_row[j * dk.stride + d] = from[d * 16 + j] + 0.0f;
      }
      for (size_t j = 0; j < count; ++j) {
        float* v_row = dv.row(piece.row + i + j) + head * n;
        for (size_t d = 0; d < n; ++d) v_row[d] = grad[v_offset(n, position + j, d)] + 0.0f;
      }
      i += count;
    }
  });
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
