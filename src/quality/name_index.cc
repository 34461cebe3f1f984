#include "quality/name_index.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace hone::quality {

uint32_t NameIndex::number_of(std::string_view name) {
  if (last_ != kNone && names_[last_] == name) return last_;
  const auto found = numbers_.find(name);
  if (found != numbers_.end()) return last_ = found->second;
  if (names_.size() >= kNone - 1) {
    throw invalid_input("a table holds at most 2^32 different names; split the file");
  }
  last_ = static_cast<uint32_t>(names_.size());
  names_.emplace_back(name);
  numbers_.emplace(names_.back(), last_);
  return last_;
}

uint32_t NameIndex::find(std::string_view name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? kNone : found->second;
}

std::vector<uint32_t> NameIndex::sort_into(std::vector<std::string>& sorted, const Before& before) {
  std::vector<uint32_t> order(names_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return before ? before(names_[a], names_[b]) : names_[a] < names_[b];
  });
  std::vector<uint32_t> new_number(names_.size());
  numbers_.clear();  // its keys look into names_, which now move
  last_ = kNone;
  sorted.clear();
  sorted.reserve(names_.size());
  for (uint32_t place = 0; place < order.size(); ++place) {
    new_number[order[place]] = place;
    sorted.push_back(std::move(names_[order[place]]));
  }
  names_.clear();
  return new_number;
}

}  // namespace hone::quality
