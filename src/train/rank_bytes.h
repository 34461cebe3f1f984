#pragma once
// What ranks tell each other, as bytes: values and lists one after another, as they lie in memory. All
// ranks run one program on one kind of machine, so what does not fit is a bug of ours.

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"

namespace hone::train {

class RankWriter {
 public:
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void value(const T& value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void list(std::span<const T> values) {
    value(uint64_t{values.size()});
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }
  template <typename T>
  void list(const std::vector<T>& values) {
    list(std::span<const T>(values));
  }
  void text(std::string_view text) { list(std::span<const char>(text.data(), text.size())); }

  std::string take() { return std::exchange(bytes_, {}); }

 private:
  std::string bytes_;
};

class RankReader {
 public:
  explicit RankReader(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T value() {
    T value;
    copy(&value, sizeof value);
    return value;
  }
  template <typename T>
  std::vector<T> list() {
    const auto count = value<uint64_t>();
    HONE_CHECK(count <= bytes_.size() / sizeof(T));
    std::vector<T> values(count);
    copy(values.data(), count * sizeof(T));
    return values;
  }
  std::string text() {
    const std::vector<char> text = list<char>();
    return {text.begin(), text.end()};
  }
  bool done() const { return bytes_.empty(); }

 private:
  void copy(void* to, size_t size) {
    HONE_CHECK(size <= bytes_.size());
    if (size > 0) std::memcpy(to, bytes_.data(), size);
    bytes_.remove_prefix(size);
  }
  std::string_view bytes_;
};

}  // namespace hone::train
