#include "llm/grammar/matcher.h"

#include <algorithm>

namespace hone::llm::grammar {
namespace {

constexpr size_t kTidyStacks =
    4096;  // stacks no longer in use are forgotten when there are so many

}  // namespace

Matcher::Matcher(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)),
      stacks_(*grammar_),
      set_(stacks_.start(grammar_->root())),
      tidy_at_(kTidyStacks) {
  if (stacks_.trouble() == StackTrouble::kTooMany) set_.clear();
}

bool Matcher::step(uint8_t byte) {
  set_ = stacks_.step(set_, byte);
  if (stacks_.trouble() == StackTrouble::kTooMany) set_.clear();
  if (stacks_.size() > tidy_at_) {
    stacks_.keep_only(set_);
    tidy_at_ = std::max(kTidyStacks, 2 * stacks_.size());
  }
  return !set_.empty();
}

bool Matcher::step(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [this](char byte) { return step(static_cast<uint8_t>(byte)); });
}

std::string_view Matcher::failure() const {
  switch (stacks_.trouble()) {
    case StackTrouble::kNone: return {};
    case StackTrouble::kTooMany:
      return "the grammar can go on in more than 4,096 ways at once here; make it less ambiguous";
    case StackTrouble::kTooDeep: return "the answer is nested more than 65,536 deep";
  }
  return {};
}

bool matches(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  Matcher matcher(grammar);
  return matcher.step(text) && matcher.complete();
}

}  // namespace hone::llm::grammar
