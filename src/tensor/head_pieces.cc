#include "tensor/head_pieces.h"

#include <algorithm>

namespace hone::tensor {

namespace {

constexpr size_t kDlogitBytes = size_t{16} << 20;
constexpr size_t kGradientRows = 256;  // share one transposed piece of the head

// Where the piece that begins at row `begin` ends, so that it cuts no group; `begin` when it would.
size_t piece_end(size_t begin, size_t rows, size_t most, std::span<const TokenGroup> groups) {
  size_t end = std::min(rows, begin + most);
  for (const TokenGroup& group : groups) {
    if (group.begin < end && end < group.end) end = group.begin;
  }
  return std::max(begin, end);
}

}  // namespace

size_t tiles_at_once(size_t rows, size_t vocabulary) {
  const size_t tile_bytes = rows * kVocabularyTile * sizeof(float);
  return std::clamp<size_t>(kDlogitBytes / tile_bytes, 1, tile_count(vocabulary));
}

void add_hidden_gradient(const HeadRows& rows, View<const float> dlogits, size_t n_begin,
                         float* sums) {
  const MatmulKernels& kernels = *matmul_kernels();
  const size_t k_panels = divide_up(rows.w.k, kPanel);
  const size_t k_tasks = divide_up(k_panels, kHeadUnpackPanels);
  const size_t row_pieces = divide_up(rows.count(), kGradientRows);
  rows.compute.pool().run(k_tasks * row_pieces, [&](size_t task, size_t thread) {
    auto* transposed =
        reinterpret_cast<float*>(rows.compute.scratch(thread, kHeadUnpackedFloats * sizeof(float)));
    const size_t panel = task / row_pieces * kHeadUnpackPanels;
    const size_t panels = std::min(kHeadUnpackPanels, k_panels - panel);
    const size_t row = task % row_pieces * kGradientRows;
    for (size_t n = 0; n < dlogits.cols; n += kHeadUnpackK) {
      const size_t nc = std::min(kHeadUnpackK, dlogits.cols - n);
      kernels.unpack_transposed(rows.w, panel, panels, n_begin + n, nc, transposed);
      kernels.multiply(dlogits.row(row) + n, dlogits.stride,
                       std::min(kGradientRows, rows.count() - row), transposed, nc * kPanel, panels,
                       nc, sums + row * k_panels * kPanel + panel * kPanel, k_panels * kPanel,
                       n_begin + n == 0);
    }
  });
}

void store_hidden_gradient(const float* sums, View<float> dhidden) {
  const size_t columns = sum_columns(dhidden.cols);
  for (size_t r = 0; r < dhidden.rows; ++r) {
    std::copy_n(sums + r * columns, dhidden.cols, dhidden.row(r));
  }
}

void add_weight_gradient(const HeadRows& rows, View<const float> dlogits, size_t n_begin,
                         const FixedGradient* dw, std::span<const TokenGroup> groups,
                         FixedStatistics& statistics) {
  if (dw == nullptr) return;
  const FixedGradient part{dw->values + n_begin * rows.w.k, dw->exponent};
  const FixedStatistics one =
      matmul_backward_weight(rows.compute, dlogits, rows.hidden, groups, part);
  statistics.overflow |= one.overflow;
  statistics.flushed_to_zero += one.flushed_to_zero;
}

std::vector<float> coefficient_sums(std::span<const HeadTarget> targets, size_t rows) {
  std::vector<float> sums(rows, 0.0f);
  for (const HeadTarget& target : targets) sums[target.row] += target.coefficient;
  return sums;
}

std::vector<size_t> piece_ends(size_t rows, size_t most, std::span<const TokenGroup> groups) {
  if (most == 0) return {};
  if (groups.empty()) most = divide_up(rows, divide_up(rows, most));
  std::vector<size_t> ends;
  for (size_t begin = 0; begin < rows; begin = ends.back()) {
    const size_t end = piece_end(begin, rows, most, groups);
    if (end == begin) return {};
    ends.push_back(end);
  }
  return ends;
}

std::vector<TokenGroup> groups_inside(std::span<const TokenGroup> groups, size_t begin,
                                      size_t end) {
  std::vector<TokenGroup> inside;
  for (const TokenGroup& group : groups) {
    if (group.begin >= begin && group.end <= end) {
      inside.push_back({group.begin - begin, group.end - begin});
    }
  }
  return inside;
}

}  // namespace hone::tensor
