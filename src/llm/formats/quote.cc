#include "llm/formats/quote.h"

namespace hone::llm {

std::string quote(std::string_view name) {
  constexpr size_t kMost = 96;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (size_t i = 0; i < name.size() && i < kMost; ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    if (byte >= 0x20 && byte < 0x7f) {
      out += name[i];
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  out += name.size() > kMost ? "...\"" : "\"";
  return out;
}

}  // namespace hone::llm
