#pragma once
// How often each class was given to each task, classes ascending. Internal to trust and judges.

#include <cstdint>
#include <span>
#include <vector>

#include "quality/label_table.h"

namespace hone::quality {

struct ClassCount {
  uint32_t label_class;
  uint32_t count;
};

class TaskCounts {
 public:
  explicit TaskCounts(const LabelTable& table);
  std::span<const ClassCount> of(size_t task) const {
    return std::span(counts_).subspan(begin_[task], begin_[task + 1] - begin_[task]);
  }

 private:
  std::vector<ClassCount> counts_;
  std::vector<size_t> begin_;
};

// The one most frequent class of a task when all labels of `worker` there are left out; negative
// when two share the first place or nobody is left.
int64_t majority_without(const LabelTable& table, const TaskCounts& counts, size_t task,
                         uint32_t worker);

}  // namespace hone::quality
