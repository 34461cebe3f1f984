#pragma once
// One task of attention: a tile of query rows of one kv head against a range of blocks. Tiles that
// see many blocks while other cores would idle are cut into ranges; a range leaves one record per
// (block, row), and the records are merged in ascending order afterwards, as the uncut tile would.

#include <cstddef>

#include "tensor/attention.h"

namespace hone::tensor {

constexpr size_t kTilePositions = 16;  // times the query heads of a kv head = rows of a tile
constexpr size_t kTileRowsMax = 64;

struct AttentionTask {
  const AttentionShape* shape;
  const AttentionRun* run;
  size_t kv_head;
  size_t position_begin, position_count;  // inside the run
  size_t head_begin, head_count;          // query heads, inside the kv head's group
  size_t block_begin, block_end;
  float* records;  // null: the task covers all its blocks and writes the result itself

  size_t rows() const { return position_count * head_count; }
};

// A record: M, L (0: the row saw nothing of the block), then 16 floats in, O.
inline size_t record_floats(size_t head_dim) { return 16 + (head_dim + 15) / 16 * 16; }
inline size_t attention_scratch_bytes(size_t head_dim) {
  const size_t padded = (head_dim + 15) / 16 * 16;
  return (kTileRowsMax * record_floats(head_dim) + 6 * kKvBlock + 6 * padded) * sizeof(float);
}

}  // namespace hone::tensor
