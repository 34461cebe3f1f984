#include "cli/quality_text.h"

#include <algorithm>
#include <cstdio>

#include "cli/columns.h"

namespace hone::cli {

namespace {

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

size_t width_of(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

bool set_right(const std::string& cell) {
  if (cell.empty()) return true;
  return std::string_view("0123456789+-[<").find(cell[0]) != std::string_view::npos;
}

}  // namespace

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  std::vector<bool> right;
  for (size_t r = 0; r < rows.size(); ++r) {
    widths.resize(std::max(widths.size(), rows[r].size()), 0);
    right.resize(widths.size(), true);
    for (size_t c = 0; c < rows[r].size(); ++c) {
      widths[c] = std::max(widths[c], width_of(rows[r][c]));
      // A column is set right when every cell below its heading is a number.
      if (r > 0) right[c] = right[c] && set_right(rows[r][c]);
    }
  }
  std::string out;
  for (const std::vector<std::string>& row : rows) {
    std::string line = " ";
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - width_of(row[c]), ' ');
      line += c == 0 ? " " : "  ";
      line += right[c] ? padding + row[c] : row[c] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string fixed_text(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  // "-0.00" would make a reader look for what is not there.
  if (std::string_view(text).find_first_not_of("-0.") == std::string_view::npos && text[0] == '-') {
    return text + 1;
  }
  return text;
}

std::string percent_text(double share, int digits) {
  return fixed_text(100.0 * share, digits) + " %";
}

std::string interval_text(const quality::Interval& interval, int digits) {
  return "[" + fixed_text(interval.low, digits) + ", " + fixed_text(interval.high, digits) + "]";
}

std::string percent_interval_text(const quality::Interval& interval) {
  return "[" + percent_text(interval.low, 0) + ", " + percent_text(interval.high, 0) + "]";
}

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string counted(uint64_t number, std::string_view one, std::string_view many) {
  return grouped(number) + " " + std::string(number == 1 ? one : many);
}

std::string p_text(double p) { return p < 0.001 ? "< 0.001" : fixed_text(p, 3); }

std::string shown_name(std::string_view name, size_t width) {
  std::string out;
  size_t characters = 0;
  for (const char c : name) {
    if (starts_character(c) && ++characters > width) break;
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  }
  if (characters <= width) return out;
  while (!out.empty() && !starts_character(out.back())) out.pop_back();
  if (!out.empty()) out.pop_back();
  return out + "\u2026";
}

std::string listed_names(const std::vector<std::string>& names, size_t most) {
  std::string out;
  const size_t shown = names.size() <= most + 1 ? names.size() : most;
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) out += i + 1 == names.size() ? " and " : ", ";
    out += shown_name(names[i]);
  }
  if (shown < names.size()) out += " and " + grouped(names.size() - shown) + " more";
  return out;
}

std::string paragraph(const std::string& text, const std::string& indent) {
  std::string out;
  for (const std::string& line : wrap(text, 78 - indent.size())) {
    out += (out.empty() ? "" : indent) + line + "\n";
  }
  return out;
}

Json interval_json(const quality::Interval& interval) {
  Json json = Json::object();
  json["low"] = interval.low;
  json["high"] = interval.high;
  return json;
}

Json strings_json(const std::vector<std::string>& texts) {
  Json json = Json::array();
  for (const std::string& text : texts) json.push_back(text);
  return json;
}

void append_csv_cell(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace hone::cli
