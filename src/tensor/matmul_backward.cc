// Cutting the two gradients into tasks. dX is the forward product with panels of W^T, transposed
// piece by piece into scratch; dW multiplies packed token blocks and adds integers.

#include <algorithm>
#include <bit>
#include <vector>

#include "tensor/matmul.h"
#include "tensor/matmul_kernels.h"

namespace hone::tensor {

namespace {

constexpr size_t kTaskPanels = 6;
constexpr size_t kTaskRows = 512;
constexpr size_t kUnpackedN = 768;
constexpr size_t kTasksPerThread = 4;
constexpr size_t kPackedBytes = size_t{16} << 20;  // of tokens packed at a time for dW

}  // namespace

void matmul_backward_input(Compute& compute, std::span<const MatmulInputTerm> terms, View<float> dx,
                           bool accumulate) {
  for (const MatmulInputTerm& term : terms) {
    HONE_CHECK(term.weights != nullptr && term.weights->cols() == dx.cols);
    HONE_CHECK(term.dy.rows == dx.rows && term.dy.cols == term.weights->rows());
  }
  if (dx.rows == 0 || dx.cols == 0 || terms.empty()) return;
  const MatmulKernels& kernels = *matmul_kernels();
  const size_t panels = divide_up(dx.cols, kPanel);
  const size_t panel_tasks = divide_up(panels, kTaskPanels);
  const size_t wanted = kTasksPerThread * compute.threads();
  size_t rows = std::min(dx.rows, kTaskRows);
  if (panel_tasks < wanted) {
    // Every piece of rows transposes the weights again: not below 128 rows.
    const size_t pieces = divide_up(wanted, panel_tasks);
    rows = std::clamp(divide_up(dx.rows, pieces), std::min(rows, size_t{128}), rows);
  }
  const size_t row_tasks = divide_up(dx.rows, rows);
  const bool plain = terms.size() == 1 && !accumulate && terms[0].scale == 1.0f;
  const size_t ld_sums = kTaskPanels * kPanel;
  const size_t scratch_bytes = (rows * ld_sums + kUnpackedN * ld_sums) * sizeof(float);

  compute.pool().run(panel_tasks * row_tasks, [&](size_t task, size_t thread) {
    auto* scratch = reinterpret_cast<float*>(compute.scratch(thread, scratch_bytes));
    float* transposed = scratch + rows * ld_sums;
    const size_t panel = task / row_tasks * kTaskPanels;
    const size_t count = std::min(kTaskPanels, panels - panel);
    const size_t row = task % row_tasks * rows;
    const size_t piece_rows = std::min(rows, dx.rows - row);
    const size_t columns = std::min(dx.cols - panel * kPanel, count * kPanel);
    const bool direct = plain && columns == count * kPanel;
    float* sums = direct ? dx.row(row) + panel * kPanel : scratch;
    const size_t ld = direct ? dx.stride : ld_sums;
    for (size_t t = 0; t < terms.size(); ++t) {
      const MatmulInputTerm& term = terms[t];
      const PanelView w = panel_view(*term.weights);
      if (w.n == 0) {
        for (size_t r = 0; r < piece_rows; ++r) std::fill_n(sums + r * ld, columns, 0.0f);
      }
      for (size_t n = 0; n < w.n; n += kUnpackedN) {
        const size_t nc = std::min(kUnpackedN, w.n - n);
        kernels.unpack_transposed(w, panel, count, n, nc, transposed);
        kernels.multiply(term.dy.row(row) + n, term.dy.stride, piece_rows, transposed, nc * kPanel,
                         count, nc, sums, ld, n == 0);
      }
      if (direct) continue;
      const bool add = accumulate || t > 0;
      for (size_t r = 0; r < piece_rows; ++r) {
        float* to = dx.row(row + r) + panel * kPanel;
        const float* from = sums + r * ld;
        if (!add) {
          for (size_t i = 0; i < columns; ++i) to[i] = term.scale * from[i];
        } else {
          kernels.store_sums(from, to, columns, nullptr, true, term.scale);
        }
      }
    }
  });
}

namespace {

// Tokens of a round are packed for the tiles, group after group: x as [tile of k][token][rows], dy as
// [panel][token][16].

void pack_x(View<const float> x, const TokenGroup& group, size_t k, size_t rows, float* to) {
  for (size_t t = group.begin; t < group.end; ++t, to += rows) {
    const float* from = x.row(t) + k;
    for (size_t r = 0; r < rows; ++r) to[r] = from[r];
  }
}

void pack_dy(View<const float> dy, const TokenGroup& group, size_t panel, float* to) {
  const size_t n = panel * kPanel;
  const size_t columns = std::min(kPanel, dy.cols - n);
  for (size_t t = group.begin; t < group.end; ++t, to += kPanel) {
    const float* from = dy.row(t) + n;
    if (columns == kPanel) {
      for (size_t i = 0; i < kPanel; ++i) to[i] = from[i];
    } else {
      for (size_t i = 0; i < kPanel; ++i) to[i] = i < columns ? from[i] : 0.0f;
    }
  }
}

// How many of the groups fit into one packed round; at least one.
size_t groups_of_round(std::span<const TokenGroup> groups, size_t floats_per_token) {
  size_t tokens = 0, count = 0;
  for (const TokenGroup& group : groups) {
    tokens += group.end - group.begin;
    if (count != 0 && tokens * floats_per_token * sizeof(float) > kPackedBytes) break;
    ++count;
  }
  return count;
}

}  // namespace

FixedStatistics matmul_backward_weight(Compute& compute, View<const float> dy, View<const float> x,
                                       std::span<const TokenGroup> groups, FixedGradient grad) {
  HONE_CHECK(dy.rows == x.rows);
  HONE_CHECK(grad.exponent >= -60 && grad.exponent <= 140);
  for (const TokenGroup& group : groups) {
    HONE_CHECK(group.begin <= group.end && group.end <= x.rows);
    HONE_CHECK(group.end - group.begin <= kChain);
  }
  FixedStatistics statistics;
  if (dy.cols == 0 || x.cols == 0) return statistics;
  const MatmulKernels& kernels = *matmul_kernels();
  const size_t panels = divide_up(dy.cols, kPanel);
  const size_t tiles = divide_up(x.cols, kernels.tile_rows);
  const size_t tile = divide_up(x.cols, tiles);  // nearly equal ones: 16 is 8 + 8, not 14 + 2
  const size_t threads = compute.threads();
  std::vector<WeightStatistics> per_thread(threads);

  while (!groups.empty()) {
    const std::span<const TokenGroup> round =
        groups.first(groups_of_round(groups, x.cols + panels * kPanel));
    groups = groups.subspan(round.size());
    std::vector<size_t> before;  // tokens of the round before each group
    size_t tokens = 0;
    for (const TokenGroup& group : round) {
      before.push_back(tokens);
      tokens += group.end - group.begin;
    }
    auto* packed_x = reinterpret_cast<float*>(
        compute.shared_scratch(tokens * (panels * kPanel + x.cols) * sizeof(float)));
    float* packed_dy = packed_x + tokens * x.cols;

    // Packing: a task is four tiles of x or four panels of dy.
    const size_t x_tasks = divide_up(tiles, 4), dy_tasks = divide_up(panels, 4);
    compute.pool().run(x_tasks + dy_tasks, [&](size_t task, size_t) {
      for (size_t g = 0; g < round.size(); ++g) {
        const size_t count = round[g].end - round[g].begin;
        if (task < x_tasks) {
          for (size_t i = task * 4; i < std::min(tiles, task * 4 + 4); ++i) {
            pack_x(x, round[g], i * tile, std::min(tile, x.cols - i * tile),
                   packed_x + before[g] * x.cols + i * tile * count);
          }
        } else {
          const size_t first = (task - x_tasks) * 4;
          for (size_t p = first; p < std::min(panels, first + 4); ++p) {
            pack_dy(dy, round[g], p, packed_dy + (before[g] * panels + p * count) * kPanel);
          }
        }
      }
    });

    // A task is a rectangle of panels and tiles of k; all groups for one stripe before the next, so
    // that the gradient is read and written once.
    const size_t task_panels = 8;
    const size_t panel_tasks = divide_up(panels, task_panels);
    const size_t pieces = divide_up(kTasksPerThread * threads, panel_tasks);
    const size_t task_tiles = std::max<size_t>(1, divide_up(tiles, pieces));
    const size_t tile_tasks = divide_up(tiles, task_tiles);
    compute.pool().run(panel_tasks * tile_tasks, [&](size_t task, size_t thread) {
      WeightBlock block;
      block.exponent = grad.exponent;
      block.gradient_stride = x.cols * kPanel;
      const size_t panel = task / tile_tasks * task_panels;
      block.panels = std::min(task_panels, panels - panel);
      const size_t first = task % tile_tasks * task_tiles;
      WeightStatistics local;
      for (size_t i = first; i < std::min(tiles, first + task_tiles); ++i) {
        block.rows = std::min(tile, x.cols - i * tile);
        block.gradient = grad.values + (panel * x.cols + i * tile) * kPanel;
        for (size_t g = 0; g < round.size(); ++g) {
          block.tokens = round[g].end - round[g].begin;
          if (block.tokens == 0) continue;
          block.x = packed_x + before[g] * x.cols + i * tile * block.tokens;
          block.dy = packed_dy + (before[g] * panels + panel * block.tokens) * kPanel;
          kernels.accumulate_weight(block, &local);
        }
      }
      per_thread[thread].largest = std::max(per_thread[thread].largest, local.largest);
      per_thread[thread].flushed_to_zero += local.flushed_to_zero;
    });
  }
  const float limit = std::bit_cast<float>(static_cast<uint32_t>(50 - grad.exponent + 127) << 23);
  for (const WeightStatistics& one : per_thread) {
    if (!(one.largest < limit)) statistics.overflow = true;
    statistics.flushed_to_zero += one.flushed_to_zero;
  }
  return statistics;
}

}  // namespace hone::tensor
