#include "tensor/log_softmax.h"

#include <algorithm>
#include <vector>

#include "tensor/head_tiles.h"
#include "tensor/tile_stride.h"

namespace hone::tensor {

namespace {

constexpr size_t kRowsPerPass = 512;
constexpr size_t kLogitStride = tile_stride(kVocabularyTile);  // of one tile's logits

}  // namespace

void tile_logits(const PanelView& w, View<const float> hidden, size_t tile, float* unpacked,
                 float* logits, size_t ld) {
  const MatmulKernels& kernels = *matmul_kernels();
  const size_t begin = tile * kVocabularyTile / kPanel;
  const size_t end = std::min(w.panels(), begin + kVocabularyTile / kPanel);
  for (size_t panel = begin; panel < end; panel += kHeadUnpackPanels) {
    const size_t panels = std::min(kHeadUnpackPanels, end - panel);
    for (size_t k = 0; k < w.k; k += kHeadUnpackK) {
      const size_t kc = std::min(kHeadUnpackK, w.k - k);
      kernels.unpack(w, panel, panels, k, kc, unpacked);
      kernels.multiply(hidden.data + k, hidden.stride, hidden.rows, unpacked, kc * kPanel, panels,
                       kc, logits + (panel - begin) * kPanel, ld, k == 0);
    }
  }
}

TargetsByRow::TargetsByRow(std::span<const HeadTarget> targets)
    : targets_(targets), order_(targets.size()) {
  for (size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<uint32_t>(i);
  std::stable_sort(order_.begin(), order_.end(),
                   [&](uint32_t a, uint32_t b) { return targets[a].row < targets[b].row; });
}

void check_head(View<const float> hidden, const PanelMatrix& weights,
                std::span<const HeadTarget> targets) {
  HONE_CHECK(hidden.cols == weights.cols() && weights.rows() != 0);
  for (const HeadTarget& target : targets) {
    HONE_CHECK(target.row < hidden.rows && target.token >= 0 &&
               static_cast<size_t>(target.token) < weights.rows());
  }
}

HeadRowResult join_tiles(const TileSum* sums, size_t tiles, size_t stride) {
  TileSum state = sums[0];
  for (size_t t = 1; t < tiles; ++t) join_tile(state, sums[t * stride]);
  return finish_tiles(state);
}

void head_log_probs(Compute& compute, View<const float> hidden, const PanelMatrix& weights,
                    std::span<const HeadTarget> targets, float* log_probs, HeadRowResult* rows) {
  check_head(hidden, weights, targets);
  const PanelView w = panel_view(weights);
  const size_t tiles = tile_count(w.n);
  const TargetsByRow by_row(targets);
  for (size_t first = 0; first < hidden.rows; first += kRowsPerPass) {
    const size_t count = std::min(kRowsPerPass, hidden.rows - first);
    auto* sums = reinterpret_cast<TileSum*>(
        compute.shared_scratch(tiles * count * sizeof(TileSum)));  // [tile][row]
    compute.pool().run(tiles, [&](size_t tile, size_t thread) {
      auto* unpacked = reinterpret_cast<float*>(compute.scratch(
          thread, (kHeadUnpackedFloats + kRowsPerPass * kLogitStride) * sizeof(float)));
      float* logits = unpacked + kHeadUnpackedFloats;
      tile_logits(w, hidden.slice_rows(first, count), tile, unpacked, logits, kLogitStride);
      for (size_t r = 0; r < count; ++r) {
        sums[tile * count + r] =
            tile_sum(logits + r * kLogitStride, tile_columns(w.n, tile), tile * kVocabularyTile);
      }
      by_row.of_tile(first, first + count, tile, [&](uint32_t i) {
        log_probs[i] = logits[(targets[i].row - first) * kLogitStride +
                              static_cast<size_t>(targets[i].token) % kVocabularyTile];
      });
    });
    for (size_t r = 0; r < count; ++r) rows[first + r] = join_tiles(sums + r, tiles, count);
  }
  for (size_t i = 0; i < targets.size(); ++i) log_probs[i] -= rows[targets[i].row].lse;
}

void log_softmax_rows(Compute& compute, View<const float> logits, HeadRowResult* rows) {
  if (logits.rows == 0) return;
  HONE_CHECK(logits.cols != 0);
  const size_t tiles = tile_count(logits.cols);
  auto* sums = reinterpret_cast<TileSum*>(
      compute.shared_scratch(tiles * logits.rows * sizeof(TileSum)));  // [row][tile]
  compute.pool().run(logits.rows * tiles, [&](size_t task, size_t) {
    const size_t begin = task % tiles * kVocabularyTile;
    sums[task] =
        tile_sum(logits.row(task / tiles) + begin, tile_columns(logits.cols, task % tiles), begin);
  });
  for (size_t r = 0; r < logits.rows; ++r) rows[r] = join_tiles(sums + r * tiles, tiles, 1);
}

void head_log_probs_reference(View<const float> hidden, const PanelMatrix& weights,
                              std::span<const HeadTarget> targets, float* log_probs,
                              HeadRowResult* rows) {
  check_head(hidden, weights, targets);
  const size_t vocabulary = weights.rows();
  Tensor logits(hidden.rows, vocabulary);
  const MatmulPart part{hidden, &weights, logits.view()};
  matmul_reference({&part, 1});
  for (size_t r = 0; r < hidden.rows; ++r) {
    std::vector<TileSum> sums;
    for (size_t t = 0; t < tile_count(vocabulary); ++t) {
      const size_t begin = t * kVocabularyTile;
      sums.push_back(
          tile_sum_reference(logits.view().row(r) + begin, tile_columns(vocabulary, t), begin));
    }
    rows[r] = join_tiles(sums.data(), sums.size(), 1);
  }
  for (size_t i = 0; i < targets.size(); ++i) {
    const HeadTarget& target = targets[i];
    log_probs[i] =
        logits.view().row(target.row)[static_cast<size_t>(target.token)] - rows[target.row].lse;
  }
}

}  // namespace hone::tensor
