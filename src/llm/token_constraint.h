#pragma once
// What a sampler asks before each token: which tokens may come next (a grammar, a JSON schema, a
// tool call). The text so far belongs to the constraint: accept() is told every token.
//
// Fails closed: when nothing may come next any more, allowed() sets no bit and the sample ends with
// an error, never with free text.
//
// Thread rule: one sample, one constraint, one thread; clones are independent.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace hone::llm {

class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;
  // A constraint in the same state, for another sample.
  virtual std::unique_ptr<TokenConstraint> clone() const = 0;
  // bits: (vocabulary + 63) / 64 words, zero at first; token t is bit t % 64 of word t / 64. An
  // end-of-generation token may come exactly when the text so far is whole.
  virtual void allowed(std::span<uint64_t> bits) = 0;
  // The token that was chosen: one that was allowed, and not an end token (after which nobody asks
  // any more).
  virtual void accept(int32_t token) = 0;
  // The text so far is whole and nothing but an end may follow: sampling stops by itself.
  virtual bool finished() const = 0;
  // After allowed() has set no bit: why, in a sentence for the caller.
  virtual std::string why_none() const { return "no token may come next"; }
};

}  // namespace hone::llm
