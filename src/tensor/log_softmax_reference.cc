// The plain twins of the fused head's gradient and of the rows of stored logits: one row after
// another over the whole vocabulary, and then matmul's own references.

#include <algorithm>
#include <vector>

#include "tensor/entropy_gradient.h"
#include "tensor/log_softmax.h"
#include "tensor/log_softmax_rows.h"

namespace hone::tensor {

void log_softmax_rows_reference(View<const float> logits, HeadRowResult* rows) {
  for (size_t r = 0; r < logits.rows; ++r) {
    TileSum state;
    for (size_t begin = 0; begin < logits.cols; begin += kVocabularyTile) {
      const size_t count = std::min(kVocabularyTile, logits.cols - begin);
      const TileSum tile = tile_sum_reference(logits.row(r) + begin, count, begin);
      if (begin == 0) {
        state = tile;
      } else {
        join_tile(state, tile);
      }
    }
    rows[r] = finish_tiles(state);
  }
}

namespace {

// entropy: a row each, or null.
FixedStatistics backward_by_rows(View<const float> hidden, const PanelMatrix& weights,
                                 std::span<const HeadTarget> targets, const float* lse,
                                 const EntropyTerm* entropy, View<float> dhidden,
                                 const FixedGradient* dw, std::span<const TokenGroup> groups) {
  Tensor dlogits(hidden.rows, weights.rows());
  const MatmulPart logits{hidden, &weights, dlogits.view()};
  matmul_reference({&logits, 1});
  std::vector<float> sums(hidden.rows, 0.0f);
  for (const HeadTarget& target : targets) sums[target.row] += target.coefficient;
  for (size_t r = 0; r < hidden.rows; ++r) {
    float* row = dlogits.view().row(r);
    if (entropy == nullptr) {
      tile_gradient_reference(row, weights.rows(), lse[r], sums[r]);
    } else {
      tile_gradient_reference(row, weights.rows(), lse[r], sums[r], entropy[r]);
    }
  }
  for (const HeadTarget& target : targets) {
    dlogits.view().row(target.row)[static_cast<size_t>(target.token)] += target.coefficient;
  }
  const MatmulInputTerm term{dlogits.view(), &weights};
  matmul_backward_input_reference({&term, 1}, dhidden, false);
  if (dw == nullptr) return {};
  return matmul_backward_weight_reference(dlogits.view(), hidden, groups, *dw);
}

}  // namespace

FixedStatistics head_backward_reference(View<const float> hidden, const PanelMatrix& weights,
                                        std::span<const HeadTarget> targets, const float* lse,
                                        View<float> dhidden, const FixedGradient* dw,
                                        std::span<const TokenGroup> groups) {
  return backward_by_rows(hidden, weights, targets, lse, nullptr, dhidden, dw, groups);
}

FixedStatistics head_backward_with_entropy_reference(
    View<const float> hidden, const PanelMatrix& weights, std::span<const HeadTarget> targets,
    std::span<const HeadRowResult> rows, std::span<const float> by_entropy, View<float> dhidden,
    const FixedGradient* dw, std::span<const TokenGroup> groups) {
  std::vector<float> lse;
  std::vector<EntropyTerm> terms;
  for (size_t r = 0; r < rows.size(); ++r) {
    lse.push_back(rows[r].lse);
    terms.push_back({rows[r].entropy, by_entropy[r]});
  }
  return backward_by_rows(hidden, weights, targets, lse.data(), terms.data(), dhidden, dw, groups);
}

}  // namespace hone::tensor
