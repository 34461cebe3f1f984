#pragma once
// Where things lie inside a block, and which positions a row sees: shared by the kernels of
// attention and of its gradient.

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "base/check.h"
#include "tensor/attention.h"

namespace hone::tensor {

inline size_t padded_dim(size_t head_dim) { return (head_dim + 15) / 16 * 16; }

inline size_t k_offset(size_t head_dim, size_t position, size_t dim) {
  return (position / 16 * head_dim + dim) * 16 + position % 16;
}
inline size_t v_offset(size_t head_dim, size_t position, size_t dim) {
  return kKvBlock * head_dim + (dim / 16 * kKvBlock + position) * 16 + dim % 16;
}

// Visible positions of a block, [begin, end) inside it; empty when begin >= end.
struct VisibleRange {
  size_t begin, end;
};
inline VisibleRange visible_range(const AttentionShape& shape, size_t kv_index, size_t block) {
  const size_t first =
      shape.window == 0 || kv_index + 1 < shape.window ? 0 : kv_index + 1 - shape.window;
  const size_t base = block * kKvBlock;
  const size_t begin = first > base ? first - base : 0;
  const size_t end = kv_index + 1 > base ? std::min(kKvBlock, kv_index + 1 - base) : 0;
  return {begin, end};
}
// Blocks [begin, end) in which at least one of the rows [kv_begin, kv_end) sees something.
inline VisibleRange visible_blocks(const AttentionShape& shape, size_t kv_begin, size_t kv_end) {
  const size_t first =
      shape.window == 0 || kv_begin + 1 < shape.window ? 0 : kv_begin + 1 - shape.window;
  return {first / kKvBlock, (kv_end - 1) / kKvBlock + 1};
}

// The rows of a run that lie in one block, from `position` in it on.
struct BlockPiece {
  size_t run, row, rows, block, position;
};
inline std::vector<BlockPiece> block_pieces(std::span<const AttentionRun> runs) {
  std::vector<BlockPiece> pieces;
  for (size_t r = 0; r < runs.size(); ++r) {
    for (size_t i = 0; i < runs[r].row_count;) {
      const size_t index = runs[r].kv_begin + i;
      const size_t rows = std::min(kKvBlock - index % kKvBlock, runs[r].row_count - i);
      pieces.push_back({r, runs[r].row_begin + i, rows, index / kKvBlock, index % kKvBlock});
      i += rows;
    }
  }
  return pieces;
}

inline void check_attention_shape(const AttentionShape& shape) {
  HONE_CHECK(shape.head_dim != 0 && shape.head_dim <= kMaxHeadDim);
  HONE_CHECK(shape.kv_head_count != 0 && shape.head_count % shape.kv_head_count == 0);
}

}  // namespace hone::tensor
