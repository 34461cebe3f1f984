// A grammar, a zero byte, then a text: reading, compiling and matching must end in an answer or one
// hone::Error, whatever the bytes; what the matcher takes byte by byte it takes as a whole.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "llm/grammar/gbnf.h"
#include "llm/grammar/grammar.h"
#include "llm/grammar/matcher.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  const auto syntax = hone::llm::grammar::parse_gbnf(input.substr(0, zero));
  if (!syntax) return 0;
  const auto grammar = hone::llm::grammar::Grammar::compile(*syntax);
  if (!grammar) return 0;
  const std::string_view text =
      zero == std::string_view::npos ? std::string_view() : input.substr(zero + 1).substr(0, 256);
  hone::llm::grammar::Matcher matcher(*grammar);
  bool alive = true;
  for (const char byte : text) alive = alive && matcher.step(static_cast<uint8_t>(byte));
  if ((alive && matcher.complete()) != hone::llm::grammar::matches(*grammar, text)) std::abort();
  hone::llm::grammar::ByteSet bytes;
  for (int b = ' '; b < 127; ++b) bytes.set(static_cast<size_t>(b));
  const auto restricted = (*grammar)->restricted(bytes);
  if (restricted && hone::llm::grammar::Matcher(*restricted).dead()) std::abort();
  return 0;
}
