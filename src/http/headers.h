#pragma once
// Named values of a message: header fields, query parameters, path parameters, cookies.
//
// Both keep the order in which values came and hold few of them (the parser bounds the number), so
// a lookup walks a vector. Views that they return die with the next change.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::http {

// ASCII letters of any case are equal; every other byte is itself.
bool equals_ignoring_case(std::string_view a, std::string_view b);

// Header fields: names compare without case, a name may repeat.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields);

  std::optional<std::string_view> find(std::string_view name) const;  // the first of that name
  std::string_view get(std::string_view name, std::string_view fallback = {}) const;
  std::vector<std::string_view> all(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name).has_value(); }
  // Whether one of the comma-separated words of the fields of that name is `token`, without case.
  bool has_token(std::string_view name, std::string_view token) const;

  // add() keeps what is there, set() replaces it. Both throw internal when the name is no token or
  // the value holds a control character: no text can end a header and begin another.
  void add(std::string_view name, std::string_view value);
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);

  size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  friend class
      HeadersFromWire;  // message_parser.cc: what a parser has checked is not checked again
  std::vector<Field> fields_;
};

// Decoded parameters: names compare exactly, a name may repeat.
class Parameters {
 public:
  using Parameter = std::pair<std::string, std::string>;

  std::optional<std::string_view> find(std::string_view name) const;  // the first of that name
  std::string_view get(std::string_view name, std::string_view fallback = {}) const;
  std::vector<std::string_view> all(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name).has_value(); }
  // The value; throws invalid_input that names the parameter when it is missing.
  const std::string& at(std::string_view name) const;
  // The value as a number in [min, max], the fallback when absent; throws invalid_input that names
  // the parameter and the bounds otherwise.
  int64_t get_int(std::string_view name, int64_t fallback, int64_t min, int64_t max) const;

  void add(std::string name, std::string value);

  size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

 private:
  std::vector<Parameter> values_;
};

}  // namespace hone::http
