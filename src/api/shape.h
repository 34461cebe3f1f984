#pragma once
// What a JSON object must look like, as data: the same shape refuses a wrong body with a sentence and
// describes it in the OpenAPI document, so that the two cannot drift.
//
//   Shape{"NewProject", {required(line("name", 1, 200)), integer("overlap", 1, 100), …}}
//
// Shapes name each other by text (ref("Person")); the table of all of them is shapes.cc. Immutable
// after construction; any thread.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hone::api {

enum class Kind {
  kLine,  // text without control characters; with min > 0 not blank
  kText,  // text, line breaks too; never a zero byte
  kWord,  // one of `words`
  kTime,  // RFC 3339
  kDay,   // 2026-11-28, a day that there is
  kInteger,
  kNumber,
  kBoolean,
  kRef,   // another shape, by name
  kList,  // of `element[0]`
  kMap,   // an object with any members, each of `element[0]`
  kAny,   // any JSON
};

struct Type {
  Kind kind = Kind::kAny;
  // Characters of a text, value of a number, elements of a list or map; min > max = no bound.
  double min = 0;
  double max = -1;
  bool nullable = false;
  bool not_blank = false;  // of kText: not white space alone
  bool above_min = false;  // of a number: min itself is too little
  std::vector<std::string_view> words = {};
  std::vector<int64_t> numbers = {};  // of kInteger: one of these, whatever the bounds say
  std::string_view shape = {};
  std::vector<Type> element = {};

  bool bounded() const { return min <= max; }
};

struct Field {
  std::string_view name;
  Type type;
  bool is_required = false;
  std::string_view note = {};  // for the document: what it means
};

struct Choice {
  std::string_view word, shape;
};

struct Shape {
  std::string_view name;
  std::vector<Field> fields;
  // At least one member must be there: a change that changes nothing is a mistake.
  bool not_empty = false;
  // Not an object but one of these: used in answers only.
  std::vector<Type> either = {};
  // Of a body: an object of one of several shapes, as the word in its member `by` says. Each of them has
  // that member, as a word that is the only one.
  std::string_view by = {};
  std::vector<Choice> choices = {};
};

// Words for the tables.
Field line(std::string_view name, int min, int max);
Field text(std::string_view name, int min, int max);
Field text(std::string_view name);  // without bounds: in answers
Field not_blank(Field text);
Field word(std::string_view name, std::vector<std::string_view> words);
Field time(std::string_view name);
Field day(std::string_view name);
Field integer(std::string_view name, int64_t min, int64_t max);
Field integer(std::string_view name);
Field one_of(std::string_view name, std::vector<int64_t> numbers);
Field number(std::string_view name, double min, double max);
Field number(std::string_view name);
Field number_above(std::string_view name, double min, double max);  // min is too little
Field boolean(std::string_view name);
Field ref(std::string_view name, std::string_view shape);
Field list(std::string_view name, Type element, int min, int max);
Field list(std::string_view name, Type element);
Field map(std::string_view name, Type element, int max);
Field map(std::string_view name);  // any object
Field any(std::string_view name);

Type line_type(int min, int max);
Type text_type();
Type number_type();
Type integer_type();
Type integer_type(int64_t min, int64_t max);
Type any_type();
Type map_type();
Type ref_type(std::string_view shape);
Type list_type(Type element);
Type word_type(std::vector<std::string_view> words);

Field required(Field field);
Field nullable(Field field);
Field note(Field field, std::string_view note);

// Throws ApiError (error_response.h) with the field's JSON pointer ("/owner/name") when value is not of that
// shape: an unknown member (the message names the known ones), a missing one, a wrong kind, a bound.
// `shapes` is where names are looked up.
void check_shape(const Json& value, const Shape& shape, std::span<const Shape> shapes);
// The same for one value; `path` begins the field's path.
void check_type(const Json& value, const Type& type, std::span<const Shape> shapes,
                const std::string& path);

// HONE_CHECKs that there is one: names in tables are ours.
const Shape& find_shape(std::string_view name, std::span<const Shape> shapes);

// JSON Schema (2020-12, as OpenAPI 3.1 takes it). closed = additionalProperties: false.
Json schema_of(const Type& type);
Json schema_of(const Shape& shape, bool closed);

}  // namespace hone::api
