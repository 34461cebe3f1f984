// The fused head's gradient. Pieces of rows, and of each some tiles of columns at a time: their
// dlogits, then dhidden and dw from them. The logits are computed again, or, where the coefficients
// were known before them, kept from the forward.

#include <algorithm>
#include <vector>

#include "tensor/entropy_gradient.h"
#include "tensor/head_pieces.h"

namespace hone::tensor {

namespace {

size_t dlogit_stride(size_t rows, size_t vocabulary) {
  return tile_stride(tiles_at_once(rows, vocabulary) * kVocabularyTile);
}
size_t kept_rows(size_t vocabulary) {
  return kKeptLogitBytes / (kept_stride(vocabulary) * sizeof(float));
}

// In: logits of a tile; out: dlogits.
// entropy: a row each, or null.
void gradient_of_tile(const HeadRows& rows, size_t tile, const float* lse,
                      const float* coefficients, float* at, size_t ld,
                      const EntropyTerm* entropy = nullptr) {
  for (size_t r = 0; r < rows.count(); ++r) {
    const size_t columns = tile_columns(rows.w.n, tile);
    if (entropy == nullptr) {
      tile_gradient(at + r * ld, columns, lse[r], coefficients[r]);
    } else {
      tile_gradient(at + r * ld, columns, lse[r], coefficients[r], entropy[r]);
    }
  }
  rows.targets_at(tile, ld,
                  [&](uint32_t i, size_t place) { at[place] += rows.targets[i].coefficient; });
}

// Log-probabilities of a piece with all its logits kept [row][ld], then its gradient in place.
void piece_at_once(const HeadRows& rows, const float* coefficients, float* kept, TileSum* tile_sums,
                   float* sums, float* log_probs, HeadRowResult* results, View<float> dhidden,
                   const FixedGradient* dw, std::span<const TokenGroup> groups,
                   FixedStatistics& statistics) {
  const size_t count = rows.count(), tiles = rows.tiles(), ld = kept_stride(rows.w.n);
  rows.compute.pool().run(tiles, [&](size_t tile, size_t thread) {
    auto* unpacked =
        reinterpret_cast<float*>(rows.compute.scratch(thread, kHeadUnpackedFloats * sizeof(float)));
    float* at = kept + tile * kVocabularyTile;
    tile_logits(rows.w, rows.hidden, tile, unpacked, at, ld);
    for (size_t r = 0; r < count; ++r) {
      tile_sums[tile * count + r] =
          tile_sum(at + r * ld, tile_columns(rows.w.n, tile), tile * kVocabularyTile);
    }
    rows.targets_at(tile, ld, [&](uint32_t i, size_t place) { log_probs[i] = at[place]; });
  });
  std::vector<float> lse(count);
  for (size_t r = 0; r < count; ++r) {
    results[r] = join_tiles(tile_sums + r, tiles, count);
    lse[r] = results[r].lse;
  }
  const size_t step = tiles_at_once(count, rows.w.n);
  for (size_t first = 0; first < tiles; first += step) {
    const size_t n_begin = first * kVocabularyTile;
    float* at = kept + n_begin;
    rows.compute.pool().run(std::min(step, tiles - first), [&](size_t task, size_t) {
      gradient_of_tile(rows, first + task, lse.data(), coefficients, at + task * kVocabularyTile,
                       ld);
    });
    const View<const float> dlogits(at, count, std::min(rows.w.n - n_begin, step * kVocabularyTile),
                                    ld);
    add_hidden_gradient(rows, dlogits, n_begin, sums);
    add_weight_gradient(rows, dlogits, n_begin, dw, groups, statistics);
  }
  store_hidden_gradient(sums, dhidden);
}

FixedStatistics backward_by_tiles(Compute& compute, View<const float> hidden,
                                  const PanelMatrix& weights, std::span<const HeadTarget> targets,
                                  const float* lse, const EntropyTerm* entropy, View<float> dhidden,
                                  const FixedGradient* dw, std::span<const TokenGroup> groups,
                                  Buffer& memory) {
  check_head(hidden, weights, targets);
  HONE_CHECK(dhidden.rows == hidden.rows && dhidden.cols == hidden.cols);
  FixedStatistics statistics;
  if (hidden.rows == 0) return statistics;
  const TargetsByRow by_row(targets);
  const HeadRows rows{compute, panel_view(weights), hidden, targets, by_row, 0};
  const std::vector<float> coefficients = coefficient_sums(targets, hidden.rows);
  const size_t step = tiles_at_once(hidden.rows, rows.w.n);
  const size_t ld = dlogit_stride(hidden.rows, rows.w.n);
  float* buffer = floats_of(memory, hidden.rows * (ld + sum_columns(hidden.cols)));
  float* sums = buffer + hidden.rows * ld;
  for (size_t first = 0; first < rows.tiles(); first += step) {
    const size_t n_begin = first * kVocabularyTile;
    compute.pool().run(std::min(step, rows.tiles() - first), [&](size_t task, size_t thread) {
      auto* unpacked =
          reinterpret_cast<float*>(compute.scratch(thread, kHeadUnpackedFloats * sizeof(float)));
      float* at = buffer + task * kVocabularyTile;
      tile_logits(rows.w, hidden, first + task, unpacked, at, ld);
      gradient_of_tile(rows, first + task, lse, coefficients.data(), at, ld, entropy);
    });
    const View<const float> dlogits(buffer, hidden.rows,
                                    std::min(rows.w.n - n_begin, step * kVocabularyTile), ld);
    add_hidden_gradient(rows, dlogits, n_begin, sums);
    add_weight_gradient(rows, dlogits, n_begin, dw, groups, statistics);
  }
  store_hidden_gradient(sums, dhidden);
  return statistics;
}

}  // namespace

size_t head_gradient_bytes(size_t rows, size_t hidden, size_t vocabulary, bool at_once) {
  if (rows == 0) return 0;
  const size_t again = rows * (dlogit_stride(rows, vocabulary) + sum_columns(hidden));
  const size_t pieces = std::min(rows, kept_rows(vocabulary));
  const size_t kept = pieces * (kept_stride(vocabulary) + sum_columns(hidden)) +
                      pieces * tile_count(vocabulary) * sizeof(TileSum) / sizeof(float);
  return sizeof(float) * (at_once ? std::max(again, kept) : again);
}

FixedStatistics head_backward(Compute& compute, View<const float> hidden,
                              const PanelMatrix& weights, std::span<const HeadTarget> targets,
                              const float* lse, View<float> dhidden, const FixedGradient* dw,
                              std::span<const TokenGroup> groups, Buffer& memory) {
  return backward_by_tiles(compute, hidden, weights, targets, lse, nullptr, dhidden, dw, groups,
                           memory);
}

FixedStatistics head_backward_with_entropy(Compute& compute, View<const float> hidden,
                                           const PanelMatrix& weights,
                                           std::span<const HeadTarget> targets,
                                           std::span<const HeadRowResult> rows,
                                           std::span<const float> by_entropy, View<float> dhidden,
                                           const FixedGradient* dw,
                                           std::span<const TokenGroup> groups, Buffer& memory) {
  HONE_CHECK(rows.size() == hidden.rows && by_entropy.size() == hidden.rows);
  std::vector<float> lse;
  std::vector<EntropyTerm> terms;
  for (size_t r = 0; r < rows.size(); ++r) {
    lse.push_back(rows[r].lse);
    terms.push_back({rows[r].entropy, by_entropy[r]});
  }
  return backward_by_tiles(compute, hidden, weights, targets, lse.data(), terms.data(), dhidden, dw,
                           groups, memory);
}

FixedStatistics head_at_once(Compute& compute, View<const float> hidden, const PanelMatrix& weights,
                             std::span<const HeadTarget> targets, float* log_probs,
                             HeadRowResult* results, View<float> dhidden, const FixedGradient* dw,
                             std::span<const TokenGroup> groups, Buffer& memory) {
  check_head(hidden, weights, targets);
  HONE_CHECK(dhidden.rows == hidden.rows && dhidden.cols == hidden.cols);
  FixedStatistics statistics;
  if (hidden.rows == 0) return statistics;
  const PanelView w = panel_view(weights);
  const std::vector<size_t> ends = piece_ends(
      hidden.rows, kept_rows(w.n), dw == nullptr ? std::span<const TokenGroup>() : groups);
  if (ends.empty()) {
    head_log_probs(compute, hidden, weights, targets, log_probs, results);
    std::vector<float> lse;
    for (size_t r = 0; r < hidden.rows; ++r) lse.push_back(results[r].lse);
    return head_backward(compute, hidden, weights, targets, lse.data(), dhidden, dw, groups,
                         memory);
  }
  const TargetsByRow by_row(targets);
  const std::vector<float> coefficients = coefficient_sums(targets, hidden.rows);
  size_t most = 0;
  for (size_t i = 0; i < ends.size(); ++i) most = std::max(most, ends[i] - (i ? ends[i - 1] : 0));
  const size_t ld = kept_stride(w.n), tiles = tile_count(w.n);
  float* kept = floats_of(memory, most * (ld + sum_columns(hidden.cols)) +
                                      most * tiles * sizeof(TileSum) / sizeof(float));
  float* sums = kept + most * ld;
  auto* tile_sums = reinterpret_cast<TileSum*>(sums + most * sum_columns(hidden.cols));
  size_t begin = 0;
  for (const size_t end : ends) {
    const size_t count = end - begin;
    const HeadRows rows{compute, w, hidden.slice_rows(begin, count), targets, by_row, begin};
    piece_at_once(rows, coefficients.data() + begin, kept, tile_sums, sums, log_probs,
                  results + begin, dhidden.slice_rows(begin, count), dw,
                  groups_inside(groups, begin, end), statistics);
    begin = end;
  }
  for (size_t i = 0; i < targets.size(); ++i) log_probs[i] -= results[targets[i].row].lse;
  return statistics;
}

}  // namespace hone::tensor
