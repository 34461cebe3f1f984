#pragma once
// What must hold for any tokenizer that was accepted and any text: ranges lie inside the text, and
// the stream gives what the whole gives.

#include <string>
#include <string_view>

#include "base/check.h"
#include "llm/tokenizer/stream_decoder.h"
#include "llm/tokenizer/tokenizer.h"

namespace hone::fuzz {

inline void check_encoding(const llm::Tokenizer& tokenizer, std::string_view text,
                           bool parse_special) {
  const llm::Encoding encoding =
      tokenizer.encode_with_ranges(text, {.add_special = true, .parse_special = parse_special});
  HONE_CHECK(encoding.begin.size() == encoding.ids.size());
  HONE_CHECK(encoding.end.size() == encoding.ids.size());
  llm::StreamDecoder decoder(tokenizer);
  std::string streamed;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    HONE_CHECK(encoding.begin[i] <= encoding.end[i] && encoding.end[i] <= text.size());
    streamed += decoder.push(encoding.ids[i]);
  }
  streamed += decoder.flush();
  HONE_CHECK(streamed == tokenizer.decode(encoding.ids));
}

}  // namespace hone::fuzz
