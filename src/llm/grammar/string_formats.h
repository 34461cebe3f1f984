#pragma once
// The values of `format` that a grammar can keep exactly, as the characters between the quotes.

#include <optional>
#include <string_view>

#include "llm/grammar/syntax.h"

namespace hone::llm::grammar {

// date, time, date-time (RFC 3339, with the days that the months have; no leap second), uuid, ipv4.
// Nothing for any other.
std::optional<Expression> format_expression(std::string_view format);

}  // namespace hone::llm::grammar
