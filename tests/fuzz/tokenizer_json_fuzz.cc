// A tokenizer.json of any bytes, a NUL, and a text of any bytes: reading refuses or gives a
// tokenizer, which encodes the text within the promises of tokenizer.h.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "llm/tokenizer/tokenizer_json.h"
#include "tokenizer_fuzz_one.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t nul = bytes.find('\0');
  const std::string_view json = bytes.substr(0, nul);
  const std::string_view text =
      nul == std::string_view::npos ? std::string_view() : bytes.substr(nul + 1);
  try {
    const hone::Json content = hone::Json::parse(json).value();
    // The same object also stands for the two smaller files: their members do not collide.
    const hone::llm::Tokenizer tokenizer(
        hone::llm::tokenizer_from_json(content, &content, &content));
    hone::fuzz::check_encoding(tokenizer, text, true);
    hone::fuzz::check_encoding(tokenizer, text, false);
  } catch (const hone::Error&) {
    // Refused with a message: what a reader owes to a bad file.
  }
  return 0;
}
