#pragma once
// One value on its way into a statement: null, a 64-bit integer, a double, text (UTF-8) or bytes.
//
//   tx.execute("INSERT INTO task (public_id, place, note) VALUES ($1, $2, $3)",
//              {id, 7, std::optional<std::string>()});
//
// A Value borrows what it is made of when that has a name (an lvalue std::string, a string_view, a
// char array), which must then live as long as the Value; it owns a std::string that was handed
// over (a temporary). So a list of values written in a call is always safe, and a vector of values
// must not outlive the strings that it was filled from.
//
// bool becomes 0 or 1, an empty optional becomes null. Throws invalid_input for an unsigned number
// beyond int64.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/error.h"

namespace hone::store {

enum class ValueKind { kNull, kInt64, kDouble, kText, kBytes };

// Marks a string as bytes that are no text (a BLOB, a bytea).
struct Bytes {
  std::string_view data;
};

class Value {
 public:
  Value() = default;
  Value(std::nullptr_t) {}  // NOLINT: implicit, as all that follow
  Value(std::nullopt_t) {}  // NOLINT
  template <std::integral T>
  Value(T number) : value_(to_int64(number)) {}                       // NOLINT
  Value(double number) : value_(number) {}                            // NOLINT
  Value(const char* text) : value_(std::string_view(text)) {}         // NOLINT
  Value(std::string_view text) : value_(text) {}                      // NOLINT
  Value(const std::string& text) : value_(std::string_view(text)) {}  // NOLINT
  Value(std::string&& text) : value_(std::move(text)) {}              // NOLINT
  Value(Bytes bytes) : value_(bytes) {}                               // NOLINT
  template <class T>
  Value(const std::optional<T>& value) : Value(value ? Value(*value) : Value()) {}  // NOLINT
  template <class T>
  Value(std::optional<T>&& value) : Value(value ? Value(std::move(*value)) : Value()) {}  // NOLINT
  template <class T>
  Value(const T*) = delete;  // a pointer is no bool

  ValueKind kind() const {
    constexpr ValueKind kKinds[] = {ValueKind::kNull, ValueKind::kInt64, ValueKind::kDouble,
                                    ValueKind::kText, ValueKind::kText,  ValueKind::kBytes};
    return kKinds[value_.index()];
  }
  int64_t int64() const { return std::get<int64_t>(value_); }
  double real() const { return std::get<double>(value_); }
  std::string_view text() const {
    if (const auto* owned = std::get_if<std::string>(&value_)) return *owned;
    return std::get<std::string_view>(value_);
  }
  std::string_view bytes() const { return std::get<Bytes>(value_).data; }

 private:
  template <std::integral T>
  static int64_t to_int64(T number) {
    if constexpr (std::unsigned_integral<T> && sizeof(T) >= sizeof(int64_t)) {
      if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        throw invalid_input(std::to_string(number) + " is larger than a database can keep");
      }
    }
    return static_cast<int64_t>(number);
  }

  std::variant<std::monostate, int64_t, double, std::string_view, std::string, Bytes> value_;
};

}  // namespace hone::store
