#pragma once
// A text that may have been changed on its way to the tokens, and where each of its bytes came
// from. While nothing has changed it is a view of the original; the first change makes a copy with
// a range of original bytes for each byte.
//
// The normaliser of a tokenizer (NFC, replace, prepend) works on it, so that a token can still say
// which bytes of the user's text it stands for.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "llm/tokenizer/tokenizer_data.h"

namespace hone::llm {

class MappedText {
 public:
  // Borrows `text`, whose first byte is byte `offset` of the original.
  MappedText(std::string_view text, uint32_t offset) : view_(text), offset_(offset) {}

  std::string_view text() const { return owned_ ? std::string_view(copy_) : view_; }
  size_t size() const { return text().size(); }
  // Original range of byte `i`: [begin(i), end(i)). Empty for what was put in.
  uint32_t begin(size_t i) const {
    return owned_ ? begins_[i] : offset_ + static_cast<uint32_t>(i);
  }
  uint32_t end(size_t i) const {
    return owned_ ? ends_[i] : offset_ + static_cast<uint32_t>(i) + 1;
  }
  // Original position of the first byte, also of an empty text.
  uint32_t origin() const { return offset_; }

  // The part [from, to).
  MappedText part(size_t from, size_t to) const;

  // `at_start` is what Kind::kPrependIfMissingAtStart asks: does this section start the text.
  void apply(const TextStep& step, bool at_start);

 private:
  void nfc();
  void replace(std::string_view pattern, std::string_view content);
  void prepend(std::string_view content);

  std::string_view view_;
  uint32_t offset_ = 0;
  bool owned_ = false;
  std::string copy_;
  std::vector<uint32_t> begins_, ends_;
};

// Unicode's NFC of valid UTF-8. Runs of more than 256 combining characters are composed in pieces.
std::string to_nfc(std::string_view text);

// Decodes the character that starts at `i` of valid UTF-8 and moves `i` behind it.
char32_t next_code_point(std::string_view text, size_t& i);

// Unicode's White_Space.
bool is_white_space(char32_t c);

}  // namespace hone::llm
