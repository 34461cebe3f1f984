// Any text as config.json; what is accepted must survive being written.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"
#include "llm/formats/config_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const hone::Json json = hone::Json::parse(text).value();
    const auto config = hone::llm::config_from_json(json, "fuzz");
    const auto again = hone::llm::config_from_json(hone::llm::config_to_json(config), "again");
    HONE_CHECK(again == config);
  } catch (const hone::Error&) {
    // Refused in words: what a reader should do with such bytes.
  }
  return 0;
}
