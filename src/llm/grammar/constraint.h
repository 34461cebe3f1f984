#pragma once
// A grammar as the constraint of a sample (llm/token_constraint.h).
//
// No prefix is a dead end: the grammar is cut down to what the vocabulary's single-byte tokens can
// write, so whatever has been accepted can be written to its end (as far as max_tokens and the bounds
// of stacks.h go). A grammar that the vocabulary cannot write is refused when the constraint is made.

#include <memory>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "llm/grammar/grammar.h"
#include "llm/grammar/vocabulary_trie.h"
#include "llm/token_constraint.h"

namespace hone::llm::grammar {

Result<std::unique_ptr<TokenConstraint>> make_constraint(
    const std::shared_ptr<const Grammar>& grammar, std::shared_ptr<const VocabularyTrie> trie);

// The same from what a request says; each names what is wrong with it.
Result<std::unique_ptr<TokenConstraint>> constraint_from_gbnf(
    std::string_view text, std::shared_ptr<const VocabularyTrie> trie);
Result<std::unique_ptr<TokenConstraint>> constraint_from_schema(
    const Json& schema, std::shared_ptr<const VocabularyTrie> trie);
// response_format json_object.
Result<std::unique_ptr<TokenConstraint>> constraint_json_object(
    std::shared_ptr<const VocabularyTrie> trie);

}  // namespace hone::llm::grammar
