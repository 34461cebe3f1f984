// A JSON schema: it becomes a grammar or one hone::Error. A text of the grammar, found by walking it
// (the bytes of the schema choose the way), must be JSON.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "llm/grammar/grammar.h"
#include "llm/grammar/json_schema.h"
#include "llm/grammar/matcher.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto schema = hone::Json::parse(input);
  if (!schema) return 0;
  const auto syntax = hone::llm::grammar::parse_json_schema(*schema);
  if (!syntax) return 0;
  const auto grammar = hone::llm::grammar::Grammar::compile(*syntax);
  if (!grammar) return 0;
  hone::llm::grammar::Matcher matcher(*grammar);
  std::string text;
  for (size_t step = 0; step < 400 && !matcher.finished() && !matcher.dead(); ++step) {
    if (matcher.complete() && step > 100) break;
    std::vector<uint8_t> ways;
    for (int byte = 0; byte < 256; ++byte) {
      if (!matcher.stacks().step(matcher.set(), static_cast<uint8_t>(byte)).empty()) {
        ways.push_back(static_cast<uint8_t>(byte));
      }
    }
    if (ways.empty()) break;
    const uint8_t byte = ways[(data[step % size] + step * 7) % ways.size()];
    text.push_back(static_cast<char>(byte));
    matcher.step(byte);
  }
  if (!matcher.complete()) return 0;
  const auto parsed = hone::Json::parse(text);
  // Free names may repeat (json_schema.h); numbers may be beyond a double.
  if (!parsed && parsed.error().message().find("stands twice") == std::string::npos) std::abort();
  return 0;
}
