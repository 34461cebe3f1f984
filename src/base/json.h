#pragma once
// A JSON value of our own, so that the parser library stays in json.cc (including one costs
// seconds of compile time per file) and so that numbers keep their bits.
//
// Numbers: integers that fit are kept as int64 or uint64; an f32 stays an f32 and prints as the
// shortest decimal that reads back to it; an f64 as the shortest decimal of the f64. Reading is
// correctly rounded. Integers beyond 64 bits become the nearest f64 (tokenizer_config.json has one).
// NaN and infinity cannot be written: dump() throws internal.
//
// Objects keep the order in which members were added or read; a repeated key is an error.
// Copies are deep. Not shared between threads while one of them writes.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace hone {

struct JsonLimits {
  size_t max_depth = 200;         // nesting of arrays and objects
  size_t max_bytes = 1ull << 31;  // size of the text
};

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;                                      // null
  Json(std::nullptr_t) {}                                // NOLINT: implicit, as all that follow
  Json(bool value) : value_(value) {}                    // NOLINT
  Json(int value) : value_(int64_t{value}) {}            // NOLINT
  Json(unsigned value) : value_(int64_t{value}) {}       // NOLINT
  Json(int64_t value) : value_(value) {}                 // NOLINT
  Json(long long value) : value_(int64_t{value}) {}      // NOLINT
  Json(uint64_t value);                                  // NOLINT
  Json(float value) : value_(value) {}                   // NOLINT
  Json(double value) : value_(value) {}                  // NOLINT
  Json(const char* text) : value_(std::string(text)) {}  // NOLINT
  Json(std::string text) : value_(std::move(text)) {}    // NOLINT
  Json(std::string_view text) : value_(std::string(text)) {}  // NOLINT
  Json(Array array) : value_(std::move(array)) {}             // NOLINT
  Json(Object object) : value_(std::move(object)) {}          // NOLINT
  static Json array() { return Json(Array{}); }
  static Json object() { return Json(Object{}); }

  // One JSON document, nothing but white space around it. The error says what and at which byte.
  static Result<Json> parse(std::string_view text, const JsonLimits& limits = {});

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const {
    return std::holds_alternative<int64_t>(value_) || std::holds_alternative<uint64_t>(value_);
  }
  bool is_number() const {
    return is_integer() || std::holds_alternative<float>(value_) ||
           std::holds_alternative<double>(value_);
  }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  std::string_view kind_name() const;  // "null", "boolean", "number", "string", "array", "object"

  // Each throws invalid_input "expected a string, found a number" when the kind is another.
  bool as_bool() const;
  int64_t as_int() const;    // a number with a fraction, or one that does not fit, is refused
  double as_double() const;  // any number
  const std::string& as_string() const;
  const Array& as_array() const;
  Array& as_array();
  const Object& as_object() const;
  Object& as_object();

  // The member of that name, or nullptr; nullptr too when this is not an object.
  const Json* find(std::string_view key) const;
  // The member of that name; throws invalid_input that names the key when it is missing.
  const Json& at(std::string_view key) const;
  // Sets or adds a member; a null value becomes an object first.
  Json& operator[](std::string_view key);
  // Adds an element; a null value becomes an array first.
  void push_back(Json element);
  size_t size() const;  // elements or members; 0 for the rest

  bool operator==(const Json& other) const = default;

  // One line, members in their order, no white space; non-ASCII text as UTF-8.
  std::string dump() const;
  void dump_to(std::string& out) const;
  // Two spaces of indentation a level.
  std::string dump_pretty() const;
  // RFC 8785: members sorted by UTF-16 code units, numbers as ECMAScript prints them. Throws
  // internal for an integer beyond 2^53 that a double would change: write it as a string.
  std::string dump_canonical() const;

 private:
  friend struct JsonVisitor;  // json_write.cc

  std::variant<std::monostate, bool, int64_t, uint64_t, float, double, std::string, Array, Object>
      value_;
};

// Shortest decimal that reads back to the same bits, in ECMAScript's form (1e+21, 0.000001, 1e-7),
// except that minus zero is "-0".
std::string number_to_string(float value);
std::string number_to_string(double value);
// Adds the text with quotes and escapes. The text must be valid UTF-8.
void append_json_string(std::string& out, std::string_view text);

}  // namespace hone
