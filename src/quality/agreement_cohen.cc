#include "quality/agreement_cohen.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace hone::quality {

CohenPairs::CohenPairs(std::vector<CohenCell> cells, std::vector<uint64_t> begin, size_t classes,
                       std::vector<double> weights, bool with_classes)
    : cells_(std::move(cells)),
      begin_(std::move(begin)),
      class_count_(classes),
      weights_(std::move(weights)),
      with_classes_(with_classes) {}

void CohenPairs::evaluate(std::span<const uint32_t> multiplicity, Scratch& scratch,
                          AgreementValues& values) const {
  scratch.row.assign(class_count_, 0.0);
  scratch.column.assign(class_count_, 0.0);
  scratch.both.assign(class_count_, 0.0);
  const size_t reported = with_classes_ ? class_count_ : 0;
  for (auto* sums : {&scratch.numerator, &scratch.denominator, &scratch.said, &scratch.agreed}) {
    sums->assign(reported, 0.0);
  }
  double count = 0.0, seen = 0.0, chance = 0.0;
  for (size_t pair = 0; pair + 1 < begin_.size(); ++pair) {
    double n = 0.0, agree = 0.0;
    scratch.touched.clear();
    const auto touch = [&](uint32_t k) {
      if (scratch.row[k] == 0.0 && scratch.column[k] == 0.0) scratch.touched.push_back(k);
    };
    for (uint64_t c = begin_[pair]; c < begin_[pair + 1]; ++c) {
      const CohenCell& cell = cells_[c];
      if (multiplicity[cell.unit] == 0) continue;
      const double times = static_cast<double>(multiplicity[cell.unit]);
      n += times;
      touch(cell.first);
      scratch.row[cell.first] += times;
      touch(cell.second);
      scratch.column[cell.second] += times;
      if (cell.first == cell.second) scratch.both[cell.first] += times;
      if (!weights_.empty()) {
        agree += times * weights_[cell.first * class_count_ + cell.second];
      } else if (cell.first == cell.second) {
        agree += times;
      }
    }
    if (n == 0.0) continue;
    double expected = 0.0;
    for (const uint32_t a : scratch.touched) {
      if (weights_.empty()) {
        expected += scratch.row[a] * scratch.column[a];
      } else {
        for (const uint32_t b : scratch.touched) {
          expected += scratch.row[a] * scratch.column[b] * weights_[a * class_count_ + b];
        }
      }
    }
    count += n;
    seen += agree;
    chance += expected / n;
    for (const uint32_t k : scratch.touched) {
      const double row = scratch.row[k], column = scratch.column[k], both = scratch.both[k];
      scratch.row[k] = scratch.column[k] = scratch.both[k] = 0.0;
      if (!with_classes_) continue;
      const double observed_k = n - (row + column - 2.0 * both);
      const double expected_k = (row * column + (n - row) * (n - column)) / n;
      scratch.numerator[k] += observed_k - expected_k;
      scratch.denominator[k] += n - expected_k;
      scratch.said[k] += row + column;
      scratch.agreed[k] += 2.0 * both;
    }
  }
  values.defined = count > chance;
  values.value = values.defined ? (seen - chance) / (count - chance) : 0.0;
  values.observed = count > 0.0 ? seen / count : 0.0;
  values.expected = count > 0.0 ? chance / count : 0.0;
  values.metric.assign(reported, {});
  values.specific.assign(reported, {});
  for (size_t k = 0; k < reported; ++k) {
    if (scratch.denominator[k] > 0.0) {
      values.metric[k] = {true, scratch.numerator[k] / scratch.denominator[k], 0.0, {}};
    }
    if (scratch.said[k] > 0.0) {
      values.specific[k] = {true, scratch.agreed[k] / scratch.said[k], 0.0, {}};
    }
  }
}

CohenPairs cohen_pairs(const LabelTable& table, std::vector<double> weights, bool with_classes) {
  struct Entry {
    uint32_t first_worker, second_worker;
    CohenCell cell;
  };
  uint64_t pairs = 0;
  for (size_t task = 0; task < table.task_count(); ++task) {
    const uint64_t n = table.labels_of_task(task).size();
    pairs += n * (n - (n > 0)) / 2;
  }
  if (pairs > kMostPairedLabels) {
    throw Error(ErrorCode::kTooLarge,
                "agreement: cohen compares every two labels of a task and here are " +
                    std::to_string(pairs) + " such pairs, over the bound of " +
                    std::to_string(kMostPairedLabels) + ". Use alpha or fleiss.");
  }
  std::vector<Entry> entries;
  entries.reserve(pairs);
  for (size_t task = 0; task < table.task_count(); ++task) {
    const auto labels = table.labels_of_task(task);  // workers ascend
    for (size_t i = 0; i < labels.size(); ++i) {
      for (size_t j = i + 1; j < labels.size(); ++j) {
        if (labels[i].worker == labels[j].worker) continue;
        entries.push_back({labels[i].worker,
                           labels[j].worker,
                           {static_cast<uint32_t>(task), labels[i].value, labels[j].value}});
      }
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.first_worker != b.first_worker ? a.first_worker < b.first_worker
                                            : a.second_worker < b.second_worker;
  });
  std::vector<CohenCell> cells;
  std::vector<uint64_t> begin;
  cells.reserve(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i == 0 || entries[i].first_worker != entries[i - 1].first_worker ||
        entries[i].second_worker != entries[i - 1].second_worker) {
      begin.push_back(i);
    }
    cells.push_back(entries[i].cell);
  }
  begin.push_back(cells.size());
  return {std::move(cells), std::move(begin), table.class_count(), std::move(weights),
          with_classes};
}

}  // namespace hone::quality
