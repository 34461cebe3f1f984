// One byte for the syntax and the pieces, then an answer: what comes out of the parser in pieces is
// what comes out of it at once, and every call's arguments are a JSON object.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/json.h"
#include "llm/tool_call_parser.h"
#include "llm/tool_calls.h"

namespace {

using hone::llm::ToolCallOutput;
using hone::llm::ToolCallParser;
using hone::llm::ToolUse;

ToolUse use_of(const char* source) {
  const auto tools = hone::Json::parse(
      R"([{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}])");
  return ToolUse::make(*tools, nullptr, true, source).value();
}

std::string read(const ToolUse& use, std::string_view text, size_t piece) {
  ToolCallParser parser(use, "x");
  std::string content, calls;
  const auto take = [&](const ToolCallOutput& out) {
    content += out.content;
    for (const auto& call : out.calls) {
      const auto arguments = hone::Json::parse(call.arguments);
      if (!arguments || !arguments->is_object()) std::abort();
      calls += call.id + call.name + call.arguments + "\n";
    }
  };
  for (size_t i = 0; i < text.size(); i += piece) take(parser.push(text.substr(i, piece)));
  take(parser.finish());
  return content + "\n" + calls;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ToolUse kUses[] = {use_of("{{ tools }}<tool_call>"),
                                  use_of("{{ tools }}[TOOL_CALLS]"),
                                  use_of("{{ tools }}\"parameters\": ipython")};
  if (size == 0) return 0;
  const ToolUse& use = kUses[data[0] % 3];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (read(use, text, data[0] / 3 + 1) != read(use, text, size)) std::abort();
  return 0;
}
