#include "quality/label_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/check.h"
#include "base/error.h"
#include "quality/name_index.h"

namespace hone::quality {
namespace {

constexpr size_t kMostLabels = size_t{1} << 31;

// A finite decimal number and nothing else.
std::optional<double> number_in(std::string_view text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

// Stable: rows of one key stay in their order. Returns where each key begins.
template <typename Key>
std::vector<uint32_t> counting_sort(std::vector<Label>& rows, size_t keys, const Key& key) {
  std::vector<uint32_t> begin(keys + 1, 0);
  for (const Label& row : rows) ++begin[key(row) + 1];
  for (size_t i = 0; i < keys; ++i) begin[i + 1] += begin[i];
  std::vector<uint32_t> next(begin.begin(), begin.end() - 1);
  std::vector<Label> sorted(rows.size());
  for (const Label& row : rows) sorted[next[key(row)]++] = row;
  rows = std::move(sorted);
  return begin;
}

}  // namespace

struct LabelTableBuilder::State {
  NameIndex tasks, workers, classes;
  bool declared = false;
  std::vector<Label> rows;  // in the order they came
};

LabelTableBuilder::LabelTableBuilder(std::vector<std::string> declared)
    : state_(std::make_unique<State>()) {
  state_->declared = !declared.empty();
  for (size_t i = 0; i < declared.size(); ++i) {
    if (state_->classes.number_of(declared[i]) != i) {
      throw invalid_input("the class \"" + declared[i] +
                          "\" is declared twice; name each class once");
    }
  }
}
LabelTableBuilder::~LabelTableBuilder() = default;
LabelTableBuilder::LabelTableBuilder(LabelTableBuilder&&) noexcept = default;

void LabelTableBuilder::add(std::string_view task, std::string_view worker,
                            std::string_view label) {
  HONE_CHECK(state_ != nullptr);
  if (state_->rows.size() >= kMostLabels) {
    throw invalid_input("a table holds at most 2^31 labels; split the file");
  }
  const uint32_t value =
      state_->declared ? state_->classes.find(label) : state_->classes.number_of(label);
  if (value == NameIndex::kNone) {
    std::string known;
    for (uint32_t i = 0; i < std::min<size_t>(state_->classes.size(), 20); ++i) {
      known += (i ? ", \"" : "\"") + std::string(state_->classes.name(i)) + "\"";
    }
    throw invalid_input("the label \"" + std::string(label) + "\" is none of the declared (" +
                        known + (state_->classes.size() > 20 ? ", ..." : "") +
                        "); correct it or declare it");
  }
  state_->rows.push_back({state_->tasks.number_of(task), state_->workers.number_of(worker), value});
}

namespace {

// Names in their final order, and the rows renumbered to it.
struct Names {
  std::vector<std::string> tasks, workers, classes;
  std::vector<double> class_values;
  bool classes_are_numbers = false;
};

std::vector<double> read_numbers(const std::vector<std::string>& classes, bool& all) {
  std::vector<double> values;
  for (const std::string& name : classes) {
    if (const auto number = number_in(name)) values.push_back(*number);
  }
  all = values.size() == classes.size();
  if (all) return values;
  values.resize(classes.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  return values;
}

Names name_rows(NameIndex& tasks, NameIndex& workers, NameIndex& classes, bool declared,
                std::vector<Label>& rows) {
  Names names;
  bool numbers = true;
  for (uint32_t i = 0; i < classes.size(); ++i) numbers = numbers && number_in(classes.name(i));
  std::vector<uint32_t> new_class(classes.size());
  if (declared) {
    for (uint32_t i = 0; i < classes.size(); ++i) {
      new_class[i] = i;
      names.classes.emplace_back(classes.name(i));
    }
  } else if (numbers) {  // equal numbers (1 and 1.0) go by their bytes
    new_class = classes.sort_into(names.classes, [](std::string_view a, std::string_view b) {
      const double x = *number_in(a), y = *number_in(b);
      return x < y || (x == y && a < b);
    });
  } else {
    new_class = classes.sort_into(names.classes);
  }
  const std::vector<uint32_t> new_task = tasks.sort_into(names.tasks);
  const std::vector<uint32_t> new_worker = workers.sort_into(names.workers);
  for (Label& row : rows) {
    row = {new_task[row.task], new_worker[row.worker], new_class[row.value]};
  }
  names.class_values = read_numbers(names.classes, names.classes_are_numbers);
  return names;
}

struct Dropped {
  uint64_t duplicates = 0, conflicts = 0;
};

// rows: by task, then worker, then as they came. Leaves each (task, worker) its labels by class.
Dropped resolve(std::vector<Label>& rows, OnConflict on_conflict) {
  Dropped dropped;
  size_t kept = 0;
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin + 1;
    while (end < rows.size() && rows[end].task == rows[begin].task &&
           rows[end].worker == rows[begin].worker) {
      ++end;
    }
    const uint32_t first = rows[begin].value, last = rows[end - 1].value;
    const auto from = rows.begin() + static_cast<ptrdiff_t>(begin);
    const auto to = rows.begin() + static_cast<ptrdiff_t>(end);
    std::sort(from, to, [](const Label& a, const Label& b) { return a.value < b.value; });
    const auto unique =
        std::unique(from, to, [](const Label& a, const Label& b) { return a.value == b.value; });
    auto count = static_cast<size_t>(unique - from);
    dropped.duplicates += end - begin - count;
    if (count > 1) {
      ++dropped.conflicts;
      if (on_conflict == OnConflict::kDrop) count = 0;
      if (on_conflict == OnConflict::kFirst || on_conflict == OnConflict::kLast) {
        count = 1;
        rows[begin].value = on_conflict == OnConflict::kFirst ? first : last;
      }
    }
    for (size_t i = 0; i < count; ++i) rows[kept++] = rows[begin + i];
    begin = end;
  }
  rows.resize(kept);
  rows.shrink_to_fit();
  return dropped;
}

}  // namespace

LabelTable LabelTableBuilder::build(OnConflict on_conflict) && {
  HONE_CHECK(state_ != nullptr);
  const std::unique_ptr<State> state = std::move(state_);
  if (state->rows.empty()) {
    throw invalid_input("there is no label; give at least one row of task, worker and label");
  }
  LabelTable table;
  table.labels_ = std::move(state->rows);
  Names names =
      name_rows(state->tasks, state->workers, state->classes, state->declared, table.labels_);
  const size_t tasks = names.tasks.size(), workers = names.workers.size();
  counting_sort(table.labels_, workers, [](const Label& row) { return row.worker; });
  counting_sort(table.labels_, tasks, [](const Label& row) { return row.task; });
  const Dropped dropped = resolve(table.labels_, on_conflict);
  if (table.labels_.empty()) {
    throw invalid_input(
        "every worker contradicts himself on every task, so no label is left; keep them with "
        "--on-conflict keep, last or first");
  }

  table.task_begin_.assign(tasks + 1, 0);
  table.worker_begin_.assign(workers + 1, 0);
  for (const Label& row : table.labels_) {
    ++table.task_begin_[row.task + 1];
    ++table.worker_begin_[row.worker + 1];
  }
  for (size_t i = 0; i < tasks; ++i) table.task_begin_[i + 1] += table.task_begin_[i];
  for (size_t i = 0; i < workers; ++i) table.worker_begin_[i + 1] += table.worker_begin_[i];
  table.by_worker_.resize(table.labels_.size());
  std::vector<uint32_t> next(table.worker_begin_.begin(), table.worker_begin_.end() - 1);
  for (uint32_t i = 0; i < table.labels_.size(); ++i) {
    table.by_worker_[next[table.labels_[i].worker]++] = i;
  }

  table.tasks_ = std::move(names.tasks);
  table.workers_ = std::move(names.workers);
  table.classes_ = std::move(names.classes);
  table.class_values_ = std::move(names.class_values);
  table.classes_are_numbers_ = names.classes_are_numbers;
  table.duplicates_ = dropped.duplicates;
  table.conflicts_ = dropped.conflicts;
  return table;
}

std::span<const Label> LabelTable::labels_of_task(size_t task) const {
  HONE_CHECK(task < tasks_.size());
  return std::span(labels_).subspan(task_begin_[task], task_begin_[task + 1] - task_begin_[task]);
}

std::span<const uint32_t> LabelTable::labels_of_worker(size_t worker) const {
  HONE_CHECK(worker < workers_.size());
  return std::span(by_worker_)
      .subspan(worker_begin_[worker], worker_begin_[worker + 1] - worker_begin_[worker]);
}

}  // namespace hone::quality
