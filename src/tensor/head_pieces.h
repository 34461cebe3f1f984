#pragma once
// What the fused heads' gradients share (log_softmax.h, distillation_head.h): pieces of rows, some tiles
// of columns at a time, and from their dlogits dhidden and dw.

#include <span>
#include <vector>

#include "tensor/head_tiles.h"
#include "tensor/memory.h"
#include "tensor/tile_stride.h"

namespace hone::tensor {

inline constexpr size_t kKeptLogitBytes = size_t{64} << 20;

// How many tiles of columns have dlogits at once: 16 MB of them.
size_t tiles_at_once(size_t rows, size_t vocabulary);
// Of a row whose logits are all kept: whole tiles.
inline size_t kept_stride(size_t vocabulary) {
  return tile_stride(tile_count(vocabulary) * kVocabularyTile);
}
// Of dhidden's sums: whole panels.
inline size_t sum_columns(size_t hidden) { return divide_up(hidden, kPanel) * kPanel; }

inline float* floats_of(Buffer& memory, size_t count) {
  if (memory.bytes() < count * sizeof(float)) memory = Buffer(count * sizeof(float));
  return memory.as<float>();
}

// Rows [first, first + count()) of the head, and what is asked of them.
struct HeadRows {
  Compute& compute;
  PanelView w;
  View<const float> hidden;  // of these rows
  std::span<const HeadTarget> targets;
  const TargetsByRow& by_row;
  size_t first;

  size_t count() const { return hidden.rows; }
  size_t tiles() const { return tile_count(w.n); }

  // Calls at(index of a target, its place among a tile's logits).
  template <typename Visit>
  void targets_at(size_t tile, size_t ld, const Visit& at) const {
    by_row.of_tile(first, first + count(), tile, [&](uint32_t i) {
      at(i,
         (targets[i].row - first) * ld + static_cast<size_t>(targets[i].token) % kVocabularyTile);
    });
  }
};

// sums [rows][sum_columns] (+)= dlogits times rows [n_begin, n_begin + dlogits.cols) of the head;
// n_begin 0 begins them.
void add_hidden_gradient(const HeadRows& rows, View<const float> dlogits, size_t n_begin,
                         float* sums);
void store_hidden_gradient(const float* sums, View<float> dhidden);
// dw (null: none) += dlogits^T hidden, group by group.
void add_weight_gradient(const HeadRows& rows, View<const float> dlogits, size_t n_begin,
                         const FixedGradient* dw, std::span<const TokenGroup> groups,
                         FixedStatistics& statistics);

// f32 sum of each row's coefficients, in the order given.
std::vector<float> coefficient_sums(std::span<const HeadTarget> targets, size_t rows);

// Ends of consecutive pieces of at most `most` rows, of nearly equal size where there are no groups,
// that cut no group; empty when a group is longer.
std::vector<size_t> piece_ends(size_t rows, size_t most, std::span<const TokenGroup> groups);
// The groups inside [begin, end), counted from begin.
std::vector<TokenGroup> groups_inside(std::span<const TokenGroup> groups, size_t begin, size_t end);

}  // namespace hone::tensor
