#pragma once
// JSON Schema (draft 2020-12) as a grammar: every text of the grammar is JSON that the schema
// accepts. What cannot be promised is refused with a sentence that names the place ("$.properties.x:
// `not` is not supported"); nothing is ignored. docs/serving.md, "Constrained answers", has the list.
//
// Where a schema leaves a choice, the grammar takes the narrower one:
// - properties come in the schema's order, further ones behind them; names that are not listed are
//   refused unless additionalProperties says otherwise or there is no `properties` at all;
// - keywords of one kind without a `type` mean that kind ("properties" without type: an object);
// - items behind prefixItems only when `items` says so or minItems needs them;
// - numbers, white space and the spelling of strings as in json_rules.h.
// Names of objects with free names may repeat: a grammar cannot remember them.
//
// Bounds: 100,000 parts (schemas and values, alternatives multiplied out; 5 bytes of a pattern are
// one), 256 deep, 64 references or allOf in a row; and those of Grammar::compile.

#include <map>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "llm/grammar/json_rules.h"
#include "llm/grammar/syntax.h"

namespace hone::llm::grammar {

// For callers that build a larger grammar around values (tool calls).
class SchemaRules {
 public:
  SchemaRules(Syntax& syntax, JsonRules& json);
  ~SchemaRules();

  // A value of the schema; references are looked up inside it. `place` is what errors call it.
  // Throws invalid_input.
  Expression add(const Json& schema, const std::string& place);

 private:
  class Document;
  Syntax& syntax_;
  JsonRules& json_;
  size_t cost_ = 0;
  std::map<std::string, uint32_t> number_rules_;  // by type and limits
};

Result<Syntax> parse_json_schema(const Json& schema);
// Any JSON object.
Syntax json_object_syntax();

}  // namespace hone::llm::grammar
