#pragma once
// Who said what of which task: the one input of every label statistic.
//
// Canonical: names ascend (bytewise; classes that are all numbers ascend as numbers; or the order
// that the caller declares), labels ascend by (task, worker, class). So every statistic of a table
// has the same bits whatever the order of the rows it was built from.
// Memory: 20 bytes a label and the names. Immutable after build; read from any thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hone::quality {

struct Label {
  uint32_t task;
  uint32_t worker;
  uint32_t value;  // index into classes()
};

// What to do when one worker gave one task several different labels (--on-conflict). Exact repeats
// are always dropped. kLast and kFirst go by the order in which rows were added: the only place
// where that order counts.
enum class OnConflict { kKeep, kLast, kFirst, kDrop };

class LabelTable {
 public:
  size_t task_count() const { return tasks_.size(); }
  size_t worker_count() const { return workers_.size(); }
  size_t class_count() const { return classes_.size(); }
  size_t label_count() const { return labels_.size(); }

  std::span<const std::string> tasks() const { return tasks_; }
  std::span<const std::string> workers() const { return workers_; }
  std::span<const std::string> classes() const { return classes_; }

  // All labels, by task, then worker, then class.
  std::span<const Label> labels() const { return labels_; }
  std::span<const Label> labels_of_task(size_t task) const;
  // Indices into labels() of one worker's labels, ascending.
  std::span<const uint32_t> labels_of_worker(size_t worker) const;

  // The classes read as numbers (ordinal positions 0, 1, ... where a class is no number): what the
  // ordinal, interval and ratio statistics and the numeric aggregates work on.
  std::span<const double> class_values() const { return class_values_; }
  bool classes_are_numbers() const { return classes_are_numbers_; }

  uint64_t duplicates() const { return duplicates_; }  // exact repeats that were dropped
  uint64_t conflicts() const { return conflicts_; }    // (task, worker) pairs with several labels

 private:
  friend class LabelTableBuilder;
  std::vector<std::string> tasks_, workers_, classes_;
  std::vector<Label> labels_;
  std::vector<uint32_t> task_begin_, worker_begin_, by_worker_;
  std::vector<double> class_values_;
  bool classes_are_numbers_ = false;
  uint64_t duplicates_ = 0;
  uint64_t conflicts_ = 0;
};

class LabelTableBuilder {
 public:
  // declared: the classes and their order; empty = those that occur. A label outside a declared
  // list is invalid_input (the caller adds file and line).
  explicit LabelTableBuilder(std::vector<std::string> declared = {});
  ~LabelTableBuilder();
  LabelTableBuilder(LabelTableBuilder&&) noexcept;

  void add(std::string_view task, std::string_view worker, std::string_view label);
  // Throws invalid_input on an empty table and above 2^31 labels.
  LabelTable build(OnConflict on_conflict = OnConflict::kKeep) &&;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hone::quality
