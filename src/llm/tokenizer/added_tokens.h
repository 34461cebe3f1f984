#pragma once
// Finds added tokens in a text: from left to right, the longest that may stand at a place first
// (leftmost-longest, as Hugging Face tokenizers do it).
// Immutable after construction: any number of threads may call find() at once. Each byte of text
// costs at most the length of the longest added token.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "llm/tokenizer/tokenizer_data.h"

namespace hone::llm {

struct AddedMatch {
  size_t begin = 0;       // with the white space that lstrip takes
  size_t end = 0;         // with the white space that rstrip takes
  size_t text_begin = 0;  // of the token's own text
  size_t text_end = 0;
  const AddedToken* token = nullptr;
};

class AddedTokenFinder {
 public:
  // Borrows the tokens, which must stay where they are. `text` is what is looked for.
  void add(const AddedToken& token, std::string_view text);
  bool empty() const { return ids_.empty(); }

  // The first match at or after `from`. may_use(token, begin, end) decides whether a token may be
  // recognised at a place.
  using MayUse = std::function<bool(const AddedToken&, size_t begin, size_t end)>;
  std::optional<AddedMatch> find(std::string_view text, size_t from, const MayUse& may_use) const;

 private:
  static uint64_t edge(uint32_t node, char byte) {
    return (uint64_t{node} << 8) | static_cast<unsigned char>(byte);
  }
  const AddedToken* longest_at(std::string_view text, size_t at, const MayUse& may_use,
                               size_t& end) const;

  std::array<bool, 256> starts_{};
  std::unordered_map<uint64_t, uint32_t> edges_;
  std::unordered_map<uint32_t, const AddedToken*> ids_;  // node -> token that ends there
  uint32_t nodes_ = 1;
};

}  // namespace hone::llm
