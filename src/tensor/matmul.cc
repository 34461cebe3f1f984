// Cutting y = x W^T into tasks: a task is some panels of one part times some of its rows, and owns
// that piece of y. How it is cut never shows in the bits (matmul.h), so all numbers here are speed.

#include "tensor/matmul.h"

#include <algorithm>
#include <vector>

#include "tensor/matmul_kernels.h"

namespace hone::tensor {

namespace {

constexpr size_t kManyRows = 32;  // from here weights are unpacked once for all rows, into L2
constexpr size_t kTaskRows = 1024;
constexpr size_t kTaskPanels = 6;      // divides 36, 60, 192 and 3072 panels evenly over 2 threads
constexpr size_t kUnpackedK = 768;     // 6 panels x 768 x 64 bytes = 295 KB of L2
constexpr size_t kTasksPerThread = 4;  // enough for stealing
constexpr size_t kThenRows = 64;       // sums of a following product at once: in the first cache

// One part, cut.
struct Cut {
  const MatmulPart* part = nullptr;
  PanelView w;
  size_t panels = 0, rows = 0;  // of a task
  size_t panel_tasks = 0, row_tasks = 0;
  size_t first_task = 0;
  size_t tasks() const { return panel_tasks * row_tasks; }
};

Cut cut_part(const MatmulPart& part, const MatmulKernels& kernels, size_t threads) {
  Cut cut;
  cut.part = &part;
  cut.w = panel_view(*part.weights);
  const size_t m = part.x.rows;
  if (m == 0 || cut.w.n == 0) return cut;
  const size_t wanted = kTasksPerThread * threads;
  const size_t all = cut.w.panels();
  cut.panels = m < kManyRows ? 2 * kernels.gemv_groups : kTaskPanels;
  // A matrix as long as a head: longer tasks, the stream matters more than stealing.
  if (m < kManyRows) cut.panels *= std::max<size_t>(1, all / cut.panels / 96);
  cut.panel_tasks = divide_up(all, cut.panels);
  cut.rows = std::min(m, kTaskRows);
  if (m >= kManyRows && cut.panel_tasks < wanted) {
    const size_t pieces = divide_up(wanted, cut.panel_tasks);
    const size_t least = 4 * kernels.tile_rows;
    cut.rows = std::clamp(divide_up(m, pieces), std::min(least, cut.rows), cut.rows);
  }
  cut.row_tasks = divide_up(m, cut.rows);
  cut.rows = divide_up(m, cut.row_tasks);
  return cut;
}

struct Piece {
  size_t panel, panels, row, rows;
  size_t columns(size_t n) const { return std::min(n, (panel + panels) * kPanel) - panel * kPanel; }
};

bool is_plain(const MatmulPart& part) { return part.bias == nullptr && !part.accumulate; }

// Sums in scratch (stride ld) to y, with what the part asks for beside the sum.
void store_piece(const MatmulKernels& kernels, const MatmulPart& part, const Piece& piece,
                 const float* sums, size_t ld) {
  const size_t column = piece.panel * kPanel;
  const float* bias = part.bias == nullptr ? nullptr : part.bias + column;
  for (size_t r = 0; r < piece.rows; ++r) {
    kernels.store_sums(sums + r * ld, part.y.row(piece.row + r) + column,
                       piece.columns(part.weights->rows()), bias, part.accumulate, part.scale);
  }
}

// One row straight from the packed stream.
void run_one_row(const MatmulKernels& kernels, const Cut& cut, const Piece& piece, float* scratch) {
  const size_t group = piece.panel / 2;
  kernels.gemv(cut.w, group, divide_up(piece.panels, 2), cut.part->x.row(piece.row), scratch);
  store_piece(kernels, *cut.part, piece, scratch, 0);
}

// f32 panels are the right operand as they lie; others go through scratch, `step` k at a time.
void run_rows(const MatmulKernels& kernels, const Cut& cut, const Piece& piece, size_t step_panels,
              size_t step_k, float* scratch) {
  const MatmulPart& part = *cut.part;
  const size_t k = cut.w.k;
  const bool copy = cut.w.layout != Layout::kFloat || piece.rows >= 4 * kManyRows;
  const size_t ld_sums = piece.panels * kPanel;
  const bool direct = is_plain(part) && piece.columns(cut.w.n) == ld_sums;
  float* sums = direct ? part.y.row(piece.row) + piece.panel * kPanel : scratch;
  const size_t ld = direct ? part.y.stride : ld_sums;
  float* unpacked = direct ? scratch : scratch + piece.rows * ld_sums;
  if (k == 0) {
    for (size_t r = 0; r < piece.rows; ++r) std::fill_n(sums + r * ld, ld_sums, 0.0f);
  }
  for (size_t p = 0; p < piece.panels; p += step_panels) {
    const size_t panels = std::min(step_panels, piece.panels - p);
    for (size_t begin = 0; begin < k; begin += step_k) {
      const size_t kc = copy ? std::min(step_k, k - begin) : k;
      const float* right = cut.w.panel(piece.panel + p);
      size_t stride = k * kPanel;
      if (copy) {
        kernels.unpack(cut.w, piece.panel + p, panels, begin, kc, unpacked);
        right = unpacked;
        stride = kc * kPanel;
      }
      kernels.multiply(part.x.row(piece.row) + begin, part.x.stride, piece.rows, right, stride,
                       panels, kc, sums + p * kPanel, ld, begin == 0);
      if (!copy) break;
    }
  }
  if (!direct) store_piece(kernels, part, piece, sums, ld);
}

void run_then(const MatmulKernels& kernels, const Cut& cut, const Piece& piece, float* scratch) {
  if (cut.part->then == nullptr) return;
  Cut then;
  then.part = cut.part->then;
  then.w = panel_view(*then.part->weights);
  for (size_t r = 0; r < piece.rows; r += kThenRows) {
    const Piece some = {piece.panel, piece.panels, piece.row + r,
                        std::min(kThenRows, piece.rows - r)};
    run_rows(kernels, then, some, some.panels, kUnpackedK, scratch);
  }
}

void check_part(const MatmulPart& part) {
  HONE_CHECK(part.weights != nullptr);
  HONE_CHECK(part.x.cols == part.weights->cols());
  HONE_CHECK(part.y.cols == part.weights->rows());
  HONE_CHECK(part.x.rows == part.y.rows);
  HONE_CHECK(part.bias == nullptr || !part.accumulate);
  if (part.then == nullptr) return;
  HONE_CHECK(part.then->y.data == part.y.data && part.then->y.cols == part.y.cols &&
             part.then->y.rows == part.y.rows);
  MatmulPart then = *part.then;
  then.then = nullptr;
  check_part(then);
}

}  // namespace

void matmul(Compute& compute, std::span<const MatmulPart> parts) {
  const MatmulKernels& kernels = *matmul_kernels();
  std::vector<Cut> cuts;
  size_t tasks = 0;
  size_t scratch_floats = 0;
  for (const MatmulPart& part : parts) {
    check_part(part);
    Cut cut = cut_part(part, kernels, compute.threads());
    if (cut.tasks() == 0) continue;
    cut.first_task = tasks;
    tasks += cut.tasks();
    const size_t unpacked = std::max(kTaskPanels * kUnpackedK, 2 * kChain) * kPanel;
    scratch_floats = std::max(scratch_floats, (cut.rows * cut.panels + 2) * kPanel + unpacked);
    cuts.push_back(cut);
  }
  compute.pool().run(tasks, [&](size_t task, size_t thread) {
    size_t i = cuts.size() - 1;
    while (cuts[i].first_task > task) --i;
    const Cut& cut = cuts[i];
    const size_t t = task - cut.first_task;
    Piece piece;
    piece.panel = t / cut.row_tasks * cut.panels;
    piece.panels = std::min(cut.panels, cut.w.panels() - piece.panel);
    piece.row = t % cut.row_tasks * cut.rows;
    if (piece.row >= cut.part->x.rows) return;
    piece.rows = std::min(cut.rows, cut.part->x.rows - piece.row);
    auto* scratch =
        reinterpret_cast<float*>(compute.scratch(thread, scratch_floats * sizeof(float)));
    if (cut.part->x.rows == 1 && cut.w.layout != Layout::kFloat) {
      run_one_row(kernels, cut, piece, scratch);
    } else if (cut.part->x.rows < kManyRows) {
      run_rows(kernels, cut, piece, cut.w.layout == Layout::kFloat ? piece.panels : 2, kChain,
               scratch);
    } else {
      run_rows(kernels, cut, piece, piece.panels, kUnpackedK, scratch);
    }
    run_then(kernels, cut, piece, scratch);
  });
}

}  // namespace hone::tensor
