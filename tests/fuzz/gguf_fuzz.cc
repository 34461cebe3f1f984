// Any bytes as a GGUF model: the container, the config and every tensor.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "llm/formats/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    const auto file = hone::llm::ModelFile::from_gguf(hone::llm::GgufFile::parse("fuzz", bytes));
    for (const auto& tensor : file->tensors()) hone::llm::check_finite(tensor, "fuzz");
  } catch (const hone::Error&) {
    // Refused in words: what a reader should do with such bytes.
  }
  return 0;
}
