#include "data/csv_cell.h"

#include <algorithm>
#include <array>

#include "base/json.h"

namespace hone::data {

bool looks_like_formula(std::string_view text) {
  constexpr std::array<std::string_view, 11> kStarts = {"=",
                                                        "+",
                                                        "-",
                                                        "@",
                                                        "\t",
                                                        "\r",
                                                        "\n",
                                                        "\xef\xbc\x9d",
                                                        "\xef\xbc\x8b",
                                                        "\xef\xbc\x8d",
                                                        "\xef\xbc\xa0"};  // full-width = + - @
  const bool starts = std::any_of(kStarts.begin(), kStarts.end(),
                                  [&](std::string_view start) { return text.starts_with(start); });
  constexpr size_t kMostDigits = 400;  // no number is longer
  if (!starts || text.size() > kMostDigits || text.front() != '-') return starts;
  const Result<Json> number = Json::parse(text);
  return !number || !number->is_number() || !(text.back() >= '0' && text.back() <= '9');
}

void append_csv_text(std::string_view text, std::string& out) {
  if (text.empty()) return;
  out += '"';
  if (looks_like_formula(text)) out += '\'';
  for (size_t at = 0; at < text.size();) {
    const size_t quote = std::min(text.find('"', at), text.size());
    out += text.substr(at, quote - at);
    if (quote < text.size()) out += "\"\"";
    at = quote + 1;
  }
  out += '"';
}

}  // namespace hone::data
