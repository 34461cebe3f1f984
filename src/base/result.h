#pragma once
// Result<T>: a T or the Error that came instead, for outcomes that the caller handles on its next
// line (parse, verify, look up with a reason). The names are those of std::expected, so that a
// later standard library can take over by an alias. Plain absence is std::optional.

#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace hone {

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Throws the error that it holds when there is no value.
  T& value() & {
    throw_if_error();
    return std::get<0>(state_);
  }
  const T& value() const& {
    throw_if_error();
    return std::get<0>(state_);
  }
  T&& value() && {
    throw_if_error();
    return std::get<0>(std::move(state_));
  }

  T& operator*() { return checked(); }
  const T& operator*() const { return const_cast<Result*>(this)->checked(); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->checked(); }

  const Error& error() const {
    HONE_CHECK(!has_value());
    return std::get<1>(state_);
  }

 private:
  void throw_if_error() const {
    if (!has_value()) throw std::get<1>(state_);
  }
  T& checked() {
    HONE_CHECK(has_value());
    return std::get<0>(state_);
  }

  std::variant<T, Error> state_;
};

}  // namespace hone
