#include "base/json.h"

namespace hone {
namespace {

Error wrong_kind(const char* expected, const Json& found) {
  return invalid_input("expected " + std::string(expected) + ", found " +
                       std::string(found.is_null() ? "null"
                                   : found.is_array() || found.is_object()
                                       ? "an " + std::string(found.kind_name())
                                       : "a " + std::string(found.kind_name())));
}

// A double in [-2^63, 2^63) converts without loss of its whole part.
bool is_int64(double value) {
  return value >= -0x1p63 && value < 0x1p63 &&
         static_cast<double>(static_cast<int64_t>(value)) == value;
}

}  // namespace

Json::Json(uint64_t value) {
  // One number, one representation: what fits an int64 is one, so that equal numbers compare equal.
  if (value <= static_cast<uint64_t>(INT64_MAX)) {
    value_ = static_cast<int64_t>(value);
  } else {
    value_ = value;
  }
}

std::string_view Json::kind_name() const {
  if (is_null()) return "null";
  if (is_bool()) return "boolean";
  if (is_number()) return "number";
  if (is_string()) return "string";
  return is_array() ? "array" : "object";
}

bool Json::as_bool() const {
  if (const bool* value = std::get_if<bool>(&value_)) return *value;
  throw wrong_kind("a boolean", *this);
}

int64_t Json::as_int() const {
  if (const int64_t* value = std::get_if<int64_t>(&value_)) return *value;
  if (!is_number()) throw wrong_kind("an integer", *this);
  if (std::holds_alternative<uint64_t>(value_) || !is_int64(as_double())) {
    throw invalid_input("expected an integer of 64 bits, found " + dump());
  }
  return static_cast<int64_t>(as_double());
}

double Json::as_double() const {
  if (const double* value = std::get_if<double>(&value_)) return *value;
  if (const float* value = std::get_if<float>(&value_)) return double{*value};
  if (const int64_t* value = std::get_if<int64_t>(&value_)) return static_cast<double>(*value);
  if (const uint64_t* value = std::get_if<uint64_t>(&value_)) return static_cast<double>(*value);
  throw wrong_kind("a number", *this);
}

const std::string& Json::as_string() const {
  if (const std::string* value = std::get_if<std::string>(&value_)) return *value;
  throw wrong_kind("a string", *this);
}

const Json::Array& Json::as_array() const {
  if (const Array* value = std::get_if<Array>(&value_)) return *value;
  throw wrong_kind("an array", *this);
}

Json::Array& Json::as_array() {
  return const_cast<Array&>(static_cast<const Json*>(this)->as_array());
}

const Json::Object& Json::as_object() const {
  if (const Object* value = std::get_if<Object>(&value_)) return *value;
  throw wrong_kind("an object", *this);
}

Json::Object& Json::as_object() {
  return const_cast<Object&>(static_cast<const Json*>(this)->as_object());
}

const Json* Json::find(std::string_view key) const {
  const Object* object = std::get_if<Object>(&value_);
  if (object == nullptr) return nullptr;
  for (const Member& member : *object) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

const Json& Json::at(std::string_view key) const {
  as_object();
  if (const Json* value = find(key)) return *value;
  throw invalid_input("the key \"" + std::string(key) + "\" is missing");
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = Object{};
  Object& object = as_object();
  for (Member& member : object) {
    if (member.first == key) return member.second;
  }
  return object.emplace_back(std::string(key), Json()).second;
}

void Json::push_back(Json element) {
  if (is_null()) value_ = Array{};
  as_array().push_back(std::move(element));
}

size_t Json::size() const {
  if (is_array()) return as_array().size();
  return is_object() ? as_object().size() : 0;
}

}  // namespace hone
