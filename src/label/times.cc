#include "label/times.h"

#include <chrono>
#include <cstdio>

namespace hone::label {
namespace {

using Days = std::chrono::sys_days;

// Exactly `digits` digits from `at` on, or nothing.
std::optional<int> number(std::string_view text, size_t at, size_t digits) {
  if (text.size() < at + digits) return std::nullopt;
  int value = 0;
  for (size_t i = at; i < at + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

}  // namespace

std::string format_time(int64_t at_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds(at_ms)};
  const Days day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(at - day);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
                static_cast<int>(time.subseconds().count()));
  return text;
}

std::optional<int64_t> parse_time(std::string_view text) {
  const auto year = number(text, 0, 4), month = number(text, 5, 2), day = number(text, 8, 2);
  const auto hour = number(text, 11, 2), minute = number(text, 14, 2), second = number(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':' || *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  int64_t ms = 0;
  size_t at = 19;
  if (at < text.size() && text[at] == '.') {
    int64_t unit = 100;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) {
      ms += unit * (text[at] - '0');
    }
  }
  if (text.substr(at) != "Z" && text.substr(at) != "z") return std::nullopt;
  const int64_t days = Days(date).time_since_epoch().count();
  return ((days * 24 + *hour) * 60 + *minute) * 60000 + *second * 1000 + ms;
}

std::optional<int64_t> parse_day(std::string_view text) {
  if (text.size() != std::string_view("2026-11-28").size()) return std::nullopt;
  return parse_time(std::string(text) + "T00:00:00Z");
}

}  // namespace hone::label
