#pragma once
// A grammar as it is written down: rules over characters. The GBNF reader (gbnf.h), the JSON schema
// compiler (json_schema.h), the regex reader (regex.h) and the tool calls build it; Grammar::compile
// (grammar.h) turns it into what a matcher walks. Plain values.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::llm::grammar {

constexpr uint32_t kNoLimit = UINT32_MAX;  // of a repetition

struct CodePointRange {
  uint32_t first = 0, last = 0;  // both included
  bool operator==(const CodePointRange&) const = default;
  auto operator<=>(const CodePointRange&) const = default;
};
using CodePoints = std::vector<CodePointRange>;

constexpr uint32_t kLastCodePoint = 0x10FFFF;

// Ascending, disjoint, within Unicode's scalar values (no surrogates).
CodePoints normalized(CodePoints ranges);
CodePoints complement(const CodePoints& ranges);
CodePoints intersection(const CodePoints& a, const CodePoints& b);

struct Expression {
  enum class Kind {
    kLiteral,       // text: these bytes
    kCharacters,    // characters: one code point of the set, as UTF-8
    kRule,          // rule: an index into Syntax::rules
    kSequence,      // parts, one after another; none: the empty text
    kChoice,        // one of parts; none: nothing matches
    kRepeat,        // parts[0], min to max times
    kSpecialToken,  // text: a special token of the vocabulary, by its piece, as one token
  };
  Kind kind = Kind::kSequence;
  uint32_t rule = 0, min = 0, max = 0;
  std::string text = {};
  CodePoints characters = {};
  std::vector<Expression> parts = {};
};

Expression literal(std::string_view text);
Expression characters(CodePoints set);
Expression rule(uint32_t index);
Expression sequence(std::vector<Expression> parts);
Expression choice(std::vector<Expression> parts);
Expression repeat(Expression part, uint32_t min, uint32_t max);
Expression optional(Expression part);
Expression special_token(std::string_view piece);

struct Rule {
  std::string name;  // what errors call it
  Expression body;
};

struct Syntax {
  std::vector<Rule> rules;
  uint32_t root = 0;
  // Adds a rule whose body can be set later; its index.
  uint32_t add(std::string name, Expression body = {});
};

}  // namespace hone::llm::grammar
