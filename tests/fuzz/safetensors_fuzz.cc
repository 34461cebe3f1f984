// Any bytes as a safetensors file.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "llm/formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    hone::llm::SafetensorsFile::parse("fuzz", bytes);
  } catch (const hone::Error&) {
    // Refused in words: what a reader should do with such bytes.
  }
  return 0;
}
