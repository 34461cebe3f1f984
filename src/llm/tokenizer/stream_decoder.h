#pragma once
// Token ids to text as they are generated: what push() returns is always valid UTF-8. Bytes that
// can still become a character are held back; those that cannot become U+FFFD at once (one for
// each maximal invalid part, Unicode 3.9 table 3-8). All that push() and flush() return, joined, is
// what Tokenizer::decode makes of the same ids with the same options.
//
// Borrows the tokenizer. For one thread.

#include <cstdint>
#include <string>

#include "llm/tokenizer/tokenizer.h"

namespace hone::llm {

class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, DecodeOptions options = {})
      : tokenizer_(&tokenizer), options_(options) {}

  std::string push(int32_t id);
  // The end of the text: what is held back becomes U+FFFD. The decoder starts anew.
  std::string flush();

 private:
  const Tokenizer* tokenizer_;
  DecodeOptions options_;
  std::string held_;      // at most three bytes: the start of a character
  bool at_start_ = true;  // nothing came out yet
};

// Appends `bytes` to `out` as valid UTF-8 and returns how many bytes were used. Unless `is_end`, a
// start of a character at the end is not used.
size_t append_lossy(std::string& out, std::string_view bytes, bool is_end);

}  // namespace hone::llm
