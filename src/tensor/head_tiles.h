#pragma once
// What the fused head's forward and backward share (log_softmax.h): how its columns are cut, the
// logits of one piece, and which targets lie in it.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/log_softmax.h"
#include "tensor/log_softmax_rows.h"
#include "tensor/matmul_kernels.h"

namespace hone::tensor {

inline constexpr size_t kHeadUnpackPanels = 6;
inline constexpr size_t kHeadUnpackK = 768;  // a multiple of the contract's 256
inline constexpr size_t kHeadUnpackedFloats = kHeadUnpackPanels * kHeadUnpackK * kPanel;

inline size_t tile_count(size_t vocabulary) { return divide_up(vocabulary, kVocabularyTile); }
inline size_t tile_columns(size_t vocabulary, size_t tile) {
  return std::min(kVocabularyTile, vocabulary - tile * kVocabularyTile);
}

// Logits of one tile with matmul's bits; ld at least the tile's columns rounded up to 16.
void tile_logits(const PanelView& w, View<const float> hidden, size_t tile, float* unpacked,
                 float* logits, size_t ld);

// Targets in the order of their rows, the given order kept inside a row.
class TargetsByRow {
 public:
  explicit TargetsByRow(std::span<const HeadTarget> targets);

  // Calls visit(index of a target) for the targets of rows [begin, end) whose token is in the tile.
  template <typename Visit>
  void of_tile(size_t begin, size_t end, size_t tile, const Visit& visit) const {
    auto at = std::lower_bound(order_.begin(), order_.end(), begin,
                               [&](uint32_t i, size_t row) { return targets_[i].row < row; });
    for (; at != order_.end() && targets_[*at].row < end; ++at) {
      if (static_cast<size_t>(targets_[*at].token) / kVocabularyTile == tile) visit(*at);
    }
  }

 private:
  std::span<const HeadTarget> targets_;
  std::vector<uint32_t> order_;
};

void check_head(View<const float> hidden, const PanelMatrix& weights,
                std::span<const HeadTarget> targets);

// What the sums of a row's tiles, `stride` apart, make together.
HeadRowResult join_tiles(const TileSum* sums, size_t tiles, size_t stride);

}  // namespace hone::tensor
