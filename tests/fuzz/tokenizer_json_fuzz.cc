// A tokenizer.json of any bytes, a NUL, and a text of any bytes: reading refuses or gives a
// tokenizer, which encodes the text within the promises of tokenizer.h.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"
#include "llm/tokenizer/stream_decoder.h"
#include "llm/tokenizer/tokenizer.h"
#include "llm/tokenizer/tokenizer_json.h"

namespace {

using hone::llm::Encoding;
using hone::llm::Tokenizer;

void check_encoding(const Tokenizer& tokenizer, std::string_view text, bool parse_special) {
  const Encoding encoding =
      tokenizer.encode_with_ranges(text, {.add_special = true, .parse_special = parse_special});
  HONE_CHECK(encoding.begin.size() == encoding.ids.size());
  HONE_CHECK(encoding.end.size() == encoding.ids.size());
  hone::llm::StreamDecoder decoder(tokenizer);
  std::string streamed;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    HONE_CHECK(encoding.begin[i] <= encoding.end[i] && encoding.end[i] <= text.size());
    streamed += decoder.push(encoding.ids[i]);
  }
  streamed += decoder.flush();
  HONE_CHECK(streamed == tokenizer.decode(encoding.ids));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t nul = bytes.find('\0');
  const std::string_view json = bytes.substr(0, nul);
  const std::string_view text =
      nul == std::string_view::npos ? std::string_view() : bytes.substr(nul + 1);
  try {
    const hone::Json content = hone::Json::parse(json).value();
    // The same object also stands for the two smaller files: their members do not collide.
    const Tokenizer tokenizer(hone::llm::tokenizer_from_json(content, &content, &content));
    check_encoding(tokenizer, text, true);
    check_encoding(tokenizer, text, false);
  } catch (const hone::Error&) {
    // Refused with a message: what a reader owes to a bad file.
  }
  return 0;
}
