#pragma once
// A context-free grammar over bytes, in the form that a matcher walks: a nondeterministic pushdown
// automaton whose states are positions in one flat array.
//
// Compiling: characters become their UTF-8 bytes; alternatives that begin alike are put together, so
// that ten thousand words cost a trie's branch each and not ten thousand stacks; a repetition is one
// element with a count, however large the count; alternatives that can never end are dropped.
//
// Refused, by the name of the rule: left recursion (a rule that can reach itself before any byte), a
// root that can never end, a repetition of more than 256 of something that may be empty.
// Bounds: 300,000 rules, 2,000,000 elements after compiling (kTooLarge).
//
// Immutable: any number of threads.

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "llm/grammar/syntax.h"

namespace hone::llm::grammar {

using ByteSet = std::bitset<256>;

struct Element {
  enum class Kind : uint8_t {
    kEnd,     // of an alternative
    kBytes,   // one byte of sets()[argument]
    kRule,    // the rule `argument`
    kRepeat,  // the rule `argument`, min to max times; it is never empty unless min is 0
  };
  Kind kind = Kind::kEnd;
  uint32_t argument = 0, min = 0, max = 0;
  bool operator==(const Element&) const = default;
  auto operator<=>(const Element&) const = default;
};

class Grammar {
 public:
  static Result<std::shared_ptr<const Grammar>> compile(const Syntax& syntax);

  // The same grammar for a writer who has only these bytes: what needs others is gone, so that every
  // prefix that still matches can be written to its end. An error when nothing is left.
  Result<std::shared_ptr<const Grammar>> restricted(const ByteSet& bytes) const;

  const Element& element(uint32_t position) const { return elements_[position]; }
  const ByteSet& set(uint32_t index) const { return sets_[index]; }
  uint32_t root() const { return 0; }
  // Where the rule's alternatives begin.
  const uint32_t* first_alternative(uint32_t rule) const {
    return &alternatives_[first_alternative_[rule]];
  }
  const uint32_t* last_alternative(uint32_t rule) const {
    return &alternatives_[first_alternative_[rule + 1]];
  }
  // A rule of the author's with long texts. What such a rule takes is worked out once for all places
  // that use it (token_masks.h).
  bool is_unit(uint32_t rule) const { return is_unit_[rule] != 0; }

  // Bytes that no set tells apart are one class.
  size_t class_count() const { return class_bytes_.size(); }
  uint8_t class_of(uint8_t byte) const { return class_of_[byte]; }
  uint8_t byte_of_class(size_t index) const { return class_bytes_[index]; }

  size_t rule_count() const { return is_unit_.size(); }
  size_t element_count() const { return elements_.size(); }
  size_t bytes() const;  // of memory

 private:
  friend class Compiler;

  std::vector<Element> elements_;
  std::vector<uint32_t> alternatives_, first_alternative_;
  std::vector<uint8_t> is_unit_;
  std::vector<ByteSet> sets_;
  std::vector<uint8_t> free_sets_;  // 1: restricted() leaves it alone
  std::vector<std::string> names_;  // per rule; of a rule that compiling made, its owner's
  std::vector<uint8_t> named_;      // 1: the author wrote this rule
  std::array<uint8_t, 256> class_of_ = {};
  std::vector<uint8_t> class_bytes_;
};

// A special token stands in a grammar as bytes that no text has: this byte, its piece, the second
// byte. The vocabulary's trie (vocabulary_trie.h) knows the token by the same bytes.
constexpr char kSpecialBegin = '\xFF', kSpecialEnd = '\xFE';
std::string special_bytes(std::string_view piece);

}  // namespace hone::llm::grammar
