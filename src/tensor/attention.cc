#include "tensor/attention.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/attention_layout.h"
#include "tensor/attention_tasks.h"
#include "tensor/math.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/attention.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/attention-inl.h"
#include "tensor/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {

// In: 64 products; out: their weights. Only [begin, end), multiples of 16, is touched.
HWY_INLINE void SoftmaxRow(float* HWY_RESTRICT s, size_t begin, size_t end, VisibleRange visible,
                           float scale, float* max_out, float* sum_out) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const size_t lanes = hn::Lanes(d);
  const auto factor = hn::Set(d, scale);
  const auto lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  const bool all = visible.begin <= begin && visible.end >= end;
  auto largest = lowest;
  for (size_t j = begin; j < end; j += lanes) {
    auto t = hn::Mul(hn::Load(d, s + j), factor);
    if (!all) {
      const auto at = hn::Iota(di, static_cast<int32_t>(j));
      const auto seen = hn::AndNot(hn::Lt(at, hn::Set(di, static_cast<int32_t>(visible.begin))),
                                   hn::Lt(at, hn::Set(di, static_cast<int32_t>(visible.end))));
      t = hn::IfThenElse(hn::RebindMask(d, seen), t, lowest);  // its weight becomes exactly 0
    }
    hn::Store(t, d, s + j);
    largest = hn::Max(largest, t);
  }
  const auto max = hn::MaxOfLanes(d, largest);
  HWY_ALIGN float sums[16];
  for (size_t c = 0; c < 16; c += lanes) {
    auto acc = hn::Zero(d);
    for (size_t j = begin + c; j < end; j += 16) {
      const auto p = Exp(d, hn::Sub(hn::Load(d, s + j), max));
      hn::Store(p, d, s + j);
      acc = hn::Add(acc, p);
    }
    hn::Store(acc, d, sums + c);
  }
  *max_out = hn::GetLane(max);
  *sum_out = Tree16(sums);
}

// record = record joined with (m, l, o); n is a multiple of 16.
HWY_INLINE void Join(float* HWY_RESTRICT record, float m, float l, const float* HWY_RESTRICT o,
                     size_t n) {
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  float* HWY_RESTRICT into = record + 16;
  if (record[1] == 0.0f) {
    record[0] = m;
    record[1] = l;
    std::memcpy(into, o, n * sizeof(float));
    return;
  }
  const bool keeps = record[0] >= m;
  // One lane would do; the scalar function would call libm's fma from a baseline file.
  const auto scale = Exp(d, hn::Neg(hn::Abs(hn::Set(d, record[0] - m))));
  const float e = hn::GetLane(scale);
  if (keeps) {
    record[1] = std::fma(l, e, record[1]);
    for (size_t i = 0; i < n; i += lanes) {
      hn::Store(hn::MulAdd(hn::Load(d, o + i), scale, hn::Load(d, into + i)), d, into + i);
    }
  } else {
    record[0] = m;
    record[1] = std::fma(record[1], e, l);
    for (size_t i = 0; i < n; i += lanes) {
      hn::Store(hn::MulAdd(hn::Load(d, into + i), scale, hn::Load(d, o + i)), d, into + i);
    }
  }
}

// out = O / L, lse = M + ln L.
HWY_INLINE void Finish(const float* record, size_t head_dim, float* out, float* lse) {
  const Floats d;
  const auto inverse = hn::Set(d, 1.0f / record[1]);
  ForVectors(d, head_dim, [&](size_t i, size_t count) HWY_ATTR {
    StoreCount(hn::MulAdd(hn::Load(d, record + 16 + i), inverse, hn::Zero(d)), d, out + i, count);
  });
  if (lse != nullptr) {
    *lse = static_cast<float>(static_cast<double>(record[0]) +
                              log_f64(static_cast<double>(record[1])));
  }
}

