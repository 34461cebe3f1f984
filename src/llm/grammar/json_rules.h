#pragma once
// The parts of JSON as grammar: white space, strings, numbers, any value, one exact value.
//
// White space. Between the tokens of an object or array: nothing, one space, or a line end and up to
// 32 spaces or tabs; behind a colon: nothing or one space; nowhere else. So a model can indent but
// not write white space for ever.
// Strings. A character is plain, a short escape or \uXXXX; surrogates only as pairs. Texts that a
// schema or pattern spells out (enum, const, names, patterns) have one spelling: that of Json::dump.
// Numbers. Up to 18 digits before the point, 18 behind, two in the exponent.
// "Any value" is nested at most kAnyDepth deep.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "llm/grammar/syntax.h"

namespace hone::llm::grammar {

constexpr size_t kAnyDepth = 64;

// A limit of a number.
struct NumberLimit {
  Json value;
  bool exclusive = false;
};

class JsonRules {
 public:
  // Adds its rules as they are asked for; the syntax must outlive this.
  explicit JsonRules(Syntax& syntax) : syntax_(&syntax) {}

  Expression white();
  Expression colon();
  Expression comma();

  // With their quotes.
  Expression any_string();
  Expression string_of_length(uint32_t min, uint32_t max);  // in characters
  Expression string_of(Expression content);                 // content: spelled characters
  Expression string_other_than(const std::vector<std::string>& texts);
  // One character of the set, in its one spelling.
  Expression spelled(const CodePoints& set);

  Expression any_integer();
  Expression any_number();
  // All integers, or numbers without exponent, within the limits. Nothing when there is none.
  std::optional<Expression> integer_between(const std::optional<NumberLimit>& low,
                                            const std::optional<NumberLimit>& high);
  std::optional<Expression> number_between(const std::optional<NumberLimit>& low,
                                           const std::optional<NumberLimit>& high);

  Expression any_value(size_t depth = kAnyDepth);
  Expression any_object(size_t depth = kAnyDepth);
  Expression any_array(size_t depth = kAnyDepth);
  Expression constant(const Json& value);

 private:
  template <typename Make>
  Expression once(const std::string& name, Make make);

  Syntax* syntax_;
  std::map<std::string, uint32_t> made_;
  std::map<CodePoints, uint32_t> spelled_;
};

}  // namespace hone::llm::grammar
