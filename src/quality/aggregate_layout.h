#pragma once
// The table as the EM methods walk it, and the two steps that they share. Internal to the room.
//
// A column is a (worker, class) that occurs: all labels of a column change with the truth in the
// same way, log P(worker says class | truth = k). So the E-step adds one row of K numbers a label and
// the M-step sums one row of K numbers a label; no logarithm, hash or branch in either loop.
//
// Order: tasks in blocks of kTaskBlock, workers in blocks of about kLabelsPerWorkerBlock labels, both
// fixed by the data; sums go up within a block, then over blocks. Threads change nothing.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "quality/aggregate.h"

namespace hone::quality {

inline constexpr size_t kTaskBlock = 512;
inline constexpr size_t kLabelsPerWorkerBlock = 4096;

// f(block) for each block; on the pool when there is enough to do.
template <typename Body>
void for_blocks(ThreadPool* pool, size_t blocks, const Body& body) {
  if (pool != nullptr && blocks > 1) {
    pool->run(blocks, [&](size_t block, size_t) { body(block); });
  } else {
    for (size_t block = 0; block < blocks; ++block) body(block);
  }
}

struct Layout {
  // excluded: empty, or one flag a label of the table; the excluded are as if never given, while
  // tasks, workers and classes keep their numbers.
  Layout(const LabelTable& label_table, std::span<const GoldTask> gold_tasks,
         std::span<const uint8_t> excluded = {});
  // The same with tasks of equal labels (and gold) once: their posteriors are equal in every method
  // that knows a task by its labels alone. The tasks of weight one come first, each kind in the order
  // of its first task. rows stay empty, labels counts what is left.
  struct EqualTasksOnce {};
  Layout(const Layout& whole, EqualTasksOnce);
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;

  const LabelTable& table;
  size_t tasks, workers, classes, labels, columns = 0;
  std::span<const Label> rows;           // the labels that count, in the table's order
  std::vector<uint32_t> task_begin;      // tasks + 1: into rows and label_column
  std::vector<uint32_t> label_column;    // the column of each of rows
  std::vector<uint32_t> column_value;    // columns: the class
  std::vector<uint32_t> column_begin;    // columns + 1: into column_tasks
  std::vector<uint32_t> column_tasks;    // ascending within a column
  std::vector<uint32_t> worker_columns;  // workers + 1: into the columns, classes ascending
  std::vector<uint32_t> worker_blocks;   // first worker of each block, then workers
  std::vector<uint32_t> gold;            // per task its class or kNoTruth; empty without gold
  std::vector<uint32_t> weight;          // per task how many it stands for; empty: one each
  std::vector<uint32_t> merged_into;     // per task of the whole its task here; empty: itself

  size_t task_blocks() const { return (tasks + kTaskBlock - 1) / kTaskBlock; }
  size_t worker_block_count() const { return worker_blocks.size() - 1; }
  uint32_t labels_of(size_t worker) const {
    return column_begin[worker_columns[worker + 1]] - column_begin[worker_columns[worker]];
  }
  // One thread does small tables sooner than two.
  ThreadPool* worth(ThreadPool* pool) const { return labels * classes < 20000 ? nullptr : pool; }

 private:
  std::vector<Label> kept_;  // what rows shows when some are excluded
};

// What one E-step tells besides the posterior.
struct EStep {
  double log_likelihood = 0.0;
  double greatest_change = 0.0;       // of a posterior, only when asked for
  std::vector<double> class_sum;      // sum of the posterior over tasks
  std::vector<double> block_numbers;  // scratch
};

// posterior[task] = softmax(log_prior + sum of logs[column] over the task's labels), gold fixed.
// logs: columns x classes. Sums and likelihood count a task as often as its weight; weighted, when
// given, becomes the posterior times the weights: what sum_columns wants then.
void e_step(const Layout& layout, std::span<const double> logs, std::span<const double> log_prior,
            std::span<double> posterior, EStep& step, ThreadPool* pool, bool want_change = false,
            std::span<double> weighted = {});

// sums[column] = sum of the posteriors of the column's tasks, for the columns of one worker block.
void sum_columns(const Layout& layout, size_t worker_block, std::span<const double> posterior,
                 std::span<double> sums);
// The same, of the column's own class only: one number a column.
void sum_own_class(const Layout& layout, size_t worker_block, std::span<const double> posterior,
                   std::span<double> sums);

// posterior = shares of the votes; uniform without votes; gold fixed.
void majority_shares(const Layout& layout, std::span<double> posterior, ThreadPool* pool);
// The mean of the posterior rows.
std::vector<double> class_shares(const Layout& layout, std::span<const double> posterior);

// In place; returns the sum of log sum exp of the rows, each times its weight (null: one). Rows must
// hold a finite greatest entry.
double softmax_rows(double* rows, size_t count, size_t classes, const uint32_t* weight = nullptr);
void log_in_place(double* values, size_t count);  // positive normal numbers only

// A relative change below the tolerance: the stop of the EM methods.
inline bool has_converged(double now, double before, double tolerance) {
  const double change = now > before ? now - before : before - now;
  const double size = now > 0.0 ? now : -now;
  return change <= tolerance * size;
}

// P(this worker says l | truth k), class x class, under a fitted method that is a product of such
// chances (not wawa, not glad); pooled: the one quality that majority gives everybody.
void worker_chances(const Layout& layout, const Aggregate& fit, uint32_t worker, double pooled,
                    std::vector<double>& chance);

// The methods. Each fills posterior, prior, skill, iterations, converged, objective,
// log_likelihood, warnings of its own.
void fit_majority(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
                  Aggregate& result);
void fit_wawa(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
              Aggregate& result);
void fit_dawid_skene(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
                     Aggregate& result);
void fit_one_coin(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
                  Aggregate& result);  // and zencrowd
void fit_ibcc(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
              Aggregate& result);
void fit_mace(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
              Aggregate& result);  // and mace-vb
void fit_glad(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
              Aggregate& result);
void fit_auto(const Layout& layout, const AggregateOptions& options, ThreadPool* pool,
              Aggregate& result);

}  // namespace hone::quality
