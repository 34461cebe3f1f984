#include "llm/grammar/json_schema.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "llm/grammar/regex.h"
#include "llm/grammar/schema_merge.h"
#include "llm/grammar/string_formats.h"

namespace hone::llm::grammar {
namespace {

// What a schema may cost, alternatives multiplied out: so much for each part, and the bytes of its
// values and patterns.
constexpr size_t kMaxCost = 500'000, kPartCost = 5, kMaxNesting = 256;

bool is_bool(const Json* value, bool wanted) {
  return value != nullptr && value->is_bool() && value->as_bool() == wanted;
}

uint32_t count_of(const Json& schema, const char* name, uint32_t otherwise,
                  const std::string& place) {
  const Json* value = schema.find(name);
  if (value == nullptr) return otherwise;
  if (value->as_double() > 1'000'000) {
    refuse_schema(place + "." + name, "more than 1,000,000 is not supported");
  }
  return static_cast<uint32_t>(value->as_int());
}

}  // namespace

// One document: the root that references are looked up in.
class SchemaRules::Document {
 public:
  Document(SchemaRules& owner, const Json& root, std::string place)
      : owner_(owner), syntax_(owner.syntax_), json_(owner.json_), root_(root), place_(place) {}

  Expression root() { return referenced("#", place_); }

 private:
  Expression value(const Json& schema, const std::string& place);
  Expression referenced(const std::string& reference, const std::string& place);
  Expression alternatives(const Json& schema, const std::string& name, const std::string& place);
  Expression listed(const Json& schema, const Json& values, const std::string& place);
  Expression of_type(const Json& schema, const std::string& type, const std::string& place);
  Expression object(const Json& schema, const std::string& place);
  Expression array(const Json& schema, const std::string& place);
  Expression string(const Json& schema, const std::string& place);
  Expression number(const Json& schema, bool integer, const std::string& place);
  void charge(size_t cost) {
    owner_.cost_ += cost;
    if (owner_.cost_ > kMaxCost) {
      throw Error(ErrorCode::kTooLarge,
                  "the JSON schema has more than 100,000 parts, references and alternatives "
                  "multiplied out; use a smaller one");
    }
  }
  // A rule of its own, so that it is worked out once wherever it is used.
  Expression as_rule(Expression body, const std::string& place) {
    return rule(syntax_.add(place, std::move(body)));
  }

