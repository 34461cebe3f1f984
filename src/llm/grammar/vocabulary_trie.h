#pragma once
// The bytes of every token of a vocabulary as one trie, so that the tokens which a grammar takes are
// found by walking both together: where the grammar ends, a whole subtree is skipped.
//
// In it: every ordinary token under the bytes that it decodes to, and special tokens under bytes that
// no text has (grammar.h, special_bytes). Not in it: end-of-generation tokens, tokens without bytes,
// tokens with bytes that UTF-8 never has (0xF8 and up), tokens above 1,024 bytes. What is not in it
// is never allowed by a constraint.
//
// Made once for a model and shared. Immutable: any number of threads.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "llm/grammar/grammar.h"
#include "llm/tokenizer/tokenizer.h"

namespace hone::llm::grammar {

class VocabularyTrie {
 public:
  // Nodes in preorder; node 0 is the root.
  struct Node {
    uint32_t end = 0;          // one past the last node of its subtree
    uint32_t first_token = 0;  // into tokens(); up to the next node's
    uint16_t depth = 0;
    uint8_t byte = 0;
  };

  explicit VocabularyTrie(const Tokenizer& tokenizer);

  const std::vector<Node>& nodes() const { return nodes_; }  // and one more, past the end
  std::span<const int32_t> tokens_at(uint32_t node) const {
    return {tokens_.data() + nodes_[node].first_token,
            tokens_.data() + nodes_[node + 1].first_token};
  }
  // As the trie has it; empty for a token that is not in it.
  std::string_view bytes_of(int32_t token) const;
  std::span<const int32_t> end_of_generation() const { return end_of_generation_; }
  bool is_end_of_generation(int32_t token) const;
  size_t vocabulary() const { return begin_.size() - 1; }
  size_t longest_token() const { return longest_; }
  // The bytes that have a token of their own: what can be written in any order.
  const ByteSet& single_bytes() const { return single_bytes_; }
  size_t bytes() const;  // of memory

 private:
  std::vector<Node> nodes_;
  std::vector<int32_t> tokens_;  // in the order of the nodes
  std::vector<uint32_t> begin_;  // token t: text_[begin_[t] .. begin_[t + 1])
  std::string text_;
  std::vector<int32_t> end_of_generation_;
  ByteSet single_bytes_;
  size_t longest_ = 0;
};

}  // namespace hone::llm::grammar
