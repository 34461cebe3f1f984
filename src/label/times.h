#pragma once
// Times as people and programs read them: RFC 3339 in UTC with milliseconds,
// "2026-11-28T13:05:22.000Z". In SQL and in code they are UTC milliseconds.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hone::label {

std::string format_time(int64_t at_ms);
// Nothing when it is no such time; fractions of a second and the offset are optional but for "Z".
std::optional<int64_t> parse_time(std::string_view text);
// "2026-11-28", a day of UTC, as the moment it begins; nothing when there is no such day.
std::optional<int64_t> parse_day(std::string_view text);

}  // namespace hone::label
