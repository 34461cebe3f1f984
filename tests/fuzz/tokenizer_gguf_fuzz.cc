// Any bytes as a GGUF file with a vocabulary: its tokenizer and its chat template are refused or
// encode a text and a conversation within the promises of tokenizer.h.

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "base/json.h"
#include "llm/formats/gguf.h"
#include "llm/text_codec.h"
#include "tokenizer_fuzz_one.h"

namespace {

constexpr const char* kText =
    " ab ba  <s>\xC3\xA9\n12 \xE2\x96\x81"
    "a'll <|end|>b";
constexpr const char* kChat = R"([{"role":"user","content":"ab <s>"},
                                  {"role":"assistant","content":"ba"}])";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    const auto file = hone::llm::GgufFile::parse("fuzz", bytes);
    const auto codec = hone::llm::text_codec_from_gguf(*file);
    if (!codec) return 0;
    hone::fuzz::check_encoding(codec->tokenizer(), kText, true);
    hone::fuzz::check_encoding(codec->tokenizer(), kText, false);
    const auto chat = codec->encode_chat(hone::Json::parse(kChat).value(), true);
    HONE_CHECK(chat.assistant.size() == chat.ids.size());
  } catch (const hone::Error&) {
    // Refused in words: what a reader should do with such bytes.
  }
  return 0;
}
