#include "llm/grammar/constraint.h"

#include <algorithm>

#include "base/check.h"
#include "llm/grammar/gbnf.h"
#include "llm/grammar/json_schema.h"
#include "llm/grammar/token_masks.h"

namespace hone::llm::grammar {
namespace {

class GrammarConstraint : public TokenConstraint {
 public:
  explicit GrammarConstraint(std::shared_ptr<TokenMasks> masks)
      : masks_(std::move(masks)), matcher_(masks_->grammar()) {}

  std::unique_ptr<TokenConstraint> clone() const override {
    return std::make_unique<GrammarConstraint>(*this);
  }

  void allowed(std::span<uint64_t> bits) override {
    if (ended_ || matcher_.dead()) return;
    HONE_CHECK(bits.size() * 64 >= masks_->trie().vocabulary());
    if (cut_short_ || !masks_->allowed(matcher_, bits)) {
      cut_short_ = true;
      std::fill(bits.begin(), bits.end(), 0);
      return;
    }
    if (!matcher_.complete()) return;
    for (const int32_t token : masks_->trie().end_of_generation()) {
      bits[static_cast<size_t>(token) / 64] |= uint64_t{1} << (token % 64);
    }
  }

  void accept(int32_t token) override {
    if (masks_->trie().is_end_of_generation(token)) {
      ended_ = true;
      return;
    }
    const std::string_view bytes = masks_->trie().bytes_of(token);
    if (bytes.empty() || !matcher_.step(bytes)) refused_ = true;
    if (bytes.empty()) matcher_.step(std::string_view("\xF8", 1));  // no grammar has this byte
  }

  bool finished() const override { return ended_ || matcher_.finished(); }

  std::string why_none() const override {
    if (!matcher_.failure().empty()) return std::string(matcher_.failure());
    if (cut_short_) return "the grammar is too ambiguous to follow; make it simpler";
    if (refused_) return "a token was taken that the grammar does not have";
    return "no token of the vocabulary goes on with the grammar";
  }

 private:
  std::shared_ptr<TokenMasks> masks_;  // with every clone
  Matcher matcher_;
  bool ended_ = false, cut_short_ = false, refused_ = false;
};

Result<std::unique_ptr<TokenConstraint>> constraint_of(const Result<Syntax>& syntax,
                                                       std::shared_ptr<const VocabularyTrie> trie) {
  if (!syntax) return syntax.error();
  const auto grammar = Grammar::compile(*syntax);
  if (!grammar) return grammar.error();
  return make_constraint(*grammar, std::move(trie));
}

}  // namespace

Result<std::unique_ptr<TokenConstraint>> make_constraint(
    const std::shared_ptr<const Grammar>& grammar, std::shared_ptr<const VocabularyTrie> trie) {
  if (trie->end_of_generation().empty()) {
    return invalid_input(
        "the model has no end-of-generation token, so an answer under a grammar could not end");
  }
  const auto writable = grammar->restricted(trie->single_bytes());
  if (!writable) return writable.error();
  return std::unique_ptr<TokenConstraint>(std::make_unique<GrammarConstraint>(
      std::make_shared<TokenMasks>(*writable, std::move(trie))));
}

Result<std::unique_ptr<TokenConstraint>> constraint_from_gbnf(
    std::string_view text, std::shared_ptr<const VocabularyTrie> trie) {
  return constraint_of(parse_gbnf(text), std::move(trie));
}

Result<std::unique_ptr<TokenConstraint>> constraint_from_schema(
    const Json& schema, std::shared_ptr<const VocabularyTrie> trie) {
  return constraint_of(parse_json_schema(schema), std::move(trie));
}

Result<std::unique_ptr<TokenConstraint>> constraint_json_object(
    std::shared_ptr<const VocabularyTrie> trie) {
  return constraint_of(json_object_syntax(), std::move(trie));
}

}  // namespace hone::llm::grammar
