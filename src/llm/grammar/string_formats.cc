#include "llm/grammar/string_formats.h"

#include "llm/grammar/regex.h"

namespace hone::llm::grammar {
namespace {

// All of these are ASCII that JSON strings have as it is.
Expression of_pattern(const std::string& pattern) {
  return parse_regex("^(?:" + pattern + ")$", [](const CodePoints& set) { return characters(set); })
      .value();
}

const std::string kDate =
    "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|"
    "30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29";
const std::string kTime =
    "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?"
    "(?:Z|[+\\-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
const std::string kUuid =
    "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
const std::string kByte = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

}  // namespace

std::optional<Expression> format_expression(std::string_view format) {
  if (format == "date") return of_pattern(kDate);
  if (format == "time") return of_pattern(kTime);
  if (format == "date-time") return of_pattern("(?:" + kDate + ")T" + kTime);
  if (format == "uuid") return of_pattern(kUuid);
  if (format == "ipv4") return of_pattern(kByte + "(?:\\." + kByte + "){3}");
  return std::nullopt;
}

}  // namespace hone::llm::grammar
