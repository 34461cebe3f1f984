#pragma once
// A regular expression (of the kind JSON Schema's `pattern` has, ECMA-262 with the u flag) as a
// grammar for whole texts that it matches somewhere.
//
// Taken: characters, ., classes, \d \w \s and their opposites, \n \r \t \f \v \0 \xHH \uHHHH \u{H},
// groups (also (?:...) and named ones), |, * + ? {n} {n,} {n,m} (lazy marks change nothing), ^ at the
// beginning and $ at the end of the whole or of its outermost alternatives. Without ^ or $ any text
// may stand before or behind.
// Refused by name: look-around, back references, \b, \p, flags, anchors elsewhere, repetitions of
// more than 10,000, patterns of more than 16 KiB or nested more than 100 deep.

#include <functional>
#include <string_view>

#include "base/result.h"
#include "llm/grammar/syntax.h"

namespace hone::llm::grammar {

// How one character of a set is written.
using SpellCharacters = std::function<Expression(const CodePoints&)>;

// Errors: invalid_input "pattern, character 3: ...".
Result<Expression> parse_regex(std::string_view pattern, const SpellCharacters& spell);

}  // namespace hone::llm::grammar
