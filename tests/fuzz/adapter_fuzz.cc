// adapter_config.json up to the first zero byte, then a safetensors file, on a tiny llama.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "llm/formats/adapter.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const size_t end = text.find('\0');
    if (end == std::string_view::npos) return 0;
    hone::llm::ModelConfig model;
    model.architecture = "llama";
    model.vocab_size = 8;
    model.hidden_size = 4;
    model.layers.push_back(
        {.head_count = 2, .kv_head_count = 1, .head_dim = 2, .intermediate_size = 6});
    const auto file = hone::llm::SafetensorsFile::parse("fuzz", bytes.subspan(end + 1));
    hone::llm::parse_adapter("fuzz", text.substr(0, end), *file, model);
  } catch (const hone::Error&) {
    // Refused in words: what a reader should do with such bytes.
  }
  return 0;
}
