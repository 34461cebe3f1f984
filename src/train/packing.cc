#include "train/packing.h"

#include <algorithm>
#include <deque>
#include <map>
#include <numeric>
#include <string>

#include "base/error.h"

namespace hone::train {

std::vector<std::vector<size_t>> pack_best_fit_decreasing(std::span<const size_t> lengths,
                                                          size_t capacity) {
  std::vector<size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<size_t>> bins;
  std::map<size_t, std::deque<size_t>> by_space;  // bins that still have room
  for (size_t row : order) {
    const size_t length = lengths[row];
    if (length == 0 || length > capacity) {
      throw invalid_input("--packing: a row of " + std::to_string(length) +
                          " tokens does not fit a sequence of " + std::to_string(capacity) +
                          " (--max-length)");
    }
    size_t space = capacity, bin = bins.size();
    const auto fullest = by_space.lower_bound(length);
    if (fullest == by_space.end()) {
      bins.emplace_back();
    } else {
      space = fullest->first;
      bin = fullest->second.front();
      fullest->second.pop_front();
      if (fullest->second.empty()) by_space.erase(fullest);
    }
    bins[bin].push_back(row);
    if (space > length) by_space[space - length].push_back(bin);
  }
  return bins;
}

}  // namespace hone::train