// Rows [first, first + rows) of the tile against one block.
void GroupBlock(const AttentionTask& task, View<const float> q, size_t block, size_t first,
                size_t rows, float* scores, float* products, float* records) {
  const AttentionShape& shape = *task.shape;
  const size_t head_dim = shape.head_dim;
  const size_t padded = padded_dim(head_dim);
  const size_t group = shape.head_count / shape.kv_head_count;
  VisibleRange seen[kGroupRows];
  VisibleRange any{kKvBlock, 0};
  TileArgs t;
  for (size_t r = 0; r < rows; ++r) {
    const size_t position = task.position_begin + (first + r) / task.head_count;
    const size_t head = task.kv_head * group + task.head_begin + (first + r) % task.head_count;
    t.a[r] = q.row(task.run->row_begin + position) + head * head_dim;
    seen[r] = visible_range(shape, task.run->kv_begin + position, block);
    if (seen[r].begin >= seen[r].end) continue;
    any.begin = std::min(any.begin, seen[r].begin);
    any.end = std::max(any.end, seen[r].end);
  }
  if (any.begin >= any.end) return;
  const float* data = task.run->blocks[block] + task.kv_head * kv_block_floats(head_dim);
  const size_t panel_begin = any.begin / 16;
  const size_t panel_end = (any.end + 15) / 16;

  t.a_step = 1;
  t.b = data;
  t.ahead = data + kKvBlock * head_dim;
  t.b_rows = head_dim;
  t.k_begin = 0;
  t.k_end = head_dim;
  t.c = scores;
  t.c_row = kKvBlock;
  t.c_panel = 16;
  TileProduct<false>(rows, t, panel_begin, panel_end);

  float max[kGroupRows], sum[kGroupRows];
  for (size_t r = 0; r < rows; ++r) {
    SoftmaxRow(scores + r * kKvBlock, panel_begin * 16, panel_end * 16, seen[r], shape.scale,
               max + r, sum + r);
    t.a[r] = scores + r * kKvBlock;
  }

  t.b = data + kKvBlock * head_dim;
  t.ahead = t.b;
  if (block + 1 < task.block_end) {
    t.ahead = task.run->blocks[block + 1] + task.kv_head * kv_block_floats(head_dim);
  }
  t.b_rows = kKvBlock;
  t.k_begin = any.begin;
  t.k_end = any.end;
  t.c = products;
  t.c_row = padded;
  TileProduct<false>(rows, t, 0, padded / 16);
  for (size_t r = 0; r < rows; ++r) {
    if (seen[r].begin < seen[r].end) {
      Join(records + (first + r) * record_floats(head_dim), max[r], sum[r], products + r * padded,
           padded);
    }
  }
}

void FinishRows(const AttentionTask& task, const float* records, View<float> out, View<float> lse) {
  const AttentionShape& shape = *task.shape;
  const size_t group = shape.head_count / shape.kv_head_count;
  for (size_t i = 0; i < task.rows(); ++i) {
    const size_t row = task.run->row_begin + task.position_begin + i / task.head_count;
    const size_t head = task.kv_head * group + task.head_begin + i % task.head_count;
    Finish(records + i * record_floats(shape.head_dim), shape.head_dim,
           out.row(row) + head * shape.head_dim,
           lse.data == nullptr ? nullptr : lse.row(row) + head);
  }
}

void RunTask(const AttentionTask& task, View<const float> q, View<float> out, View<float> lse,
             float* scratch) {
  const size_t record = record_floats(task.shape->head_dim);
  const size_t rows = task.rows();
  float* state = scratch;
  float* scores = scratch + kTileRowsMax * record;
  float* products = scores + kGroupRows * kKvBlock;
  const size_t groups = (rows + kGroupRows - 1) / kGroupRows;
  const size_t group_rows = (rows + groups - 1) / groups;
  if (task.records == nullptr) {
    for (size_t i = 0; i < rows; ++i) state[i * record + 1] = 0.0f;
  }
  for (size_t block = task.block_begin; block < task.block_end; ++block) {
    if (task.records != nullptr) {
      state = task.records + (block - task.block_begin) * rows * record;
      for (size_t i = 0; i < rows; ++i) state[i * record + 1] = 0.0f;
    }
    for (size_t first = 0; first < rows; first += group_rows) {
      GroupBlock(task, q, block, first, std::min(group_rows, rows - first), scores, products,
                 state);
    }
  }
  if (task.records == nullptr) FinishRows(task, state, out, lse);
}

