#include "api/shape.h"

#include <algorithm>
#include <cmath>

#include "api/error_response.h"
#include "base/check.h"
#include "base/utf8.h"
#include "label/times.h"

namespace hone::api {
namespace {

// Times are read by whoever takes one; here only the kind is checked.
bool is_texty(Kind kind) {
  return kind == Kind::kLine || kind == Kind::kText || kind == Kind::kWord || kind == Kind::kTime ||
         kind == Kind::kDay;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

std::string plain(double value) { return number_to_string(value); }

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw bad_field(path, (path.empty() ? "the body" : path) + " " + what);
}

std::string word_list(const std::vector<std::string_view>& words) {
  std::string all;
  for (const std::string_view each : words) {
    if (!all.empty()) all += ", ";
    all += each;
  }
  return all;
}

// "1 or -1"
std::string number_list(const std::vector<int64_t>& numbers) {
  std::string all;
  for (const int64_t each : numbers) all += (all.empty() ? "" : " or ") + std::to_string(each);
  return all;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

void check_texty(const Json& value, const Type& type, const std::string& path) {
  if (!value.is_string()) {
    refuse(path, "must be a string, not " + std::string(value.kind_name()));
  }
  const std::string& text = value.as_string();
  if (text.find('\0') != std::string::npos) refuse(path, "holds a zero byte (\\u0000): remove it");
  if (type.kind == Kind::kWord) {
    if (std::find(type.words.begin(), type.words.end(), text) == type.words.end()) {
      refuse(path, "must be one of " + word_list(type.words));
    }
    return;
  }
  if (type.kind == Kind::kDay && !label::parse_day(text)) {
    refuse(path, "is no day: write it like 2026-11-28");
  }
  if (type.kind == Kind::kLine && has_control(text)) {
    refuse(path, "holds a line break or a control character: remove it");
  }
  const bool may_be_blank =
      type.kind == Kind::kLine ? !type.bounded() || type.min <= 0 : !type.not_blank;
  if (!may_be_blank && is_blank(text)) refuse(path, "must not be blank");
  if (!type.bounded()) return;
  const auto characters = static_cast<double>(count_characters(text));
  if (characters < type.min || characters > type.max) {
    refuse(path, type.min > 0 && characters < type.min
                     ? "must have at least " + plain(type.min) + " characters"
                     : "has " + plain(characters) + " characters; at most " + plain(type.max) +
                           " are allowed");
  }
}

void check_number(const Json& value, const Type& type, const std::string& path) {
  if (!value.is_number()) {
    refuse(path, "must be a number, not " + std::string(value.kind_name()));
  }
  const double number = value.as_double();
  if (type.kind == Kind::kInteger &&
      (std::floor(number) != number || std::fabs(number) > 9007199254740992.0)) {
    refuse(path, "must be a whole number");
  }
  if (!type.numbers.empty()) {
    const auto is_it = [&](int64_t each) { return number == static_cast<double>(each); };
    if (std::any_of(type.numbers.begin(), type.numbers.end(), is_it)) return;
    refuse(path, "must be " + number_list(type.numbers));
  }
  if (type.bounded() && type.above_min && number <= type.min) {
    refuse(path, "must be above " + plain(type.min) + " and at most " + plain(type.max));
  }
  if (type.bounded() && (number < type.min || number > type.max)) {
    refuse(path, "must be from " + plain(type.min) + " to " + plain(type.max));
  }
}

void check_size(const Json& value, const Type& type, const std::string& path,
                std::string_view things) {
  const auto size = static_cast<double>(value.size());
  if (type.bounded() && (size < type.min || size > type.max)) {
    refuse(path, "has " + plain(size) + " " + std::string(things) + "; from " + plain(type.min) +
                     " to " + plain(type.max) + " are allowed");
  }
}

std::string below(const std::string& path, std::string_view name) {
  return path + "/" + std::string(name);
}

// The shape that the word in the member `by` names.
const Shape& chosen(const Json& value, const Shape& shape, std::span<const Shape> shapes,
                    const std::string& path) {
  const Json* member = value.find(shape.by);
  if (member == nullptr) {
    throw bad_field(below(path, shape.by), below(path, shape.by) + " is missing");
  }
  Type words = {.kind = Kind::kWord};
  for (const Choice& each : shape.choices) words.words.push_back(each.word);
  check_texty(*member, words, below(path, shape.by));
  const auto found =
      std::find_if(shape.choices.begin(), shape.choices.end(),
                   [&](const Choice& each) { return each.word == member->as_string(); });
  HONE_CHECK(found != shape.choices.end());
  return find_shape(found->shape, shapes);
}

void check_fields(const Json& value, const Shape& shape, std::span<const Shape> shapes,
                  const std::string& path) {
  if (!value.is_object()) {
    refuse(path, "must be an object, not " + std::string(value.kind_name()));
  }
  if (!shape.by.empty()) {
    return check_fields(value, chosen(value, shape, shapes, path), shapes, path);
  }
  for (const auto& [name, member] : value.as_object()) {
    const auto field = std::find_if(shape.fields.begin(), shape.fields.end(),
                                    [&](const Field& each) { return each.name == name; });
    if (field == shape.fields.end()) {
      std::vector<std::string_view> known;
      for (const Field& each : shape.fields) known.push_back(each.name);
      throw bad_field(below(path, name.substr(0, 100)),
                      "unknown field '" + name.substr(0, 100) + "'; known: " + word_list(known));
    }
    check_type(member, field->type, shapes, below(path, name));
  }
  for (const Field& field : shape.fields) {
    if (field.is_required && value.find(field.name) == nullptr) {
      throw bad_field(below(path, field.name), below(path, field.name) + " is missing");
    }
  }
  if (shape.not_empty && value.size() == 0) {
    std::vector<std::string_view> known;
    for (const Field& each : shape.fields) known.push_back(each.name);
    refuse(path, "says nothing; give at least one of " + word_list(known));
  }
}

}  // namespace

void check_type(const Json& value, const Type& type, std::span<const Shape> shapes,
                const std::string& path) {
  if (type.nullable && value.is_null()) return;
  if (is_texty(type.kind)) return check_texty(value, type, path);
  switch (type.kind) {
    case Kind::kInteger:
    case Kind::kNumber: return check_number(value, type, path);
    case Kind::kBoolean:
      if (!value.is_bool()) {
        refuse(path, "must be true or false, not " + std::string(value.kind_name()));
      }
      return;
    case Kind::kRef: return check_fields(value, find_shape(type.shape, shapes), shapes, path);
    case Kind::kList:
      if (!value.is_array()) {
        refuse(path, "must be a list, not " + std::string(value.kind_name()));
      }
      check_size(value, type, path, "elements");
      for (size_t i = 0; i < value.size(); ++i) {
        check_type(value.as_array()[i], type.element.at(0), shapes, below(path, std::to_string(i)));
      }
      return;
    case Kind::kMap:
      if (!value.is_object()) {
        refuse(path, "must be an object, not " + std::string(value.kind_name()));
      }
      check_size(value, type, path, "members");
      for (const auto& [name, member] : value.as_object()) {
        check_type(member, type.element.at(0), shapes, below(path, name.substr(0, 100)));
      }
      return;
    default: return;
  }
}

void check_shape(const Json& value, const Shape& shape, std::span<const Shape> shapes) {
  check_fields(value, shape, shapes, {});
}

const Shape& find_shape(std::string_view name, std::span<const Shape> shapes) {
  const auto found = std::find_if(shapes.begin(), shapes.end(),
                                  [&](const Shape& shape) { return shape.name == name; });
  HONE_CHECK(found != shapes.end());
  return *found;
}

namespace {

void add_bounds(Json& schema, const Type& type, std::string_view low, std::string_view high) {
  if (!type.bounded()) return;
  // Whole bounds print as whole numbers: some tools refuse minLength 1.0.
  const auto bound = [](double value) {
    return std::floor(value) == value && std::fabs(value) < 9e15 ? Json(static_cast<int64_t>(value))
                                                                 : Json(value);
  };
  if (type.min > 0 || type.kind == Kind::kInteger || type.kind == Kind::kNumber) {
    schema[type.above_min ? "exclusiveMinimum" : low] = bound(type.min);
  }
  schema[high] = bound(type.max);
}

Json texty_schema(const Type& type) {
  Json schema = Json::object();
  schema["type"] = "string";
  if (type.kind == Kind::kWord) {
    Json words = Json::array();
    for (const std::string_view each : type.words) words.push_back(each);
    schema["enum"] = words;
    return schema;
  }
  if (type.kind == Kind::kTime) {
    schema["format"] = "date-time";
    return schema;
  }
  if (type.kind == Kind::kDay) {
    schema["format"] = "date";
    return schema;
  }
  if (!type.bounded()) return schema;
  add_bounds(schema, type, "minLength", "maxLength");
  if (type.kind == Kind::kLine) {
    schema["pattern"] = type.min > 0
                            ? "^[^\\x00-\\x1f\\x7f]*[^\\x00-\\x20\\x7f][^\\x00-\\x1f\\x7f]*$"
                            : "^[^\\x00-\\x1f\\x7f]*$";
  } else {
    schema["pattern"] = type.not_blank ? "^[^\\x00]*[^\\x00 \\t\\r\\n][^\\x00]*$" : "^[^\\x00]*$";
  }
  return schema;
}

}  // namespace

Json schema_of(const Type& type) {
  Json schema = Json::object();
  switch (type.kind) {
    case Kind::kLine:
    case Kind::kText:
    case Kind::kWord:
    case Kind::kTime:
    case Kind::kDay: schema = texty_schema(type); break;
    case Kind::kInteger:
      schema["type"] = "integer";
      for (const int64_t each : type.numbers) schema["enum"].push_back(each);
      add_bounds(schema, type, "minimum", "maximum");
      break;
    case Kind::kNumber:
      schema["type"] = "number";
      add_bounds(schema, type, "minimum", "maximum");
      break;
    case Kind::kBoolean: schema["type"] = "boolean"; break;
    case Kind::kRef: schema["$ref"] = "#/components/schemas/" + std::string(type.shape); break;
    case Kind::kList:
      schema["type"] = "array";
      schema["items"] = schema_of(type.element.at(0));
      add_bounds(schema, type, "minItems", "maxItems");
      break;
    case Kind::kMap:
      schema["type"] = "object";
      schema["additionalProperties"] = schema_of(type.element.at(0));
      add_bounds(schema, type, "minProperties", "maxProperties");
      break;
    case Kind::kAny: break;
  }
  if (!type.nullable) return schema;
  Json either = Json::object();
  Json none = Json::object();
  none["type"] = "null";
  either["anyOf"].push_back(std::move(schema));
  either["anyOf"].push_back(std::move(none));
  return either;
}

Json schema_of(const Shape& shape, bool closed) {
  Json schema = Json::object();
  if (!shape.either.empty()) {
    for (const Type& each : shape.either) schema["anyOf"].push_back(schema_of(each));
    return schema;
  }
  if (!shape.by.empty()) {
    schema["discriminator"]["propertyName"] = shape.by;
    for (const Choice& each : shape.choices) {
      Json one = schema_of(ref_type(each.shape));
      schema["discriminator"]["mapping"][each.word] = one.at("$ref");
      schema["oneOf"].push_back(std::move(one));
    }
    return schema;
  }
  schema["type"] = "object";
  Json properties = Json::object();
  Json needed = Json::array();
  for (const Field& field : shape.fields) {
    Json property = schema_of(field.type);
    if (!field.note.empty()) property["description"] = field.note;
    properties[field.name] = std::move(property);
    if (field.is_required) needed.push_back(field.name);
  }
  schema["properties"] = std::move(properties);
  if (needed.size() > 0) schema["required"] = std::move(needed);
  if (closed) schema["additionalProperties"] = false;
  if (shape.not_empty) schema["minProperties"] = 1;
  return schema;
}

Type line_type(int min, int max) {
  return {.kind = Kind::kLine, .min = static_cast<double>(min), .max = static_cast<double>(max)};
}
Type text_type() { return {.kind = Kind::kText}; }
Type number_type() { return {.kind = Kind::kNumber}; }
Type integer_type() { return {.kind = Kind::kInteger}; }
Type integer_type(int64_t min, int64_t max) {
  return {.kind = Kind::kInteger, .min = static_cast<double>(min), .max = static_cast<double>(max)};
}
Type any_type() { return {}; }
Type map_type() { return {.kind = Kind::kMap, .element = {any_type()}}; }
Type ref_type(std::string_view shape) { return {.kind = Kind::kRef, .shape = shape}; }
Type list_type(Type element) { return {.kind = Kind::kList, .element = {std::move(element)}}; }
Type word_type(std::vector<std::string_view> words) {
  return {.kind = Kind::kWord, .words = std::move(words)};
}

Field line(std::string_view name, int min, int max) { return {name, line_type(min, max)}; }
Field text(std::string_view name, int min, int max) {
  return {name,
          {.kind = Kind::kText, .min = static_cast<double>(min), .max = static_cast<double>(max)}};
}
Field text(std::string_view name) { return {name, text_type()}; }
Field not_blank(Field text) {
  text.type.not_blank = true;
  return text;
}
Field word(std::string_view name, std::vector<std::string_view> words) {
  return {name, word_type(std::move(words))};
}
Field time(std::string_view name) { return {name, {.kind = Kind::kTime}}; }
Field day(std::string_view name) { return {name, {.kind = Kind::kDay}}; }
Field integer(std::string_view name, int64_t min, int64_t max) {
  return {name, integer_type(min, max)};
}
Field integer(std::string_view name) { return {name, integer_type()}; }
Field one_of(std::string_view name, std::vector<int64_t> numbers) {
  return {name, {.kind = Kind::kInteger, .numbers = std::move(numbers)}};
}
Field number(std::string_view name, double min, double max) {
  return {name, {.kind = Kind::kNumber, .min = min, .max = max}};
}
Field number(std::string_view name) { return {name, number_type()}; }
Field number_above(std::string_view name, double min, double max) {
  Field field = number(name, min, max);
  field.type.above_min = true;
  return field;
}
Field boolean(std::string_view name) { return {name, {.kind = Kind::kBoolean}}; }
Field ref(std::string_view name, std::string_view shape) { return {name, ref_type(shape)}; }
Field list(std::string_view name, Type element, int min, int max) {
  Type type = list_type(std::move(element));
  type.min = min;
  type.max = max;
  return {name, std::move(type)};
}
Field list(std::string_view name, Type element) { return {name, list_type(std::move(element))}; }
Field map(std::string_view name, Type element, int max) {
  return {name,
          {.kind = Kind::kMap,
           .min = 0,
           .max = static_cast<double>(max),
           .element = {std::move(element)}}};
}
Field map(std::string_view name) { return {name, map_type()}; }
Field any(std::string_view name) { return {name, any_type()}; }

Field required(Field field) {
  field.is_required = true;
  return field;
}
Field nullable(Field field) {
  field.type.nullable = true;
  return field;
}
Field note(Field field, std::string_view note) {
  field.note = note;
  return field;
}

}  // namespace hone::api
