// The plain twins of the ways into and out of attention's blocks, from the layout that attention.h
// states: K in panels of 16 positions, V in panels of 16 dims.

#include "tensor/attention.h"
#include "tensor/attention_backward.h"

namespace hone::tensor {

namespace {

// Where value `dim` of a position lies in a block of one kv head.
struct Place {
  size_t k, v;
};
Place place_of(size_t head_dim, size_t position, size_t dim) {
  const size_t k = position / 16 * (head_dim * 16) + dim * 16 + position % 16;
  const size_t v = dim / 16 * (kKvBlock * 16) + position * 16 + dim % 16;
  return {k, kKvBlock * head_dim + v};
}

// Calls visit(row, column of k and v, block, offset of the kv head, place) for every value.
template <typename Visit>
void for_each_value(const AttentionShape& shape, const AttentionRun& run, const Visit& visit) {
  for (size_t i = 0; i < run.row_count; ++i) {
    const size_t index = run.kv_begin + i;
    for (size_t head = 0; head < shape.kv_head_count; ++head) {
      for (size_t dim = 0; dim < shape.head_dim; ++dim) {
        visit(run.row_begin + i, head * shape.head_dim + dim, index / kKvBlock,
              head * kv_block_floats(shape.head_dim),
              place_of(shape.head_dim, index % kKvBlock, dim));
      }
    }
  }
}

}  // namespace

void store_kv_reference(const AttentionShape& shape, View<const float> k, View<const float> v,
                        std::span<const AttentionRun> runs) {
  for (const AttentionRun& run : runs) {
    for_each_value(shape, run, [&](size_t row, size_t column, size_t b, size_t head, Place place) {
      auto* block = const_cast<float*>(run.blocks[b]) + head;
      block[place.k] = k.row(row)[column];
      block[place.v] = v.row(row)[column];
    });
  }
}

void load_kv_grad_reference(const AttentionShape& shape, std::span<const AttentionRun> runs,
                            std::span<float* const* const> grad_blocks, View<float> dk,
                            View<float> dv) {
  for (size_t at = 0; at < runs.size(); ++at) {
    for_each_value(shape, runs[at],
                   [&](size_t row, size_t column, size_t b, size_t head, Place place) {
                     const float* block = grad_blocks[at][b] + head;
                     dk.row(row)[column] = block[place.k] + 0.0f;
                     dv.row(row)[column] = block[place.v] + 0.0f;
                   });
  }
}

}  // namespace hone::tensor
