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
  Value(T number) : kind_(ValueKind::kInt64), int64_(to_int64(number)) {}   // NOLINT
  Value(double number) : kind_(ValueKind::kDouble), real_(number) {}        // NOLINT
  Value(const char* text) : kind_(ValueKind::kText), view_(text) {}         // NOLINT
  Value(std::string_view text) : kind_(ValueKind::kText), view_(text) {}    // NOLINT
  Value(const std::string& text) : kind_(ValueKind::kText), view_(text) {}  // NOLINT
  Value(std::string&& text)                                                 // NOLINT
      : kind_(ValueKind::kText), is_owner_(true), owned_(std::move(text)) {}
  Value(Bytes bytes) : kind_(ValueKind::kBytes), view_(bytes.data) {}  // NOLINT
  template <class T>
  Value(const std::optional<T>& value) : Value(value ? Value(*value) : Value()) {}  // NOLINT
  template <class T>
  Value(std::optional<T>&& value)  // NOLINT
      : Value(value ? Value(std::move(*value)) : Value()) {}
  template <class T>
  Value(const T*) = delete;  // a pointer is no bool

  ValueKind kind() const { return kind_; }
  // Each is only for a value of that kind.
  int64_t int64() const { return int64_; }
  double real() const { return real_; }
  std::string_view text() const { return is_owner_ ? std::string_view(owned_) : view_; }
  std::string_view bytes() const { return view_; }

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

  // Not a std::variant: GCC 12 warns of uninitialised strings in its copies that are not there.
  ValueKind kind_ = ValueKind::kNull;
  bool is_owner_ = false;
  int64_t int64_ = 0;
  double real_ = 0;
  std::string_view view_;
  std::string owned_;
};

}  // namespace hone::store
