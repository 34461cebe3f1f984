#pragma once
// A text against a grammar, byte by byte: the plain way, with the whole stacks. Masks over a
// vocabulary (token_masks.h) say the same faster, and a test compares them.
//
// With more stacks alive than stacks.h allows the matcher is dead; a stack that is too deep is not
// followed. So step() can refuse what the grammar has, never accept what it has not; failure() says
// it.

#include <memory>
#include <string_view>

#include "llm/grammar/stacks.h"

namespace hone::llm::grammar {

class Matcher {
 public:
  explicit Matcher(std::shared_ptr<const Grammar> grammar);

  // False when the byte cannot come next: nothing can then come any more.
  bool step(uint8_t byte);
  // All bytes; false at the first that cannot come.
  bool step(std::string_view bytes);

  bool dead() const { return set_.empty(); }
  // The text so far is whole.
  bool complete() const { return !set_.empty() && set_.front() == kEmptyStack; }
  // It is whole and nothing may follow.
  bool finished() const { return set_.size() == 1 && set_.front() == kEmptyStack; }
  // Why it is dead, when that is not the grammar's doing; or empty.
  std::string_view failure() const;

  Stacks& stacks() { return stacks_; }
  const StackSet& set() const { return set_; }

 private:
  std::shared_ptr<const Grammar> grammar_;  // the stacks point into it; shared by all its matchers
  Stacks stacks_;
  StackSet set_;
  size_t tidy_at_;
};

// Whether the grammar has exactly this text.
bool matches(const std::shared_ptr<const Grammar>& grammar, std::string_view text);

}  // namespace hone::llm::grammar
