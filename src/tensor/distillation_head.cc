#include "tensor/distillation_head.h"

#include <algorithm>
#include <vector>

#include "tensor/divergence_rows.h"
#include "tensor/head_pieces.h"

namespace hone::tensor {

namespace {

constexpr size_t kPieceRows = kChain;  // no group of rows is longer

size_t piece_floats(size_t rows, size_t hidden, size_t vocabulary) {
  return rows * (2 * kept_stride(vocabulary) + sum_columns(hidden));
}
size_t sums_bytes(size_t rows, size_t vocabulary) {
  return rows * tile_count(vocabulary) * (2 * sizeof(TileSum) + sizeof(DivergenceSum));
}

// Both models' logits of a piece of rows, [row][ld] each, and what is made of them.
class Piece {
 public:
  Piece(const HeadRows& student, const PanelView& teacher, View<const float> teacher_hidden,
        float beta, size_t most_rows, Buffer& memory)
      : student_(student),
        teacher_(teacher),
        teacher_hidden_(teacher_hidden),
        ld_(kept_stride(student.w.n)),
        rows_(student.count()) {
    logits_ = memory.as<float>();
    teacher_logits_ = logits_ + most_rows * ld_;
    sums_ = teacher_logits_ + most_rows * ld_;
    tile_sums_ = reinterpret_cast<TileSum*>(sums_ + most_rows * sum_columns(student.hidden.cols));
    teacher_sums_ = tile_sums_ + most_rows * student.tiles();
    divergence_sums_ =
        reinterpret_cast<DivergenceSum*>(teacher_sums_ + most_rows * student.tiles());
    for (DivergenceRow& row : rows_) row.beta = beta;
  }

  void read(float* log_probs, HeadRowResult* results) {
    const size_t count = student_.count(), tiles = student_.tiles();
    student_.compute.pool().run(tiles, [&](size_t tile, size_t thread) {
      auto* unpacked = reinterpret_cast<float*>(
          student_.compute.scratch(thread, kHeadUnpackedFloats * sizeof(float)));
      const size_t begin = tile * kVocabularyTile, columns = tile_columns(student_.w.n, tile);
      tile_logits(student_.w, student_.hidden, tile, unpacked, logits_ + begin, ld_);
      tile_logits(teacher_, teacher_hidden_, tile, unpacked, teacher_logits_ + begin, ld_);
      for (size_t r = 0; r < count; ++r) {
        tile_sums_[tile * count + r] = tile_sum(logits_ + r * ld_ + begin, columns, begin);
        teacher_sums_[tile * count + r] =
            tile_sum(teacher_logits_ + r * ld_ + begin, columns, begin);
      }
      student_.targets_at(tile, ld_,
                          [&](uint32_t i, size_t place) { log_probs[i] = logits_[begin + place]; });
    });
    for (size_t r = 0; r < count; ++r) {
      results[r] = join_tiles(tile_sums_ + r, tiles, count);
      rows_[r].student_lse = results[r].lse;
      rows_[r].teacher_lse = join_tiles(teacher_sums_ + r, tiles, count).lse;
    }
  }

  void diverge(float* divergences) {
    const size_t count = student_.count(), tiles = student_.tiles();
    student_.compute.pool().run(tiles, [&](size_t tile, size_t) {
      const size_t begin = tile * kVocabularyTile, columns = tile_columns(student_.w.n, tile);
      for (size_t r = 0; r < count; ++r) {
        divergence_sums_[tile * count + r] = divergence_sum(
            logits_ + r * ld_ + begin, teacher_logits_ + r * ld_ + begin, columns, rows_[r]);
      }
    });
    for (size_t r = 0; r < count; ++r) {
      double of_teacher = 0, of_student = 0;
      for (size_t tile = 0; tile < tiles; ++tile) {
        of_teacher += static_cast<double>(divergence_sums_[tile * count + r].teacher);
        of_student += static_cast<double>(divergence_sums_[tile * count + r].student);
      }
      const double beta = static_cast<double>(rows_[r].beta);
      rows_[r].student_sum = static_cast<float>(of_student);
      divergences[r] =
          static_cast<float>(beta == 0   ? of_teacher
                             : beta == 1 ? of_student
                                         : beta * of_teacher + (1 - beta) * of_student);
    }
  }

  void differentiate(const float* coefficients, const DistillationTask& task,
                     std::span<const TokenGroup> groups, View<float> dhidden,
                     FixedStatistics& statistics) {
    const size_t count = student_.count(), tiles = student_.tiles();
    for (size_t r = 0; r < count; ++r) rows_[r].coefficient = coefficients[r];
    const size_t step = tiles_at_once(count, student_.w.n);
    for (size_t first = 0; first < tiles; first += step) {
      student_.compute.pool().run(std::min(step, tiles - first), [&](size_t tile, size_t) {
        const size_t begin = (first + tile) * kVocabularyTile;
        for (size_t r = 0; r < count; ++r) {
          divergence_gradient(logits_ + r * ld_ + begin, teacher_logits_ + r * ld_ + begin,
                              tile_columns(student_.w.n, first + tile), rows_[r]);
        }
      });
      const size_t n_begin = first * kVocabularyTile;
      const View<const float> dlogits(
          logits_ + n_begin, count, std::min(student_.w.n - n_begin, step * kVocabularyTile), ld_);
      add_hidden_gradient(student_, dlogits, n_begin, sums_);
      add_weight_gradient(student_, dlogits, n_begin, task.dw, groups, statistics);
    }
    store_hidden_gradient(sums_, dhidden);
  }

