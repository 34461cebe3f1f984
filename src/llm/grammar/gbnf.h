#pragma once
// Grammars in GBNF, the notation that llama.cpp made common:
//
//   root   ::= "yes" | "no" because?      # the rule `root` is what an answer must be
//   because ::= " because " [a-zà-ÿ ]{1,80} "."
//
// A rule is NAME ::= ALTERNATIVES; names are letters, digits, '-' and '_'. "text" and [classes]
// (ranges, ^ for all but) are of characters, '.' is any one; escapes: \n \r \t \\ \" \[ \] \- \^
// \xHH \uHHHH \UHHHHHHHH. ( ) group, | separates, * + ? {m} {m,} {,n} {m,n} repeat, # comments. A
// rule goes on over line ends inside parentheses, behind ::= and around |.
// Not taken, by name: token terminals (<think>, <[1000]>).
//
// Bounds: 1 MiB of text, groups 200 deep, 65,536 rules, repetitions up to 1,000,000, 4,096 ranges in
// a class; and those of Grammar::compile. Errors: invalid_input "grammar, line 2, column 7: ...".

#include <string_view>

#include "base/result.h"
#include "llm/grammar/syntax.h"

namespace hone::llm::grammar {

// The root is the rule named `root`.
Result<Syntax> parse_gbnf(std::string_view text);

}  // namespace hone::llm::grammar
