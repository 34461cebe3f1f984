#pragma once
// Names to numbers while a table is built, then the numbers in the order of the names. Internal to
// the builders of label_table.cc and comparison_table.cc. One thread.

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hone::quality {

class NameIndex {
 public:
  // The number of the name, a new one when it is new; numbers count up from 0. What the map iterates
  // over is never seen: only look-ups depend on it.
  uint32_t number_of(std::string_view name);
  static constexpr uint32_t kNone = 0xffffffffu;
  uint32_t find(std::string_view name) const;  // kNone when it is unknown

  size_t size() const { return names_.size(); }
  std::string_view name(uint32_t number) const { return names_[number]; }

  // Sorts the names by `before` (bytewise when null) into `sorted` and returns the new number of
  // each old one. The index is empty afterwards.
  using Before = std::function<bool(std::string_view, std::string_view)>;
  std::vector<uint32_t> sort_into(std::vector<std::string>& sorted, const Before& before = nullptr);

 private:
  std::deque<std::string> names_;  // their addresses stay
  std::unordered_map<std::string_view, uint32_t> numbers_;
  uint32_t last_ = kNone;  // files are mostly sorted by task: the same name comes again
};

}  // namespace hone::quality