 private:
  const HeadRows& student_;
  const PanelView& teacher_;
  View<const float> teacher_hidden_;
  size_t ld_;
  std::vector<DivergenceRow> rows_;
  float *logits_, *teacher_logits_, *sums_;
  TileSum *tile_sums_, *teacher_sums_;  // [tile][row]
  DivergenceSum* divergence_sums_;
};

void check_task(const DistillationTask& task) {
  check_head(task.hidden, *task.weights, task.targets);
  HONE_CHECK(task.teacher.hidden.rows == task.hidden.rows &&
             task.teacher.hidden.cols == task.teacher.weights->cols() &&
             task.teacher.weights->rows() == task.weights->rows());
  HONE_CHECK(task.beta >= 0.0f && task.beta <= 1.0f);
}

}  // namespace

size_t distillation_bytes(size_t rows, size_t hidden, size_t vocabulary) {
  const size_t piece = std::min(rows, kPieceRows);
  return piece_floats(piece, hidden, vocabulary) * sizeof(float) + sums_bytes(piece, vocabulary);
}

void distillation_head(Compute& compute, const DistillationTask& task, DistillationResult& result,
                       Buffer& memory) {
  check_task(task);
  if (task.hidden.rows == 0) return;
  const PanelView w = panel_view(*task.weights), teacher = panel_view(*task.teacher.weights);
  const size_t rows = task.hidden.rows, most = std::min(rows, kPieceRows);
  const size_t bytes = distillation_bytes(rows, task.hidden.cols, w.n);
  if (memory.bytes() < bytes) memory = Buffer(bytes);
  const TargetsByRow by_row(task.targets);
  const std::vector<float> coefficients = coefficient_sums(task.targets, rows);
  const std::vector<size_t> ends =
      piece_ends(rows, most, task.dw == nullptr ? std::span<const TokenGroup>() : task.groups);
  HONE_CHECK(!ends.empty());
  size_t begin = 0;
  for (const size_t end : ends) {
    const size_t count = end - begin;
    const HeadRows student{compute,      w,      task.hidden.slice_rows(begin, count),
                           task.targets, by_row, begin};
    Piece piece(student, teacher, task.teacher.hidden.slice_rows(begin, count), task.beta, most,
                memory);
    piece.read(result.log_probs, result.rows + begin);
    piece.diverge(result.divergences + begin);
    if (result.dhidden.data != nullptr) {
      piece.differentiate(coefficients.data() + begin, task, groups_inside(task.groups, begin, end),
                          result.dhidden.slice_rows(begin, count), result.statistics);
    }
    begin = end;
  }
  for (size_t i = 0; i < task.targets.size(); ++i) {
    result.log_probs[i] -= result.rows[task.targets[i].row].lse;
  }
}

void distillation_head_reference(const DistillationTask& task, DistillationResult& result) {
  check_task(task);
  const size_t rows = task.hidden.rows, vocabulary = task.weights->rows();
  Tensor logits(rows, vocabulary), teacher(rows, vocabulary);
  const MatmulPart parts[] = {{task.hidden, task.weights, logits.view()},
                              {task.teacher.hidden, task.teacher.weights, teacher.view()}};
  matmul_reference({&parts[0], 1});
  matmul_reference({&parts[1], 1});
  std::vector<HeadRowResult> teacher_rows(rows);
  log_softmax_rows_reference(logits.view(), result.rows);
  log_softmax_rows_reference(teacher.view(), teacher_rows.data());
  for (size_t i = 0; i < task.targets.size(); ++i) {
    const HeadTarget& target = task.targets[i];
    result.log_probs[i] = logits.view().row(target.row)[static_cast<size_t>(target.token)] -
                          result.rows[target.row].lse;
  }
  const std::vector<float> coefficients = coefficient_sums(task.targets, rows);
  for (size_t r = 0; r < rows; ++r) {
    DivergenceRow row{task.beta, result.rows[r].lse, teacher_rows[r].lse};
    double of_teacher = 0, of_student = 0;
    for (size_t begin = 0; begin < vocabulary; begin += kVocabularyTile) {
      const DivergenceSum sum =
          divergence_sum_reference(logits.view().row(r) + begin, teacher.view().row(r) + begin,
                                   std::min(kVocabularyTile, vocabulary - begin), row);
      of_teacher += static_cast<double>(sum.teacher);
      of_student += static_cast<double>(sum.student);
    }
    const double beta = static_cast<double>(task.beta);
    row.student_sum = static_cast<float>(of_student);
    row.coefficient = coefficients[r];
    result.divergences[r] =
        static_cast<float>(beta == 0   ? of_teacher
                           : beta == 1 ? of_student
                                       : beta * of_teacher + (1 - beta) * of_student);
    divergence_gradient_reference(logits.view().row(r), teacher.view().row(r), vocabulary, row);
  }
  if (result.dhidden.data == nullptr) return;
  const MatmulInputTerm term{logits.view(), task.weights};
  matmul_backward_input_reference({&term, 1}, result.dhidden, false);
  if (task.dw == nullptr) return;
  result.statistics =
      matmul_backward_weight_reference(logits.view(), task.hidden, task.groups, *task.dw);
}

}  // namespace hone::tensor
