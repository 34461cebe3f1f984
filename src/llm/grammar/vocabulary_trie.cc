#include "llm/grammar/vocabulary_trie.h"

#include <algorithm>
#include <numeric>

namespace hone::llm::grammar {
namespace {

constexpr size_t kLongestToken = 1024;

std::string bytes_in_trie(const Tokenizer& tokenizer, int32_t token) {
  if (tokenizer.is_end_of_generation(token)) return {};
  if (tokenizer.is_special(token)) {
    const std::string_view piece = tokenizer.piece(token);
    return piece.empty() || piece.size() > kLongestToken ? std::string() : special_bytes(piece);
  }
  const std::string_view bytes = tokenizer.bytes(token);
  const bool is_text = std::all_of(bytes.begin(), bytes.end(),
                                   [](char c) { return static_cast<uint8_t>(c) < 0xF8; });
  return is_text && bytes.size() <= kLongestToken ? std::string(bytes) : std::string();
}

}  // namespace

VocabularyTrie::VocabularyTrie(const Tokenizer& tokenizer)
    : end_of_generation_(tokenizer.end_of_generation()) {
  const auto count = static_cast<int32_t>(tokenizer.vocab_size());
  begin_.push_back(0);
  for (int32_t t = 0; t < count; ++t) {
    text_ += bytes_in_trie(tokenizer, t);
    begin_.push_back(static_cast<uint32_t>(text_.size()));
  }
  std::vector<int32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [this](int32_t a, int32_t b) {
    const int difference = bytes_of(a).compare(bytes_of(b));
    return difference != 0 ? difference < 0 : a < b;
  });

  nodes_.emplace_back();
  std::vector<uint32_t> path = {0};  // from the root to where the last token ended
  std::string_view before;
  for (const int32_t token : order) {
    const std::string_view bytes = bytes_of(token);
    if (bytes.empty()) continue;
    size_t same = 0;
    while (same < bytes.size() && same < before.size() && bytes[same] == before[same]) ++same;
    while (path.size() > same + 1) {
      nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
      path.pop_back();
    }
    for (size_t i = same; i < bytes.size(); ++i) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({0, static_cast<uint32_t>(tokens_.size()), static_cast<uint16_t>(i + 1),
                        static_cast<uint8_t>(bytes[i])});
    }
    tokens_.push_back(token);
    before = bytes;
    longest_ = std::max(longest_, bytes.size());
    if (bytes.size() == 1) single_bytes_.set(static_cast<uint8_t>(bytes[0]));
  }
  for (; !path.empty(); path.pop_back()) {
    nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  }
  nodes_.push_back({0, static_cast<uint32_t>(tokens_.size()), 0, 0});
}

std::string_view VocabularyTrie::bytes_of(int32_t token) const {
  if (token < 0 || static_cast<size_t>(token) >= vocabulary()) return {};
  const auto t = static_cast<size_t>(token);
  return std::string_view(text_).substr(begin_[t], begin_[t + 1] - begin_[t]);
}

bool VocabularyTrie::is_end_of_generation(int32_t token) const {
  return std::binary_search(end_of_generation_.begin(), end_of_generation_.end(), token);
}

size_t VocabularyTrie::bytes() const {
  return nodes_.size() * sizeof(Node) + 4 * (tokens_.size() + begin_.size()) + text_.size();
}

}  // namespace hone::llm::grammar
