// Tasks that got the same labels from the same workers have the same posterior: EM walks them once.
// On d_product that is one task in six, on trec two in three.

#include <algorithm>
#include <bit>

#include "quality/aggregate_layout.h"

namespace hone::quality {
namespace {

// Of a task's columns and gold; equal tasks have equal numbers.
uint64_t fingerprint(const Layout& layout, uint32_t task) {
  uint64_t hash = layout.gold.empty() ? 0 : layout.gold[task] + uint64_t{1};
  for (uint32_t i = layout.task_begin[task]; i < layout.task_begin[task + 1]; ++i) {
    hash = (hash ^ layout.label_column[i]) * 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 29;
  }
  return hash;
}

bool equal_tasks(const Layout& layout, uint32_t a, uint32_t b) {
  if (!layout.gold.empty() && layout.gold[a] != layout.gold[b]) return false;
  const auto labels = [&](uint32_t task) {
    return std::span(layout.label_column)
        .subspan(layout.task_begin[task], layout.task_begin[task + 1] - layout.task_begin[task]);
  };
  return std::ranges::equal(labels(a), labels(b));
}

// first[task] = the first task that equals it.
std::vector<uint32_t> first_equals(const Layout& layout) {
  const auto tasks = static_cast<uint32_t>(layout.tasks);
  std::vector<uint64_t> prints(tasks);
  for (uint32_t task = 0; task < tasks; ++task) prints[task] = fingerprint(layout, task);
  std::vector<uint32_t> slots(std::bit_ceil(size_t{tasks} + tasks / 2 + 2), kNoTruth);
  std::vector<uint32_t> first(tasks);
  for (uint32_t task = 0; task < tasks; ++task) {
    size_t slot = (prints[task] ^ prints[task] >> 32) & (slots.size() - 1);
    while (slots[slot] != kNoTruth &&
           (prints[slots[slot]] != prints[task] || !equal_tasks(layout, slots[slot], task))) {
      slot = (slot + 1) & (slots.size() - 1);
    }
    if (slots[slot] == kNoTruth) slots[slot] = task;
    first[task] = slots[slot];
  }
  return first;
}

}  // namespace

Layout::Layout(const Layout& whole, EqualTasksOnce)
    : table(whole.table),
      tasks(0),
      workers(whole.workers),
      classes(whole.classes),
      labels(0),
      columns(whole.columns),
      column_value(whole.column_value),
      worker_columns(whole.worker_columns),
      worker_blocks(whole.worker_blocks) {
  const std::vector<uint32_t> first = first_equals(whole);
  std::vector<uint32_t> times(whole.tasks, 0);
  for (const uint32_t task : first) ++times[task];
  merged_into.resize(whole.tasks);
  task_begin = {0};
  for (const bool alone : {true, false}) {
    for (uint32_t task = 0; task < whole.tasks; ++task) {
      if (times[task] == 0 || (times[task] == 1) != alone) continue;
      merged_into[task] = static_cast<uint32_t>(weight.size());
      weight.push_back(times[task]);
      if (!whole.gold.empty()) gold.push_back(whole.gold[task]);
      label_column.insert(label_column.end(), whole.label_column.begin() + whole.task_begin[task],
                          whole.label_column.begin() + whole.task_begin[task + 1]);
      task_begin.push_back(static_cast<uint32_t>(label_column.size()));
    }
  }
  for (size_t task = 0; task < first.size(); ++task) merged_into[task] = merged_into[first[task]];
  tasks = weight.size();
  labels = label_column.size();
  column_begin.assign(columns + 1, 0);
  for (const uint32_t column : label_column) ++column_begin[column + 1];
  for (size_t column = 0; column < columns; ++column) {
    column_begin[column + 1] += column_begin[column];
  }
  std::vector<uint32_t> next(column_begin.begin(), column_begin.end() - 1);
  column_tasks.resize(labels);
  for (uint32_t task = 0; task < tasks; ++task) {
    for (uint32_t i = task_begin[task]; i < task_begin[task + 1]; ++i) {
      column_tasks[next[label_column[i]]++] = task;
    }
  }
}

}  // namespace hone::quality
