#include "quality/trust_counts.h"

#include <algorithm>

namespace hone::quality {

TaskCounts::TaskCounts(const LabelTable& table) {
  begin_.push_back(0);
  std::vector<uint32_t> values;
  for (size_t task = 0; task < table.task_count(); ++task) {
    values.clear();
    for (const Label& label : table.labels_of_task(task)) values.push_back(label.value);
    std::sort(values.begin(), values.end());
    for (const uint32_t value : values) {
      if (counts_.size() == begin_.back() || counts_.back().label_class != value) {
        counts_.push_back({value, 0});
      }
      ++counts_.back().count;
    }
    begin_.push_back(counts_.size());
  }
}

int64_t majority_without(const LabelTable& table, const TaskCounts& counts, size_t task,
                         uint32_t worker) {
  const auto labels = table.labels_of_task(task);
  const auto own =
      std::equal_range(labels.begin(), labels.end(), Label{0, worker, 0},
                       [](const Label& a, const Label& b) { return a.worker < b.worker; });
  uint64_t most = 0;
  int64_t winner = -1;
  for (const ClassCount& entry : counts.of(task)) {
    uint64_t count = entry.count;
    for (auto at = own.first; at != own.second; ++at) count -= at->value == entry.label_class;
    if (count > most) {
      most = count;
      winner = entry.label_class;
    } else if (count == most) {
      winner = -1;
    }
  }
  return most > 0 ? winner : -1;
}

}  // namespace hone::quality
