#include "data/row_fields.h"

#include <limits>

#include "base/error.h"
#include "data/rows.h"

namespace hone::data {
namespace {

std::string quoted(std::string_view key) { return "\"" + std::string(key) + "\""; }

Error wrong_kind(std::string_view key, std::string_view wanted, const Json& found) {
  return invalid_input(quoted(key) + " must be " + std::string(wanted) + ", found a " +
                       std::string(found.kind_name()));
}

// The caller has made sure that the key is there.
Json take(Json& object, std::string_view key) {
  for (Json::Member& member : object.as_object()) {
    if (member.first != key) continue;
    member.first.clear();
    return std::move(member.second);
  }
  throw invalid_input("missing key " + quoted(key));
}

void check_message(const Json& message, const std::string& place) {
  if (!message.is_object()) {
    throw invalid_input(place + " must be an object with role and content, found a " +
                        std::string(message.kind_name()));
  }
  const Json* role = message.find("role");
  if (role == nullptr || !role->is_string()) throw invalid_input(place + " has no role (a string)");
  if (role->as_string().empty()) throw invalid_input(place + " has an empty role");

  const Json* content = message.find("content");
  if (content != nullptr && content->is_string()) return;
  const Json* calls = message.find("tool_calls");
  const bool calls_a_tool = calls != nullptr && calls->is_array() && calls->size() > 0;
  if (calls_a_tool && (content == nullptr || content->is_null())) return;
  if (content == nullptr) throw invalid_input(place + " has no content");
  throw invalid_input(place + ": content must be a string, found a " +
                      std::string(content->kind_name()));
}

void check_messages(const Json& value, std::string_view key) {
  if (value.size() == 0) throw invalid_input(quoted(key) + " has no messages");
  size_t index = 0;
  for (const Json& message : value.as_array()) {
    check_message(message, std::string(key) + "[" + std::to_string(index++) + "]");
  }
}

std::string name_of(const Json& value, std::string_view key) {
  if (value.is_integer()) return value.dump();
  if (!value.is_string()) throw wrong_kind(key, "a string or an integer", value);
  return value.as_string();
}

std::vector<int32_t> numbers_of(const Json& value, std::string_view key, int64_t lowest) {
  if (!value.is_array()) throw wrong_kind(key, "an array of token ids", value);
  std::vector<int32_t> ids;
  ids.reserve(value.size());
  for (const Json& element : value.as_array()) {
    const bool fits = element.is_integer() && element.as_double() >= static_cast<double>(lowest) &&
                      element.as_double() <= std::numeric_limits<int32_t>::max() &&
                      (element.as_int() >= 0 || element.as_int() == kNotTrained);
    if (!fits) {
      throw invalid_input(std::string(key) + "[" + std::to_string(ids.size()) +
                          "] is not a token id: " + element.dump().substr(0, 40));
    }
    ids.push_back(static_cast<int32_t>(element.as_int()));
  }
  return ids;
}

}  // namespace

std::string take_string(Json& object, std::string_view key) {
  Json value = take(object, key);
  if (!value.is_string()) throw wrong_kind(key, "a string", value);
  return value.as_string();
}

Json take_messages(Json& object, std::string_view key) {
  Json value = take(object, key);
  if (!value.is_array()) throw wrong_kind(key, "a list of messages", value);
  check_messages(value, key);
  return value;
}

Json take_text(Json& object, std::string_view key) {
  Json value = take(object, key);
  if (value.is_string()) return value;
  if (!value.is_array()) throw wrong_kind(key, "a string or a list of messages", value);
  check_messages(value, key);
  return value;
}

bool take_bool(Json& object, std::string_view key) {
  const Json value = take(object, key);
  if (!value.is_bool()) throw wrong_kind(key, "true or false", value);
  return value.as_bool();
}

double take_number(Json& object, std::string_view key) {
  const Json value = take(object, key);
  if (!value.is_number()) throw wrong_kind(key, "a number", value);
  return value.as_double();
}

std::string take_name(Json& object, std::string_view key) {
  return name_of(take(object, key), key);
}

std::vector<std::string> take_names(Json& object, std::string_view key) {
  const Json value = take(object, key);
  if (!value.is_array()) throw wrong_kind(key, "a list of annotation ids", value);
  std::vector<std::string> names;
  for (const Json& element : value.as_array()) names.push_back(name_of(element, key));
  return names;
}

std::vector<std::string> take_strings(Json& object, std::string_view key) {
  const Json value = take(object, key);
  if (!value.is_array()) throw wrong_kind(key, "a list of strings", value);
  std::vector<std::string> out;
  for (const Json& element : value.as_array()) {
    if (!element.is_string()) throw wrong_kind(key, "a list of strings", element);
    out.push_back(element.as_string());
  }
  return out;
}

std::vector<bool> take_bools(Json& object, std::string_view key) {
  const Json value = take(object, key);
  if (!value.is_array()) throw wrong_kind(key, "a list of true and false", value);
  std::vector<bool> out;
  for (const Json& element : value.as_array()) {
    if (!element.is_bool()) throw wrong_kind(key, "a list of true and false", element);
    out.push_back(element.as_bool());
  }
  return out;
}

std::vector<int32_t> take_ids(Json& object, std::string_view key, Emptiness emptiness) {
  std::vector<int32_t> ids = numbers_of(take(object, key), key, 0);
  if (ids.empty() && emptiness == kMustNotBeEmpty) {
    throw invalid_input(quoted(key) + " is empty: there is nothing to train or continue");
  }
  return ids;
}

std::vector<int32_t> take_token_labels(Json& object, std::string_view key) {
  return numbers_of(take(object, key), key, kNotTrained);
}

bool is_taken(const Json::Member& member) {
  return member.first.empty() || member.second.is_null();
}

}  // namespace hone::data
