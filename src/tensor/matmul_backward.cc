// Cutting the two gradients into tasks. dX is the forward product with panels of W^T, transposed
// piece by piece into scratch; dW multiplies packed token blocks and adds integers.

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "tensor/matmul.h"
#include "tensor/matmul_kernels.h"

namespace hone::tensor {

namespace {

constexpr size_t kTaskPanels = 6;
constexpr size_t kTaskRows = 1024;  // a piece of the weights is transposed once for all of them
constexpr size_t kUnpackedN = 768;
constexpr size_t kTasksPerThread = 4;

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
    for (size_t t = 0; t < terms.size(); ++t) {
      const MatmulInputTerm& term = terms[t];
      const bool add = accumulate || t > 0;
      const bool direct = !add && term.scale == 1.0f && columns == count * kPanel;
      float* sums = direct ? dx.row(row) + panel * kPanel : scratch;
      const size_t ld = direct ? dx.stride : ld_sums;
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

// The tokens of a round lie packed for the tiles, group after group: x as [tile of k][token][rows],
// for all tasks; dy as [panel][token][16], by each task for its own panels. Where one side is thin
// (an adapter's A and B, a bias) a packed number would be read once or twice: nothing is packed.

constexpr size_t kWeightPanels = 6;        // of a task: 6 x 512 tokens x 64 bytes = 197 KB of L2
constexpr size_t kRoundTokens = 1024;      // or one group
constexpr size_t kRoundBytes = 16u << 20;  // of packed x
constexpr size_t kThin = 64;               // values of a token

// Columns cut into nearly equal tiles of at most `tile_rows`: 16 is 8 + 8, not 14 + 2.
struct Tiles {
  size_t columns = 0, count = 0;
  size_t begin(size_t i) const { return columns * i / count; }
  size_t rows(size_t i) const { return begin(i + 1) - begin(i); }
};

size_t packed_tokens(const TokenGroup& group) {
  return divide_up(group.end - group.begin, kTokenStep) * kTokenStep;
}

void fetch_row(View<const float> from, const TokenGroup& group, size_t token, size_t begin,
               size_t end) {
  constexpr size_t kLine = 64 / sizeof(float);
  const float* row = from.row(std::min(token + kAheadTokens, group.end - 1));
  for (size_t i = begin; i < end; i += kLine) __builtin_prefetch(row + i);
}

// Some tiles of a group, token by token; tile i begins at to + tiles.begin(i) * packed tokens.
void pack_x(View<const float> x, const TokenGroup& group, const Tiles& tiles, size_t tile_begin,
            size_t tile_end, float* to) {
  const size_t packed = packed_tokens(group);
  const size_t first = tiles.begin(tile_begin), last = tiles.begin(tile_end);
  for (size_t t = group.begin; t < group.end; ++t) {
    fetch_row(x, group, t, first, last);
    for (size_t i = tile_begin; i < tile_end; ++i) {
      const size_t rows = tiles.rows(i);
      const float* from = x.row(t) + tiles.begin(i);
      float* out = to + tiles.begin(i) * packed + (t - group.begin) * rows;
      if (rows >= 8) {  // two pieces of a fixed length that may overlap: no loop
        std::memcpy(out, from, 8 * sizeof(float));
        std::memcpy(out + rows - 8, from + rows - 8, 8 * sizeof(float));
      } else {
        for (size_t r = 0; r < rows; ++r) out[r] = from[r];
      }
    }
  }
  const size_t tokens = group.end - group.begin;
  for (size_t i = tile_begin; i < tile_end; ++i) {
    float* rest = to + tiles.begin(i) * packed + tokens * tiles.rows(i);
    std::fill_n(rest, (packed - tokens) * tiles.rows(i), 0.0f);
  }
}

void pack_dy(View<const float> dy, const TokenGroup& group, size_t panel, size_t panels,
             float* to) {
  const size_t packed = packed_tokens(group);
  for (size_t t = group.begin; t < group.end; ++t) {
    const float* from = dy.row(t);
    fetch_row(dy, group, t, panel * kPanel, std::min(dy.cols, (panel + panels) * kPanel));
    for (size_t p = 0; p < panels; ++p) {
      const size_t n = (panel + p) * kPanel;
      float* out = to + (p * packed + t - group.begin) * kPanel;
      if (n + kPanel <= dy.cols) {
        std::memcpy(out, from + n, kPanel * sizeof(float));
      } else {
        for (size_t i = 0; i < kPanel; ++i) out[i] = n + i < dy.cols ? from[n + i] : 0.0f;
      }
    }
  }
  const size_t tokens = group.end - group.begin;
  for (size_t p = 0; p < panels; ++p) {
    std::fill_n(to + (p * packed + tokens) * kPanel, (packed - tokens) * kPanel, 0.0f);
  }
}

// Some groups, packed and multiplied together.
struct Round {
  std::span<const TokenGroup> groups;
  std::vector<size_t> before;  // packed tokens before each group
  size_t tokens = 0;           // packed

  // Takes the first of `all` away: as many as fit, at least one.
  Round(std::span<const TokenGroup>& all, size_t floats_per_token) {
    size_t count = 0;
    for (; count < all.size(); ++count) {
      const size_t more = packed_tokens(all[count]);
      const size_t bytes = (tokens + more) * floats_per_token * sizeof(float);
      if (count != 0 && (tokens + more > kRoundTokens || bytes > kRoundBytes)) break;
      before.push_back(tokens);
      tokens += more;
    }
    groups = all.first(count);
    all = all.subspan(count);
  }
};

void pack_x(Compute& compute, View<const float> x, const Round& round, const Tiles& tiles,
            float* packed) {
  constexpr size_t kTilesPerTask = 4;
  compute.pool().run(divide_up(tiles.count, kTilesPerTask), [&](size_t task, size_t) {
    const size_t begin = task * kTilesPerTask, end = std::min(tiles.count, begin + kTilesPerTask);
    for (size_t g = 0; g < round.groups.size(); ++g) {
      pack_x(x, round.groups[g], tiles, begin, end, packed + round.before[g] * x.cols);
    }
  });
}

// A task: some panels of one part times some tiles of k.
struct WeightTask {
  const WeightPart* part;
  size_t panel, panels, tile_begin, tile_end;
};

std::vector<WeightTask> weight_tasks(std::span<const WeightPart> parts, const Tiles& tiles,
                                     size_t threads) {
  size_t panel_tasks = 0;
  for (const WeightPart& part : parts) {
    panel_tasks += divide_up(divide_up(part.dy.cols, kPanel), kWeightPanels);
  }
  if (panel_tasks == 0) return {};
  const size_t pieces = std::min(divide_up(kTasksPerThread * threads, panel_tasks), tiles.count);
  std::vector<WeightTask> tasks;
  for (const WeightPart& part : parts) {
    const size_t panels = divide_up(part.dy.cols, kPanel);
    for (size_t p = 0; p < panels; p += kWeightPanels) {
      for (size_t i = 0; i < pieces; ++i) {
        tasks.push_back({&part, p, std::min(kWeightPanels, panels - p), tiles.count * i / pieces,
                         tiles.count * (i + 1) / pieces});
      }
    }
  }
  return tasks;
}

// What a task's blocks have in common; the tile, the group and its operands are to be set.
WeightBlock block_of(const WeightTask& task, const Tiles& tiles) {
  WeightBlock block;
  block.exponent = task.part->gradient.exponent;
  block.gradient_stride = tiles.columns * kPanel;
  block.panels = task.panels;
  return block;
}
void go_to_tile(WeightBlock& block, const WeightTask& task, const Tiles& tiles, size_t tile) {
  block.rows = tiles.rows(tile);
  block.gradient =
      task.part->gradient.values + (task.panel * tiles.columns + tiles.begin(tile)) * kPanel;
}

// All groups for one stripe before the next, so that the gradient is read and written once.
WeightStatistics run_weight_task(const WeightTask& task, const Round& round, const Tiles& tiles,
                                 const float* packed_x, float* packed_dy) {
  const MatmulKernels& kernels = *matmul_kernels();
  for (size_t g = 0; g < round.groups.size(); ++g) {
    pack_dy(task.part->dy, round.groups[g], task.panel, task.panels,
            packed_dy + round.before[g] * task.panels * kPanel);
  }
  WeightStatistics statistics;
  WeightBlock block = block_of(task, tiles);
  for (size_t i = task.tile_begin; i < task.tile_end; ++i) {
    go_to_tile(block, task, tiles, i);
    for (size_t g = 0; g < round.groups.size(); ++g) {
      block.tokens = packed_tokens(round.groups[g]);
      if (block.tokens == 0) continue;
      block.fetch = g == 0;
      block.x = packed_x + round.before[g] * tiles.columns + tiles.begin(i) * block.tokens;
      block.dy = packed_dy + round.before[g] * task.panels * kPanel;
      kernels.accumulate_weight(block, &statistics);
    }
  }
  return statistics;
}

WeightStatistics run_thin_task(const WeightTask& task, View<const float> x,
                               std::span<const TokenGroup> groups, const Tiles& tiles) {
  const MatmulKernels& kernels = *matmul_kernels();
  const View<const float> dy = task.part->dy;
  WeightStatistics statistics;
  WeightBlock block = block_of(task, tiles);
  block.packed = false;
  block.x_stride = x.stride;
  block.dy_stride = dy.stride;
  for (size_t i = task.tile_begin; i < task.tile_end; ++i) {
    go_to_tile(block, task, tiles, i);
    for (const TokenGroup& group : groups) {
      block.tokens = group.end - group.begin;
      if (block.tokens == 0) continue;
      block.x = x.row(group.begin) + tiles.begin(i);
      block.dy = dy.row(group.begin) + task.panel * kPanel;
      kernels.accumulate_weight(block, &statistics);
    }
  }
  return statistics;
}

// Whole panels only: a part of one would read, and add up, what lies beside it.
bool is_thin(std::span<const WeightPart> parts, size_t columns) {
  size_t outputs = 0;
  for (const WeightPart& part : parts) {
    if (part.dy.cols % kPanel != 0) return false;
    outputs += part.dy.cols;
  }
  return std::min(columns, outputs) <= kThin;
}

void check_weight_parts(std::span<const WeightPart> parts, View<const float> x,
                        std::span<const TokenGroup> groups) {
  for (const WeightPart& part : parts) {
    HONE_CHECK(part.dy.rows == x.rows);
    HONE_CHECK(part.gradient.exponent >= -60 && part.gradient.exponent <= 140);
  }
  for (const TokenGroup& group : groups) {
    HONE_CHECK(group.begin <= group.end && group.end <= x.rows);
    HONE_CHECK(group.end - group.begin <= kChain);
  }
}

}  // namespace

FixedStatistics matmul_backward_weights(Compute& compute, std::span<const WeightPart> parts,
                                        View<const float> x, std::span<const TokenGroup> groups) {
  check_weight_parts(parts, x, groups);
  FixedStatistics statistics;
  if (x.cols == 0) return statistics;
  const Tiles tiles{x.cols, divide_up(x.cols, matmul_kernels()->tile_rows)};
  const std::vector<WeightTask> tasks = weight_tasks(parts, tiles, compute.threads());
  // Of each task, over all rounds: parts may have exponents of their own.
  std::vector<WeightStatistics> seen(tasks.size());
  const auto add = [&](size_t task, const WeightStatistics& one) {
    seen[task].largest = std::max(seen[task].largest, one.largest);
    seen[task].flushed_to_zero += one.flushed_to_zero;
  };
  if (is_thin(parts, x.cols)) {
    compute.pool().run(tasks.size(), [&](size_t task, size_t) {
      add(task, run_thin_task(tasks[task], x, groups, tiles));
    });
    groups = {};
  }
  while (!groups.empty() && !tasks.empty()) {
    const Round round(groups, x.cols);
    auto* packed_x =
        reinterpret_cast<float*>(compute.shared_scratch(round.tokens * x.cols * sizeof(float)));
    pack_x(compute, x, round, tiles, packed_x);
    const size_t scratch_bytes = round.tokens * kWeightPanels * kPanel * sizeof(float);
    compute.pool().run(tasks.size(), [&](size_t task, size_t thread) {
      auto* packed_dy = reinterpret_cast<float*>(compute.scratch(thread, scratch_bytes));
      add(task, run_weight_task(tasks[task], round, tiles, packed_x, packed_dy));
    });
  }
  for (size_t i = 0; i < tasks.size(); ++i) {
    const int exponent = tasks[i].part->gradient.exponent;
    const float limit = std::bit_cast<float>(static_cast<uint32_t>(50 - exponent + 127) << 23);
    if (!(seen[i].largest < limit)) statistics.overflow = true;
    statistics.flushed_to_zero += seen[i].flushed_to_zero;
  }
  return statistics;
}

FixedStatistics matmul_backward_weight(Compute& compute, View<const float> dy, View<const float> x,
                                       std::span<const TokenGroup> groups, FixedGradient grad) {
  const WeightPart part{dy, grad};
  return matmul_backward_weights(compute, {&part, 1}, x, groups);
}

}  // namespace hone::tensor
