#include "tensor/log_softmax.h"

#include <algorithm>
#include <vector>

#include "tensor/log_softmax_rows.h"
#include "tensor/matmul_kernels.h"
#include "tensor/tile_stride.h"

namespace hone::tensor {

namespace {

constexpr size_t kRowsPerPass = 512;
constexpr size_t kUnpackPanels = 6;
constexpr size_t kUnpackK = 768;  // a multiple of the contract's 256
constexpr size_t kDlogitBytes = size_t{16} << 20;
constexpr size_t kUnpackedFloats = kUnpackPanels * kUnpackK * kPanel;
constexpr size_t kLogitStride = tile_stride(kVocabularyTile);  // of one tile's logits
constexpr size_t kGradientRows = 256;  // share one transposed piece of the head

size_t tile_count(size_t vocabulary) { return divide_up(vocabulary, kVocabularyTile); }
size_t tile_columns(size_t vocabulary, size_t tile) {
  return std::min(kVocabularyTile, vocabulary - tile * kVocabularyTile);
}

// Logits of one tile with matmul's bits; ld at least the tile's columns rounded up to 16.
void tile_logits(const PanelView& w, View<const float> hidden, size_t tile, float* unpacked,
                 float* logits, size_t ld) {
  const MatmulKernels& kernels = *matmul_kernels();
  const size_t begin = tile * kVocabularyTile / kPanel;
  const size_t end = std::min(w.panels(), begin + kVocabularyTile / kPanel);
  for (size_t panel = begin; panel < end; panel += kUnpackPanels) {
    const size_t panels = std::min(kUnpackPanels, end - panel);
    for (size_t k = 0; k < w.k; k += kUnpackK) {
      const size_t kc = std::min(kUnpackK, w.k - k);
      kernels.unpack(w, panel, panels, k, kc, unpacked);
      kernels.multiply(hidden.data + k, hidden.stride, hidden.rows, unpacked, kc * kPanel, panels,
                       kc, logits + (panel - begin) * kPanel, ld, k == 0);
    }
  }
}

// Targets in the order of their rows, the given order kept inside a row.
std::vector<uint32_t> sort_by_row(std::span<const HeadTarget> targets) {
  std::vector<uint32_t> order(targets.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return targets[a].row < targets[b].row; });
  return order;
}

// Calls visit(index of a target) for the targets of rows [begin, end) whose token is in the tile.
template <typename Visit>
void targets_of_tile(std::span<const HeadTarget> targets, std::span<const uint32_t> order,
                     size_t begin, size_t end, size_t tile, const Visit& visit) {
  auto at = std::lower_bound(order.begin(), order.end(), begin,
                             [&](uint32_t i, size_t row) { return targets[i].row < row; });
  for (; at != order.end() && targets[*at].row < end; ++at) {
    if (static_cast<size_t>(targets[*at].token) / kVocabularyTile == tile) visit(*at);
  }
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

}  // namespace

void head_log_probs(Compute& compute, View<const float> hidden, const PanelMatrix& weights,
                    std::span<const HeadTarget> targets, float* log_probs, HeadRowResult* rows) {
  check_head(hidden, weights, targets);
  const PanelView w = panel_view(weights);
  const size_t tiles = tile_count(w.n);
  const std::vector<uint32_t> order = sort_by_row(targets);
  for (size_t first = 0; first < hidden.rows; first += kRowsPerPass) {
    const size_t count = std::min(kRowsPerPass, hidden.rows - first);
    auto* sums = reinterpret_cast<TileSum*>(
        compute.shared_scratch(tiles * count * sizeof(TileSum)));  // [tile][row]
    compute.pool().run(tiles, [&](size_t tile, size_t thread) {
      auto* unpacked = reinterpret_cast<float*>(
          compute.scratch(thread, (kUnpackedFloats + kRowsPerPass * kLogitStride) * sizeof(float)));
      float* logits = unpacked + kUnpackedFloats;
      tile_logits(w, hidden.slice_rows(first, count), tile, unpacked, logits, kLogitStride);
      for (size_t r = 0; r < count; ++r) {
        sums[tile * count + r] =
            tile_sum(logits + r * kLogitStride, tile_columns(w.n, tile), tile * kVocabularyTile);
      }
      targets_of_tile(targets, order, first, first + count, tile, [&](uint32_t i) {
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

FixedStatistics head_backward(Compute& compute, View<const float> hidden,
                              const PanelMatrix& weights, std::span<const HeadTarget> targets,
                              const float* lse, View<float> dhidden, const FixedGradient* dw,
                              std::span<const TokenGroup> groups) {
  check_head(hidden, weights, targets);
  HONE_CHECK(dhidden.rows == hidden.rows && dhidden.cols == hidden.cols);
  FixedStatistics statistics;
  if (hidden.rows == 0) return statistics;
  const MatmulKernels& kernels = *matmul_kernels();
  const PanelView w = panel_view(weights);
  const std::vector<uint32_t> order = sort_by_row(targets);
  std::vector<float> coefficients(hidden.rows, 0.0f);
  for (const HeadTarget& target : targets) coefficients[target.row] += target.coefficient;

  const size_t rows = hidden.rows;
  const size_t tile_bytes = rows * kVocabularyTile * sizeof(float);
  const size_t tiles_at_once = std::clamp<size_t>(kDlogitBytes / tile_bytes, 1, tile_count(w.n));
  const size_t ld = tile_stride(tiles_at_once * kVocabularyTile);
  const size_t k_panels = divide_up(w.k, kPanel);
  Tensor dlogits(rows, ld);
  Tensor sums(rows, k_panels * kPanel);
  const size_t row_pieces = divide_up(rows, kGradientRows);

  for (size_t first = 0; first < tile_count(w.n); first += tiles_at_once) {
    const size_t tiles = std::min(tiles_at_once, tile_count(w.n) - first);
    const size_t n_begin = first * kVocabularyTile;
    const size_t n_count = std::min(w.n - n_begin, tiles * kVocabularyTile);
    compute.pool().run(tiles, [&](size_t task, size_t thread) {
      auto* unpacked =
          reinterpret_cast<float*>(compute.scratch(thread, 2 * kUnpackedFloats * sizeof(float)));
      const size_t tile = first + task;
      float* out = dlogits.data() + task * kVocabularyTile;
      tile_logits(w, hidden, tile, unpacked, out, ld);
      for (size_t r = 0; r < rows; ++r) {
        tile_gradient(out + r * ld, tile_columns(w.n, tile), lse[r], coefficients[r]);
      }
      targets_of_tile(targets, order, 0, rows, tile, [&](uint32_t i) {
        out[targets[i].row * ld + static_cast<size_t>(targets[i].token) % kVocabularyTile] +=
            targets[i].coefficient;
      });
    });
    const size_t k_tasks = divide_up(k_panels, kUnpackPanels);
    compute.pool().run(k_tasks * row_pieces, [&](size_t task, size_t thread) {
      auto* transposed =
          reinterpret_cast<float*>(compute.scratch(thread, 2 * kUnpackedFloats * sizeof(float)));
      const size_t panel = task / row_pieces * kUnpackPanels;
      const size_t panels = std::min(kUnpackPanels, k_panels - panel);
      const size_t row = task % row_pieces * kGradientRows;
      for (size_t n = 0; n < n_count; n += kUnpackK) {
        const size_t nc = std::min(kUnpackK, n_count - n);
        kernels.unpack_transposed(w, panel, panels, n_begin + n, nc, transposed);
        kernels.multiply(dlogits.data() + row * ld + n, ld, std::min(kGradientRows, rows - row),
                         transposed, nc * kPanel, panels, nc,
                         sums.data() + row * sums.cols() + panel * kPanel, sums.cols(),
                         n_begin + n == 0);
      }
    });
    if (dw != nullptr) {
      const FixedGradient part{dw->values + n_begin * w.k, dw->exponent};
      const FixedStatistics one = matmul_backward_weight(
          compute, View<const float>(dlogits.data(), rows, n_count, ld), hidden, groups, part);
      statistics.overflow |= one.overflow;
      statistics.flushed_to_zero += one.flushed_to_zero;
    }
  }
  for (size_t r = 0; r < rows; ++r) {
    std::copy_n(sums.data() + r * sums.cols(), dhidden.cols, dhidden.row(r));
  }
  return statistics;
}

}  // namespace hone::tensor
