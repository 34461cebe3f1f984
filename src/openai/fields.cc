#include "openai/fields.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "openai/errors.h"

namespace hone::openai {
namespace {

constexpr size_t kBodyDepthMax = 100;

[[noreturn]] void wrong_kind(const std::string& name, std::string_view wanted, const Json& found) {
  throw bad_field(name, name + " must be " + std::string(wanted) + "; it is " +
                            (found.is_null() ? "null" : "a " + std::string(found.kind_name())));
}

std::string check_text(const Json& value, const std::string& name, size_t max_bytes) {
  if (!value.is_string()) wrong_kind(name, "a string", value);
  if (value.as_string().size() > max_bytes) {
    throw bad_field(name, name + " is longer than the " + std::to_string(max_bytes) +
                              " bytes that it may have");
  }
  return value.as_string();
}

}  // namespace

std::optional<int64_t> whole_number(const Json& value) {
  if (!value.is_number()) return std::nullopt;
  if (!value.is_integer()) {
    constexpr double kExact = 9007199254740992.0;
    const double number = value.as_double();
    if (std::floor(number) != number || std::fabs(number) > kExact) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.as_double() > 9.3e18) return std::nullopt;
  try {
    return value.as_int();
  } catch (const Error&) {
    return std::nullopt;  // beyond an int64
  }
}

Json parse_body(const std::string& text) {
  if (const auto at = find_invalid_utf8(text)) {
    throw invalid_input("the body is not UTF-8: byte " + std::to_string(*at));
  }
  Result<Json> parsed = Json::parse(text, {.max_depth = kBodyDepthMax});
  if (!parsed) throw invalid_input("the body is not JSON: " + parsed.error().message());
  if (!parsed->is_object()) {
    throw invalid_input("the body must be a JSON object; it is a " +
                        std::string(parsed->kind_name()));
  }
  return std::move(*parsed);
}

Fields::Fields(const Json& value, std::string where) : value_(value), where_(std::move(where)) {
  if (!value.is_object()) {
    std::string name = where_.empty() ? "the body" : where_;
    if (name.back() == '.') name.pop_back();
    wrong_kind(name, "an object", value);
  }
}

const Json* Fields::take(std::string_view name) {
  for (const auto& [key, value] : value_.as_object()) {
    if (key != name) continue;
    taken_.push_back(key);
    return value.is_null() ? nullptr : &value;
  }
  return nullptr;
}

const Json& Fields::require(std::string_view name) {
  if (const Json* value = take(name)) return *value;
  const std::string full = name_of(name);
  throw bad_field(full, "the field " + full + " is missing");
}

std::optional<bool> Fields::flag(std::string_view name) {
  const Json* value = take(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) wrong_kind(name_of(name), "true or false", *value);
  return value->as_bool();
}

std::optional<int64_t> Fields::integer(std::string_view name, int64_t min, int64_t max) {
  const Json* value = take(name);
  if (value == nullptr) return std::nullopt;
  const std::string full = name_of(name);
  if (!value->is_number()) wrong_kind(full, "a whole number", *value);
  const auto number = whole_number(*value);
  if (!number || *number < min || *number > max) {
    throw bad_field(full, full + " must be a whole number from " + std::to_string(min) + " to " +
                              std::to_string(max));
  }
  return *number;
}

std::optional<double> Fields::number(std::string_view name, double min, double max) {
  const Json* value = take(name);
  if (value == nullptr) return std::nullopt;
  const std::string full = name_of(name);
  if (!value->is_number()) wrong_kind(full, "a number", *value);
  const double number = value->as_double();
  if (!(number >= min && number <= max)) {
    throw bad_field(full, full + " must be a number from " + number_to_string(min) + " to " +
                              number_to_string(max));
  }
  return number;
}

std::optional<std::string> Fields::text(std::string_view name, size_t max_bytes) {
  const Json* value = take(name);
  if (value == nullptr) return std::nullopt;
  return check_text(*value, name_of(name), max_bytes);
}

std::optional<std::string> Fields::word(std::string_view name,
                                        std::initializer_list<std::string_view> words) {
  const Json* value = take(name);
  if (value == nullptr) return std::nullopt;
  const std::string full = name_of(name);
  if (!value->is_string()) wrong_kind(full, "a string", *value);
  if (std::find(words.begin(), words.end(), value->as_string()) == words.end()) {
    std::string known;
    for (const std::string_view word : words)
      known += (known.empty() ? "" : ", ") + std::string(word);
    throw bad_field(full, full + " must be one of: " + known);
  }
  return value->as_string();
}

std::vector<std::string> Fields::texts(std::string_view name, size_t max_count, size_t max_bytes) {
  const Json* value = take(name);
  if (value == nullptr) return {};
  const std::string full = name_of(name);
  if (value->is_string()) return {check_text(*value, full, max_bytes)};
  if (!value->is_array()) wrong_kind(full, "a string or a list of strings", *value);
  if (value->size() > max_count) {
    throw bad_field(full, full + " has " + std::to_string(value->size()) + " entries; at most " +
                              std::to_string(max_count) + " are taken");
  }
  std::vector<std::string> out;
  for (const Json& each : value->as_array()) out.push_back(check_text(each, full, max_bytes));
  return out;
}

int32_t token_id(const Json& value, const std::string& name) {
  const auto id = whole_number(value);
  if (!id || *id < 0 || *id > INT32_MAX) {
    throw bad_field(name, name + " holds something that is not a token id");
  }
  return static_cast<int32_t>(*id);
}

std::vector<int32_t> Fields::token_ids(std::string_view name, size_t max_count) {
  const Json* value = take(name);
  if (value == nullptr) return {};
  const std::string full = name_of(name);
  if (!value->is_array()) wrong_kind(full, "a list of token ids", *value);
  if (value->size() > max_count) {
    throw bad_field(full, full + " has " + std::to_string(value->size()) + " entries; at most " +
                              std::to_string(max_count) + " are taken");
  }
  std::vector<int32_t> ids;
  ids.reserve(value->size());
  for (const Json& each : value->as_array()) ids.push_back(token_id(each, full));
  return ids;
}

void Fields::ignore(std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) take(name);
}

void Fields::refuse(std::string_view name, std::string_view why) {
  const Json* value = take(name);
  if (value == nullptr || (value->is_bool() && !value->as_bool())) return;
  const std::string full = name_of(name);
  throw bad_field(full, full + " is not supported: " + std::string(why));
}

void Fields::finish() const {
  for (const auto& [key, value] : value_.as_object()) {
    if (std::find(taken_.begin(), taken_.end(), key) != taken_.end()) continue;
    const std::string full = where_ + shown(key);
    throw bad_field(full,
                    "unknown field '" + full + "': docs/serving.md lists those that are taken");
  }
}

}  // namespace hone::openai
