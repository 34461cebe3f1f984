#include "llm/grammar/schema_merge.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::grammar {
namespace {

constexpr size_t kMaxSteps = 64;  // references and allOf in a row

enum class Wants { kAny, kString, kCount, kNumber, kArray, kObject, kSchema, kFlag };

struct Keyword {
  std::string_view name, type;  // type: the kind of value that it is about
  Wants wants;
};

constexpr Keyword kKeywords[] = {
    {"type", "", Wants::kAny},
    {"enum", "", Wants::kArray},
    {"const", "", Wants::kAny},
    {"anyOf", "", Wants::kArray},
    {"oneOf", "", Wants::kArray},
    {"allOf", "", Wants::kArray},
    {"$ref", "", Wants::kString},
    {"$defs", "", Wants::kObject},
    {"definitions", "", Wants::kObject},
    {"properties", "object", Wants::kObject},
    {"required", "object", Wants::kArray},
    {"additionalProperties", "object", Wants::kSchema},
    {"items", "array", Wants::kSchema},
    {"prefixItems", "array", Wants::kArray},
    {"minItems", "array", Wants::kCount},
    {"maxItems", "array", Wants::kCount},
    {"uniqueItems", "array", Wants::kFlag},
    {"minLength", "string", Wants::kCount},
    {"maxLength", "string", Wants::kCount},
    {"pattern", "string", Wants::kString},
    {"format", "string", Wants::kString},
    {"minimum", "number", Wants::kNumber},
    {"maximum", "number", Wants::kNumber},
    {"exclusiveMinimum", "number", Wants::kNumber},
    {"exclusiveMaximum", "number", Wants::kNumber},
};

constexpr std::string_view kAnnotations[] = {"title",    "description", "default",  "examples",
                                             "$comment", "deprecated",  "readOnly", "writeOnly",
                                             "$schema",  "$id"};

constexpr std::string_view kTypes[] = {"object",  "array",   "string", "number",
                                       "integer", "boolean", "null"};

const Keyword* keyword_named(std::string_view name) {
  for (const Keyword& keyword : kKeywords) {
    if (keyword.name == name) return &keyword;
  }
  return nullptr;
}

std::string_view wrong_kind(Wants wants, const Json& value) {
  switch (wants) {
    case Wants::kAny: return {};
    case Wants::kString: return value.is_string() ? "" : "a string";
    case Wants::kCount:
      return value.is_integer() && value.as_double() >= 0 ? "" : "an integer of at least 0";
    case Wants::kNumber: return value.is_number() ? "" : "a number";
    case Wants::kArray: return value.is_array() ? "" : "an array";
    case Wants::kObject: return value.is_object() ? "" : "an object";
    case Wants::kSchema: return value.is_object() || value.is_bool() ? "" : "a schema";
    case Wants::kFlag: return value.is_bool() ? "" : "true or false";
  }
  return {};
}

bool contains(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// The number type holds the integers.
bool overlap(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::any_of(a.begin(), a.end(), [&](const std::string& type) {
    return contains(b, type) || (type == "integer" && contains(b, "number")) ||
           (type == "number" && contains(b, "integer"));
  });
}

std::vector<std::string> common_types(const std::vector<std::string>& a,
                                      const std::vector<std::string>& b) {
  std::vector<std::string> out;
  for (const std::string& type : a) {
    if (contains(b, type) || (type == "integer" && contains(b, "number"))) out.push_back(type);
    if (type == "number" && !contains(b, "number") && contains(b, "integer")) {
      out.emplace_back("integer");
    }
  }
  return out;
}

// Numbers are equal by value, as in JSON Schema.
bool same_value(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  return a == b;
}

const Json* values_of(const Json& schema, Json& scratch) {
  if (const Json* constant = schema.find("const")) {
    scratch = Json::array();
    scratch.push_back(*constant);
    return &scratch;
  }
  return schema.find("enum");
}

Json all_of(const Json& a, const Json& b) {
  Json both = Json::array();
  both.push_back(a);
  both.push_back(b);
  Json out = Json::object();
  out["allOf"] = std::move(both);
  return out;
}

}  // namespace

void refuse_schema(const std::string& place, const std::string& what) {
  throw invalid_input("the JSON schema at " + place + ": " + what);
}

bool is_annotation(std::string_view keyword) {
  return std::find(std::begin(kAnnotations), std::end(kAnnotations), keyword) !=
         std::end(kAnnotations);
}

void check_keywords(const Json& schema, const std::string& place) {
  for (const auto& [name, value] : schema.as_object()) {
    if (is_annotation(name)) continue;
    const Keyword* keyword = keyword_named(name);
    if (keyword == nullptr) refuse_schema(place, "`" + name + "` is not supported");
    const std::string_view wanted = wrong_kind(keyword->wants, value);
    if (!wanted.empty()) {
      refuse_schema(place + "." + name, "it must be " + std::string(wanted) + ", found " +
                                            std::string(value.kind_name()));
    }
    if (name == "uniqueItems" && value.as_bool()) {
      refuse_schema(place, "`uniqueItems` is not supported");
    }
  }
  if (schema.find("enum") != nullptr && schema.find("const") != nullptr) {
    refuse_schema(place, "`enum` and `const` together are not supported; keep one");
  }
}

const Json& resolve_reference(const Json& root, const std::string& reference,
                              const std::string& place) {
  if (reference.empty() || reference[0] != '#') {
    refuse_schema(place, "the reference " + reference +
                             " leads outside; only #/... is supported, with everything in $defs");
  }
  const Json* at = &root;
  size_t begin = 1;
  while (begin < reference.size()) {
    if (reference[begin] != '/') refuse_schema(place, reference + " is no JSON pointer");
    const size_t end = std::min(reference.find('/', begin + 1), reference.size());
    std::string name;
    for (size_t i = begin + 1; i < end; ++i) {
      if (reference[i] == '~' && i + 1 < end) {
        name += reference[++i] == '1' ? '/' : '~';
      } else {
        name += reference[i];
      }
    }
    if (at->is_array()) {
      char* rest = nullptr;
      const size_t index = std::strtoul(name.c_str(), &rest, 10);
      const bool is_index = !name.empty() && *rest == '\0' && index < at->size();
      at = is_index ? &at->as_array()[index] : nullptr;
    } else {
      at = at->find(name);
    }
    if (at == nullptr) refuse_schema(place, "the reference " + reference + " leads nowhere");
    begin = end;
  }
  return *at;
}

Json flattened(const Json& schema, const Json& root, const std::string& place, size_t depth) {
  if (depth > kMaxSteps) refuse_schema(place, "references or allOf lead in a circle, or too far");
  if (schema.is_bool()) {
    if (schema.as_bool()) return Json::object();
    refuse_schema(place, "`false` accepts nothing");
  }
  if (!schema.is_object()) refuse_schema(place, "a schema is an object, true or false");
  check_keywords(schema, place);
  const Json* reference = schema.find("$ref");
  const Json* all = schema.find("allOf");
  if (reference == nullptr && all == nullptr) return schema;
  Json out = Json::object();
  for (const auto& [name, value] : schema.as_object()) {
    if (name != "$ref" && name != "allOf" && !is_annotation(name)) out[name] = value;
  }
  if (reference != nullptr) {
    const Json& target = resolve_reference(root, reference->as_string(), place);
    out = merged(out, flattened(target, root, place, depth + 1), place);
  }
  if (all != nullptr) {
    size_t i = 0;
    for (const Json& part : all->as_array()) {
      const std::string here = place + ".allOf[" + std::to_string(i++) + "]";
      out = merged(out, flattened(part, root, here, depth + 1), place);
    }
  }
  return out;
}

namespace {

// additionalProperties of one side says something about the other's properties.
void add_properties(Json& out, const Json& own, const Json& other, const std::string& place) {
  const Json* properties = own.find("properties");
  if (properties == nullptr) return;
  const Json* others = other.find("properties");
  const Json* rest = other.find("additionalProperties");
  for (const auto& [name, schema] : properties->as_object()) {
    if (out.find(name) != nullptr) continue;
    const Json* same = others == nullptr ? nullptr : others->find(name);
    if (same != nullptr) {
      out[name] = all_of(schema, *same);
    } else if (rest == nullptr || (rest->is_bool() && rest->as_bool())) {
      out[name] = schema;
    } else if (rest->is_object()) {
      out[name] = all_of(schema, *rest);
    } else {
      const auto requires_it = [&name = name](const Json& side) {
        const Json* list = side.find("required");
        return list != nullptr && std::find(list->as_array().begin(), list->as_array().end(),
                                            Json(name)) != list->as_array().end();
      };
      if (requires_it(own) || requires_it(other)) {
        refuse_schema(place, "`" + name + "` is required by one part and forbidden by another");
      }
    }
  }
}

Json merged_values(const Json& a, const Json& b, const std::string& place) {
  Json scratch_a, scratch_b;
  const Json* of_a = values_of(a, scratch_a);
  const Json* of_b = values_of(b, scratch_b);
  Json out = Json::array();
  for (const Json& value : (of_a ? of_a : of_b)->as_array()) {
    const bool both = !of_a || !of_b ||
                      std::any_of(of_b->as_array().begin(), of_b->as_array().end(),
                                  [&](const Json& other) { return same_value(value, other); });
    if (both) out.push_back(value);
  }
  if (out.size() == 0) refuse_schema(place, "no value is in every part's `enum`");
  return out;
}

void merge_keyword(Json& out, const std::string& name, const Json* a, const Json* b,
                   const Json& side_a, const Json& side_b, const std::string& place) {
  if (name == "required") {
    Json list = a ? *a : Json::array();
    if (b) {
      for (const Json& entry : b->as_array()) {
        const auto& have = list.as_array();
        if (std::find(have.begin(), have.end(), entry) == have.end()) list.push_back(entry);
      }
    }
    out[name] = std::move(list);
  } else if (name == "properties") {
    Json properties = Json::object();
    add_properties(properties, side_a, side_b, place);
    add_properties(properties, side_b, side_a, place);
    out[name] = std::move(properties);
  } else if (!a || !b) {
    out[name] = a ? *a : *b;
  } else if (*a == *b) {
    out[name] = *a;
  } else if (name == "additionalProperties" || name == "items") {
    const auto is_false = [](const Json& value) { return value.is_bool() && !value.as_bool(); };
    out[name] = is_false(*a) || is_false(*b) ? Json(false) : all_of(*a, *b);
  } else if (name.starts_with("min") || name == "exclusiveMinimum") {
    out[name] = compare_numbers(*a, *b) > 0 ? *a : *b;
  } else if (name.starts_with("max") || name == "exclusiveMaximum") {
    out[name] = compare_numbers(*a, *b) < 0 ? *a : *b;
  } else {
    refuse_schema(place, "two different `" + name + "` that must both hold are not supported");
  }
}

}  // namespace

Json merged(const Json& a, const Json& b, const std::string& place) {
  std::vector<std::string> names;
  for (const Json* side : {&a, &b}) {
    for (const auto& [name, value] : side->as_object()) {
      const bool is_place = name == "$defs" || name == "definitions";
      if (!is_annotation(name) && !is_place && !contains(names, name)) names.push_back(name);
    }
  }
  const auto both = [&](const char* first, const char* second) {
    return a.find(first) != nullptr && b.find(second) != nullptr;
  };
  const bool same_prefix =
      both("prefixItems", "prefixItems") && *a.find("prefixItems") == *b.find("prefixItems");
  if (!same_prefix && (both("prefixItems", "items") || both("items", "prefixItems"))) {
    refuse_schema(place, "`prefixItems` of one part and `items` of another are not supported");
  }
  Json out = Json::object();
  bool values_done = false;
  for (const std::string& name : names) {
    if (name == "type") {
      // An absent type is any: only a declared one narrows.
      const auto list = [&](const Json& side) {
        const Json* type = side.find("type");
        Json only = Json::object();
        if (type != nullptr) only["type"] = *type;
        return types_of(only, place);
      };
      const std::vector<std::string> types = common_types(list(a), list(b));
      if (types.empty()) refuse_schema(place, "its parts have no type in common");
      Json types_json = Json::array();
      for (const std::string& type : types) types_json.push_back(type);
      out["type"] = std::move(types_json);
    } else if (name == "enum" || name == "const") {
      if (!values_done) out["enum"] = merged_values(a, b, place);
      values_done = true;
    } else {
      merge_keyword(out, name, a.find(name), b.find(name), a, b, place);
    }
  }
  return out;
}

std::vector<std::string> types_of(const Json& schema, const std::string& place) {
  std::vector<std::string> out;
  const auto add = [&](const Json& type) {
    const bool known = type.is_string() && std::find(std::begin(kTypes), std::end(kTypes),
                                                     type.as_string()) != std::end(kTypes);
    if (!known) {
      refuse_schema(place + ".type",
                    "it must be one of object, array, string, number, integer, boolean, null, or "
                    "a list of them");
    }
    if (!contains(out, type.as_string())) out.push_back(type.as_string());
  };
  if (const Json* type = schema.find("type")) {
    if (type->is_array()) {
      for (const Json& entry : type->as_array()) add(entry);
      if (out.empty()) refuse_schema(place + ".type", "an empty list accepts nothing");
    } else {
      add(*type);
    }
    if (contains(out, "number")) std::erase(out, "integer");
    return out;
  }
  for (const auto& [name, value] : schema.as_object()) {
    const Keyword* keyword = keyword_named(name);
    if (keyword != nullptr && !keyword->type.empty() && !contains(out, keyword->type)) {
      out.emplace_back(keyword->type);
    }
  }
  if (out.empty()) out = {"object", "array", "string", "number", "boolean", "null"};
  return out;
}

int compare_numbers(const Json& a, const Json& b) {
  if (a.is_integer() && b.is_integer()) {
    // Of different signs or both of the same kind: as_int refuses what is beyond int64.
    const bool big_a = a.as_double() > 9.2e18, big_b = b.as_double() > 9.2e18;
    if (!big_a && !big_b) {
      const int64_t x = a.as_int(), y = b.as_int();
      return x < y ? -1 : x > y;
    }
  }
  const double x = a.as_double(), y = b.as_double();
  return x < y ? -1 : x > y;
}

bool plainly_disjoint(const Json& a, const Json& b, const Json& root, const std::string& place,
                      size_t depth) {
  if (depth > 4) return false;
  const Json x = flattened(a, root, place), y = flattened(b, root, place);
  const auto has_choice = [](const Json& schema) {
    return schema.find("anyOf") != nullptr || schema.find("oneOf") != nullptr;
  };
  if (has_choice(x) || has_choice(y)) return false;
  Json scratch_x, scratch_y;
  const Json* of_x = values_of(x, scratch_x);
  const Json* of_y = values_of(y, scratch_y);
  if (of_x && of_y) {
    return std::none_of(of_x->as_array().begin(), of_x->as_array().end(), [&](const Json& value) {
      return std::any_of(of_y->as_array().begin(), of_y->as_array().end(),
                         [&](const Json& other) { return same_value(value, other); });
    });
  }
  // What the keywords imply is what the grammar writes, but a value of another type could satisfy
  // the other side: only declared types count.
  const auto declared = [&](const Json& schema) {
    Json only = Json::object();
    if (const Json* type = schema.find("type")) only["type"] = *type;
    return types_of(only, place);
  };
  if (!overlap(declared(x), declared(y))) return true;
  if (declared(x) != std::vector<std::string>{"object"} || declared(y) != declared(x)) return false;
  const auto required = [](const Json& schema, const std::string& name) {
    const Json* list = schema.find("required");
    return list != nullptr && std::find(list->as_array().begin(), list->as_array().end(),
                                        Json(name)) != list->as_array().end();
  };
  const Json* of_a = x.find("properties");
  const Json* of_b = y.find("properties");
  if (!of_a || !of_b) return false;
  for (const auto& [name, schema] : of_a->as_object()) {
    const Json* other = of_b->find(name);
    if (other != nullptr && required(x, name) && required(y, name) &&
        plainly_disjoint(schema, *other, root, place, depth + 1)) {
      return true;
    }
  }
  return false;
}

std::optional<bool> accepts_scalar(const Json& schema, const Json& value,
                                   const std::string& place) {
  for (const auto& [name, unused] : schema.as_object()) {
    const Keyword* keyword = keyword_named(name);
    const bool about_others = keyword != nullptr && !keyword->type.empty() &&
                              keyword->type != "number" && keyword->type != value.kind_name();
    const bool judged = is_annotation(name) || name == "type" || name == "enum" ||
                        name == "const" || name == "$defs" || name == "definitions" ||
                        name == "minLength" || name == "maxLength" || about_others ||
                        (keyword != nullptr && keyword->type == "number");
    if (!judged) return std::nullopt;
  }
  Json only = Json::object();
  if (const Json* type = schema.find("type")) only["type"] = *type;
  const std::vector<std::string> types = types_of(only, place);
  const bool integral = value.is_number() &&
                        (value.is_integer() || value.as_double() == std::trunc(value.as_double()));
  const bool type_fits =
      contains(types, value.kind_name()) || (integral && contains(types, "integer"));
  if (!type_fits) return false;
  if (value.is_number()) {
    const auto within = [&](const char* name, auto fits) {
      const Json* limit = schema.find(name);
      return limit == nullptr || fits(compare_numbers(value, *limit));
    };
    return within("minimum", [](int c) { return c >= 0; }) &&
           within("maximum", [](int c) { return c <= 0; }) &&
           within("exclusiveMinimum", [](int c) { return c > 0; }) &&
           within("exclusiveMaximum", [](int c) { return c < 0; });
  }
  if (value.is_string()) {
    const auto length = static_cast<double>(jinja::length(value.as_string()));
    const Json* min = schema.find("minLength");
    const Json* max = schema.find("maxLength");
    return (!min || length >= min->as_double()) && (!max || length <= max->as_double());
  }
  return true;
}

}  // namespace hone::llm::grammar
