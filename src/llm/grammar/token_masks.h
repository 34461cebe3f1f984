#pragma once
// Which tokens may come next, for a grammar and a vocabulary.
//
// The stacks that are alive are cut at the lowest frame of the topmost unit (a rule of the author's
// whose texts can be long: a JSON string, an object). What a token does inside a unit does not depend
// on what is below, so it is worked out once per state of the unit, over the whole trie, by a
// deterministic automaton that is made as it is walked, and kept as a mask: all strings of a schema
// share it. The few places of the trie where a token leaves the unit (after the closing quote) go on
// with the stack below, from there.
//
// Bounds: masks 8 MiB, the least recently used go first; 16,384 states of the automaton and 100
// million steps for one call: beyond, it says so and its mask is not to be used. A token on whose way
// more stacks would be alive than stacks.h allows is left out.
//
// Shared by all samples of a request, and by requests with the same grammar: allowed() locks.

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "llm/grammar/matcher.h"
#include "llm/grammar/vocabulary_trie.h"

namespace hone::llm::grammar {

class TokenMasks {
 public:
  // The grammar should be restricted to the trie's single bytes: then no prefix is a dead end.
  TokenMasks(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const VocabularyTrie> trie);

  // Sets the bits of the tokens that may come next (end-of-generation tokens aside). False when a
  // bound was met on the way and bits are missing.
  bool allowed(Matcher& matcher, std::span<uint64_t> bits);

  const std::shared_ptr<const Grammar>& grammar() const { return grammar_; }
  const VocabularyTrie& trie() const { return *trie_; }

  struct Counts {
    uint64_t masks_made = 0, masks_found = 0, steps = 0;
    size_t states = 0, bytes = 0;
  };
  Counts counts();

 private:
  struct Mask {
    std::vector<uint64_t> words;   // either the words
    std::vector<int32_t> tokens;   // or, of few tokens, the tokens
    std::vector<uint32_t> leaves;  // nodes inside the trie at which the unit may be done
    size_t bytes() const;
  };
  using Kept = std::list<std::pair<int32_t, Mask>>;  // by state, the last used first
  struct SetHash {
    size_t operator()(const StackSet& set) const;
  };

  struct Visit;
  void visit(Visit& visit, const StackSet& set, const std::vector<uint32_t>* nodes);
  StackId local_copy(const Stacks& stacks, StackId stack, StackId& rest);
  uint32_t near_count(const Frame& frame) const;
  int32_t state_of(StackSet set);
  int32_t next_state(int32_t state, uint8_t byte_class);
  const Mask& mask_of(int32_t state);
  template <typename Take>
  void walk(uint32_t node, int32_t state, std::vector<uint32_t>& leaves, Take take);
  void forget_all();

  std::shared_ptr<const Grammar> grammar_;
  std::shared_ptr<const VocabularyTrie> trie_;

  std::mutex mutex_;  // guards all that follows
  Stacks local_;
  std::vector<StackSet> states_;
  std::vector<uint8_t> may_leave_;
  std::vector<int32_t> table_;  // states x classes
  std::unordered_map<StackSet, int32_t, SetHash> state_numbers_;
  Kept kept_;
  std::unordered_map<int32_t, Kept::iterator> kept_of_;
  size_t kept_bytes_ = 0;
  std::vector<int32_t> path_;  // states along the walk, by depth
  uint64_t steps_ = 0;         // of this mask
  bool cut_short_ = false;
  Counts counts_;
};

}  // namespace hone::llm::grammar