  SchemaRules& owner_;
  Syntax& syntax_;
  JsonRules& json_;
  const Json& root_;
  std::string place_;
  std::map<std::string, uint32_t> references_;
  size_t nesting_ = 0;
};

Expression SchemaRules::Document::referenced(const std::string& reference,
                                             const std::string& place) {
  const auto known = references_.find(reference);
  if (known != references_.end()) return rule(known->second);
  const Json& target = resolve_reference(root_, reference, place);
  const std::string name = reference == "#" ? place_ : reference;
  const uint32_t index = syntax_.add(name);
  references_[reference] = index;
  Expression body = value(target, name);
  syntax_.rules[index].body = std::move(body);
  return rule(index);
}

Expression SchemaRules::Document::value(const Json& schema, const std::string& place) {
  charge(kPartCost);
  if (nesting_ >= kMaxNesting) refuse_schema(place, "schemas are nested more than 256 deep");
  if (is_bool(&schema, true)) return json_.any_value();
  if (schema.is_object()) {
    check_keywords(schema, place);
    const Json* reference = schema.find("$ref");
    const bool alone = std::all_of(
        schema.as_object().begin(), schema.as_object().end(), [](const Json::Member& member) {
          return member.first == "$ref" || member.first == "$defs" ||
                 member.first == "definitions" || is_annotation(member.first);
        });
    if (reference != nullptr && alone) return referenced(reference->as_string(), place);
  }
  const Json flat = flattened(schema, root_, place);
  ++nesting_;
  Expression out;
  Json scratch;
  if (flat.find("anyOf") != nullptr) {
    out = alternatives(flat, "anyOf", place);
  } else if (flat.find("oneOf") != nullptr) {
    out = alternatives(flat, "oneOf", place);
  } else if (const Json* values = flat.find("enum")) {
    out = listed(flat, *values, place);
  } else if (const Json* constant = flat.find("const")) {
    scratch = Json::array();
    scratch.push_back(*constant);
    out = listed(flat, scratch, place);
  } else {
    std::vector<Expression> kinds;
    for (const std::string& type : types_of(flat, place))
      kinds.push_back(of_type(flat, type, place));
    out = choice(std::move(kinds));
  }
  --nesting_;
  return out;
}

Expression SchemaRules::Document::alternatives(const Json& schema, const std::string& name,
                                               const std::string& place) {
  Json rest = Json::object();
  for (const auto& [keyword, value] : schema.as_object()) {
    const bool is_place = keyword == "$defs" || keyword == "definitions";
    if (keyword != name && !is_place && !is_annotation(keyword)) rest[keyword] = value;
  }
  const auto& branches = schema.at(name).as_array();
  if (branches.empty()) refuse_schema(place + "." + name, "an empty list accepts nothing");
  if (name == "oneOf" && branches.size() > 256) {
    refuse_schema(place + ".oneOf", "more than 256 branches are not supported; use anyOf");
  }
  std::vector<Expression> ways;
  for (size_t i = 0; i < branches.size(); ++i) {
    const std::string here = place + "." + name + "[" + std::to_string(i) + "]";
    for (size_t j = 0; name == "oneOf" && j < i; ++j) {
      if (!plainly_disjoint(branches[i], branches[j], root_, here)) {
        refuse_schema(here, "branches " + std::to_string(j) + " and " + std::to_string(i) +
                                " of `oneOf` could both hold; tell them apart by type, by enum, or "
                                "by a required property with different constants, or use anyOf");
      }
    }
    if (rest.size() == 0) {
      ways.push_back(value(branches[i], here));
    } else {
      ways.push_back(value(merged(rest, flattened(branches[i], root_, here), here), here));
    }
  }
  return choice(std::move(ways));
}

Expression SchemaRules::Document::listed(const Json& schema, const Json& values,
                                         const std::string& place) {
  std::vector<Expression> ways;
  for (const Json& entry : values.as_array()) {
    const std::optional<bool> fits = accepts_scalar(schema, entry, place);
    charge(kPartCost);
    if (!fits) refuse_schema(place, "`enum` or `const` beside such keywords is not supported");
    if (*fits) ways.push_back(json_.constant(entry));
  }
  if (ways.empty()) refuse_schema(place, "no value of its `enum` fits its other keywords");
  return choice(std::move(ways));
}

Expression SchemaRules::Document::of_type(const Json& schema, const std::string& type,
                                          const std::string& place) {
  if (type == "object") return object(schema, place);
  if (type == "array") return array(schema, place);
  if (type == "string") return string(schema, place);
  if (type == "boolean") return choice({literal("true"), literal("false")});
  if (type == "null") return literal("null");
  return number(schema, type == "integer", place);
}

Expression SchemaRules::Document::number(const Json& schema, bool integer,
                                         const std::string& place) {
  const auto limit = [&](const char* with, const char* without) -> std::optional<NumberLimit> {
    const Json* included = schema.find(with);
    const Json* excluded = schema.find(without);
    if (included == nullptr && excluded == nullptr) return std::nullopt;
    if (included == nullptr) return NumberLimit{*excluded, true};
    if (excluded == nullptr) return NumberLimit{*included, false};
    const int order = compare_numbers(*included, *excluded);
    const bool excluded_binds = std::string_view(with) == "minimum" ? order <= 0 : order >= 0;
    return excluded_binds ? NumberLimit{*excluded, true} : NumberLimit{*included, false};
  };
  const auto low = limit("minimum", "exclusiveMinimum");
  const auto high = limit("maximum", "exclusiveMaximum");
  if (!low && !high) return integer ? json_.any_integer() : json_.any_number();
  std::string key = integer ? "integer" : "number";
  for (const auto& bound : {low, high}) {
    key += bound ? (bound->exclusive ? " beyond " : " from ") + bound->value.dump() : " any";
  }
  const auto known = owner_.number_rules_.find(key);
  if (known != owner_.number_rules_.end()) return rule(known->second);
  auto out = integer ? json_.integer_between(low, high) : json_.number_between(low, high);
  if (!out) refuse_schema(place, "no number that can be written lies within its limits");
  const uint32_t index = syntax_.add(key, std::move(*out));
  owner_.number_rules_[key] = index;
  return rule(index);
}

Expression SchemaRules::Document::string(const Json& schema, const std::string& place) {
  const Json* pattern = schema.find("pattern");
  const Json* format = schema.find("format");
  const bool has_length =
      schema.find("minLength") != nullptr || schema.find("maxLength") != nullptr;
  if ((pattern != nullptr) + (format != nullptr) + has_length > 1) {
    refuse_schema(place,
                  "only one of `pattern`, `format` and the lengths is supported on a string; put "
                  "the length into the pattern");
  }
  if (format != nullptr) {
    auto content = format_expression(format->as_string());
    if (!content) {
      refuse_schema(place + ".format", "\"" + format->as_string() +
                                           "\" is not supported (date, time, date-time, uuid and "
                                           "ipv4 are); leave it out or write a pattern");
    }
    return as_rule(json_.string_of(std::move(*content)), place);
  }
  if (pattern != nullptr) {
    charge(pattern->as_string().size());
    auto content = parse_regex(pattern->as_string(),
                               [this](const CodePoints& set) { return json_.spelled(set); });
    if (!content) refuse_schema(place + ".pattern", content.error().message());
    return as_rule(json_.string_of(std::move(*content)), place);
  }
  if (!has_length) return json_.any_string();
  const uint32_t min = count_of(schema, "minLength", 0, place);
  const uint32_t max = count_of(schema, "maxLength", kNoLimit, place);
  if (min > max) refuse_schema(place, "minLength is above maxLength");
  return as_rule(json_.string_of_length(min, max), place);
}

Expression SchemaRules::Document::array(const Json& schema, const std::string& place) {
  const Json* items = schema.find("items");
  const Json* prefix = schema.find("prefixItems");
  const size_t fixed = prefix == nullptr ? 0 : prefix->size();
  const uint32_t min = count_of(schema, "minItems", 0, place);
  uint32_t max = count_of(schema, "maxItems", kNoLimit, place);
  if (min > max) refuse_schema(place, "minItems is above maxItems");
  const bool closed =
      is_bool(items, false) || (items == nullptr && prefix != nullptr && min <= fixed);
  if (closed) max = std::min(max, static_cast<uint32_t>(fixed));
  if (min > max) refuse_schema(place, "minItems asks for more than `prefixItems` has");

  // From the last to the first: what may follow the items so far.
  const auto rest_count = [&](uint32_t count) {
    return count > fixed ? count - static_cast<uint32_t>(fixed) : 0;
  };
  Expression more = sequence({});
  if (max > fixed) {
    const Expression item = items == nullptr ? json_.any_value() : value(*items, place + ".items");
    const uint32_t least = rest_count(min), most = max == kNoLimit ? kNoLimit : rest_count(max);
    if (fixed > 0) {
      more = repeat(sequence({json_.comma(), item}), least, most);
    } else {
      more = sequence({item, repeat(sequence({json_.comma(), item}), std::max(least, 1u) - 1,
                                    most == kNoLimit ? kNoLimit : most - 1)});
      if (least == 0) more = optional(std::move(more));
    }
  }
  for (size_t i = std::min<size_t>(fixed, max); i-- > 0;) {
    Expression item =
        value(prefix->as_array()[i], place + ".prefixItems[" + std::to_string(i) + "]");
    if (i > 0) item = sequence({json_.comma(), std::move(item)});
    more = as_rule(sequence({std::move(item), std::move(more)}), place);
    if (i >= min) more = optional(std::move(more));
  }
  return as_rule(
      sequence({literal("["), json_.white(), std::move(more), json_.white(), literal("]")}), place);
}

Expression SchemaRules::Document::object(const Json& schema, const std::string& place) {
  const Json* properties = schema.find("properties");
  const Json* further = schema.find("additionalProperties");
  const bool closed = is_bool(further, false) || (further == nullptr && properties != nullptr);
  if (properties == nullptr && further == nullptr && schema.find("required") == nullptr) {
    return json_.any_object();
  }
  Json::Object members = properties == nullptr ? Json::Object() : properties->as_object();
  std::vector<std::string> required;
  if (const Json* list = schema.find("required")) {
    for (const Json& entry : list->as_array()) {
      if (!entry.is_string()) refuse_schema(place + ".required", "it must be a list of names");
      required.push_back(entry.as_string());
      const bool listed = std::any_of(members.begin(), members.end(), [&](const Json::Member& m) {
        return m.first == required.back();
      });
      if (listed) continue;
      if (is_bool(further, false)) {
        refuse_schema(place + ".required",
                      "`" + required.back() + "` is required, but not among the `properties`");
      }
      members.emplace_back(required.back(), further == nullptr ? Json(true) : *further);
    }
  }
  std::sort(required.begin(), required.end());

  std::vector<std::string> names;
  std::vector<Expression> bodies;
  for (const auto& [name, member] : members) {
    const std::string here = place + ".properties." + name;
    const bool is_required = std::binary_search(required.begin(), required.end(), name);
    names.push_back(name);
    if (is_bool(&member, false)) {
      if (is_required) refuse_schema(here, "it is required, but `false` accepts nothing");
      bodies.push_back(choice({}));
      continue;
    }
    bodies.push_back(
        as_rule(sequence({json_.constant(Json(name)), json_.colon(), value(member, here)}), here));
  }

  // What may follow with and without a member in front, from the last member to the first.
  Expression behind = sequence({}), first = sequence({});
  if (!closed) {
    const Expression member = sequence(
        {names.empty() ? json_.any_string() : json_.string_other_than(names), json_.colon(),
         further == nullptr ? json_.any_value()
                            : value(*further, place + ".additionalProperties")});
    behind = repeat(sequence({json_.comma(), member}), 0, kNoLimit);
    first = optional(sequence({member, behind}));
  }
  for (size_t i = bodies.size(); i-- > 0;) {
    const bool is_required = std::binary_search(required.begin(), required.end(), names[i]);
    const Expression after = as_rule(std::move(behind), place);
    const Expression other = is_required ? choice({}) : as_rule(std::move(first), place);
    behind = choice({sequence({json_.comma(), bodies[i], after})});
    first = choice({sequence({bodies[i], after})});
    if (!is_required) {
      behind.parts.push_back(after);
      first.parts.push_back(other);
    }
  }
  return as_rule(
      sequence({literal("{"), json_.white(), std::move(first), json_.white(), literal("}")}),
      place);
}

SchemaRules::SchemaRules(Syntax& syntax, JsonRules& json) : syntax_(syntax), json_(json) {}
SchemaRules::~SchemaRules() = default;

Expression SchemaRules::add(const Json& schema, const std::string& place) {
  return Document(*this, schema, place).root();
}

Result<Syntax> parse_json_schema(const Json& schema) {
  try {
    Syntax syntax;
    JsonRules json(syntax);
    SchemaRules schemas(syntax, json);
    const Expression root = schemas.add(schema, "$");
    syntax.root = syntax.add("answer", root);
    return syntax;
  } catch (const Error& error) {
    return error;
  }
}

Syntax json_object_syntax() {
  Syntax syntax;
  JsonRules json(syntax);
  const Expression object = json.any_object();
  syntax.root = syntax.add("answer", object);
  return syntax;
}

}  // namespace hone::llm::grammar
