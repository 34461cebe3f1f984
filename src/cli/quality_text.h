#pragma once
// Words and short tables for people who judge labels and are no statisticians.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "quality/paired_tests.h"

namespace hone::cli {

// Columns as wide as their cells, two spaces between; a cell that begins with a digit, sign or
// bracket is set right. The first row is the heading. Every line begins with two spaces.
std::string table_text(const std::vector<std::vector<std::string>>& rows);

std::string fixed_text(double value, int digits);
std::string percent_text(double share, int digits = 1);                    // "62.5 %"
std::string interval_text(const quality::Interval& interval, int digits);  // "[0.55, 0.69]"
std::string percent_interval_text(const quality::Interval& interval);      // "[55 %, 69 %]"
std::string grouped(uint64_t number);                                      // "12,345"
std::string counted(uint64_t number, std::string_view one, std::string_view many);  // "12 tasks"
std::string p_text(double p);  // "< 0.001", "0.034"

// A name out of a file as a terminal may see it: no control characters, at most `width` characters.
std::string shown_name(std::string_view name, size_t width = 28);
// "a, b and c" or "a, b, c and 4 more".
std::string listed_names(const std::vector<std::string>& names, size_t most = 3);

// Broken at spaces to lines of at most 78 characters; later lines begin with `indent`.
std::string paragraph(const std::string& text, const std::string& indent = "");

// {"low", "high"}
Json interval_json(const quality::Interval& interval);
Json strings_json(const std::vector<std::string>& texts);

// One CSV cell, quoted where it must be.
void append_csv_cell(std::string& out, std::string_view text);

}  // namespace hone::cli