// The records of `blocks` consecutive blocks of a cut tile; the first ones take up the sum.
void MergeRecords(const AttentionTask& task, size_t blocks, View<float> out, View<float> lse) {
  const size_t record = record_floats(task.shape->head_dim);
  const size_t rows = task.rows();
  for (size_t b = 1; b < blocks; ++b) {
    for (size_t i = 0; i < rows; ++i) {
      const float* next = task.records + (b * rows + i) * record;
      if (next[1] == 0.0f) continue;
      Join(task.records + i * record, next[0], next[1], next + 16,
           padded_dim(task.shape->head_dim));
    }
  }
  FinishRows(task, task.records, out, lse);
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(RunTask);
HWY_EXPORT(MergeRecords);

namespace {

// Calls visit(task) for every tile of every run, uncut, in a fixed order.
template <typename Visit>
void for_each_tile(const AttentionShape& shape, std::span<const AttentionRun> runs,
                   const Visit& visit) {
  const size_t group = shape.head_count / shape.kv_head_count;
  const size_t heads = std::min(group, kTileRowsMax);
  const size_t positions = std::min(kTilePositions, kTileRowsMax / heads);
  for (const AttentionRun& run : runs) {
    for (size_t kv_head = 0; kv_head < shape.kv_head_count; ++kv_head) {
      for (size_t head = 0; head < group; head += heads) {
        for (size_t p = 0; p < run.row_count; p += positions) {
          const size_t count = std::min(positions, run.row_count - p);
          const VisibleRange blocks =
              visible_blocks(shape, run.kv_begin + p, run.kv_begin + p + count);
          visit(AttentionTask{&shape, &run, kv_head, p, count, head, std::min(heads, group - head),
                              blocks.begin, blocks.end, nullptr});
        }
      }
    }
  }
}

// Rows x blocks x head_dim below which a fork costs more than it gains.
constexpr size_t kFloatsOnCaller = 64 * 20;

struct Plan {
  size_t blocks_per_task = 0;  // a tile with more than 1.5 times as many is cut
  size_t tasks = 0, cut_tiles = 0, record_count = 0;
  bool fork = true;

  bool cuts(const AttentionTask& tile) const {
    return 2 * (tile.block_end - tile.block_begin) > 3 * blocks_per_task;
  }
};

Plan make_plan(const AttentionShape& shape, std::span<const AttentionRun> runs, size_t threads) {
  size_t row_blocks = 0, rows_max = 1;
  for_each_tile(shape, runs, [&](const AttentionTask& tile) {
    row_blocks += tile.rows() * (tile.block_end - tile.block_begin);
    rows_max = std::max(rows_max, tile.rows());
  });
  Plan plan;
  plan.fork = row_blocks * shape.head_dim > kFloatsOnCaller;
  if (!plan.fork) threads = 1;
  plan.blocks_per_task =
      threads == 1 ? row_blocks + 1 : std::max<size_t>(1, row_blocks / rows_max / (threads * 6));
  for_each_tile(shape, runs, [&](const AttentionTask& tile) {
    const size_t blocks = tile.block_end - tile.block_begin;
    if (plan.cuts(tile)) {
      plan.tasks += (blocks + plan.blocks_per_task - 1) / plan.blocks_per_task;
      plan.cut_tiles += 1;
      plan.record_count += blocks * tile.rows();
    } else {
      plan.tasks += 1;
    }
  });
  return plan;
}

}  // namespace

size_t kv_block_floats(size_t head_dim) { return kKvBlock * (head_dim + padded_dim(head_dim)); }

void attention(Compute& compute, const AttentionShape& shape, View<const float> q,
               std::span<const AttentionRun> runs, View<float> out, View<float> lse) {
  check_attention_shape(shape);
  HONE_CHECK(q.cols == shape.head_count * shape.head_dim && out.cols == q.cols);
  const Plan plan = make_plan(shape, runs, compute.threads());
  if (plan.tasks == 0) return;
  const size_t record_bytes = plan.record_count * record_floats(shape.head_dim) * sizeof(float);
  std::byte* shared =
      compute.shared_scratch(record_bytes + (plan.tasks + plan.cut_tiles) * sizeof(AttentionTask));
  auto* records = reinterpret_cast<float*>(shared);
  auto* tasks = reinterpret_cast<AttentionTask*>(shared + record_bytes);
  AttentionTask* cut = tasks + plan.tasks;
  size_t task_count = 0, cut_count = 0;
  for_each_tile(shape, runs, [&](const AttentionTask& tile) {
    if (!plan.cuts(tile)) {
      tasks[task_count++] = tile;
      return;
    }
    AttentionTask whole = tile;
    whole.records = records;
    cut[cut_count++] = whole;
    for (size_t b = tile.block_begin; b < tile.block_end; b += plan.blocks_per_task) {
      AttentionTask piece = tile;
      piece.block_begin = b;
      piece.block_end = std::min(tile.block_end, b + plan.blocks_per_task);
      piece.records = records;
      records += (piece.block_end - b) * tile.rows() * record_floats(shape.head_dim);
      tasks[task_count++] = piece;
    }
  });

  const auto run_task = &HWY_DYNAMIC_DISPATCH(RunTask);
  const auto merge = &HWY_DYNAMIC_DISPATCH(MergeRecords);
  const size_t bytes = attention_scratch_bytes(shape.head_dim);
  const auto body = [&](size_t task, size_t thread) {
    run_task(tasks[task], q, out, lse, reinterpret_cast<float*>(compute.scratch(thread, bytes)));
  };
  if (!plan.fork || task_count == 1) {
    for (size_t task = 0; task < task_count; ++task) body(task, 0);
  } else {
    compute.pool().run(task_count, body);
  }
  const auto merge_body = [&](size_t i, size_t) {
    merge(cut[i], cut[i].block_end - cut[i].block_begin, out, lse);
  };
  if (plan.record_count < 4096) {
    for (size_t i = 0; i < cut_count; ++i) merge_body(i, 0);
  } else {
    compute.pool().run(cut_count, merge_body);
  }
}

void store_kv(Compute& compute, const AttentionShape& shape, View<const float> k,
              View<const float> v, std::span<const AttentionRun> runs) {
  check_attention_shape(shape);
  const size_t head_dim = shape.head_dim;
  HONE_CHECK(k.cols == shape.kv_head_count * head_dim && v.cols == k.cols);
  const auto store = [&](const BlockPiece& piece, size_t kv_head) {
    const AttentionRun& run = runs[piece.run];
    // The caller owns the blocks that its new rows fall into (see the header).
    auto* block = const_cast<float*>(run.blocks[piece.block]) + kv_head * kv_block_floats(head_dim);
    const size_t column = kv_head * head_dim;
    for (size_t i = 0; i < piece.rows;) {
      const size_t position = piece.position + i;
      const size_t count = std::min(16 - position % 16, piece.rows - i);  // of one panel
      float* k_out = block + k_offset(head_dim, position, 0);
      const float* k_row = k.row(piece.row + i) + column;
      for (size_t d = 0; d < head_dim; ++d) {
        for (size_t j = 0; j < count; ++j) k_out[d * 16 + j] = k_row[j * k.stride + d];
      }
      for (size_t j = 0; j < count; ++j) {
        const float* v_row = v.row(piece.row + i + j) + column;
        for (size_t d = 0; d < head_dim; ++d) block[v_offset(head_dim, position + j, d)] = v_row[d];
      }
      i += count;
    }
  };
  const size_t heads = shape.kv_head_count;
  const std::vector<BlockPiece> pieces = block_pieces(runs);
  if (k.rows < 16) {
    for (const BlockPiece& piece : pieces) {
      for (size_t h = 0; h < heads; ++h) store(piece, h);
    }
    return;
  }
  compute.pool().run(pieces.size() * heads,
                     [&](size_t task, size_t) { store(pieces[task / heads], task % heads); });
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
