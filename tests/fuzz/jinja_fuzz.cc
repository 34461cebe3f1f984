// Template bytes, a zero byte, then messages as JSON: parse and render must end in a text or one
// hone::Error, whatever the bytes.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "llm/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  auto source = hone::llm::ChatTemplate::parse(std::string(input.substr(0, zero)), {"<s>", "</s>"});
  if (!source) return 0;
  hone::Json messages = hone::Json::array();
  if (zero != std::string_view::npos) {
    auto parsed = hone::Json::parse(input.substr(zero + 1));
    if (parsed) messages = *parsed;
  }
  try {
    hone::llm::RenderOptions options;
    options.add_generation_prompt = true;
    const auto chat = source->render(messages, options);
    source->assistant_ranges(chat, messages, options);
  } catch (const hone::Error&) {
    return 0;
  }
  return 0;
}
