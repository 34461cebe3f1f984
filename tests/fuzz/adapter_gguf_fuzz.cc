// Any bytes as a GGUF adapter of a tiny llama.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "llm/formats/adapter.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    hone::llm::ModelConfig model;
    model.architecture = "llama";
    model.vocab_size = 8;
    model.hidden_size = 4;
    model.layers.push_back(
        {.head_count = 2, .kv_head_count = 1, .head_dim = 2, .intermediate_size = 6});
    hone::llm::parse_gguf_adapter(*hone::llm::GgufFile::parse("fuzz", bytes), model);
  } catch (const hone::Error&) {
    // Refused in words: what a reader should do with such bytes.
  }
  return 0;
}
