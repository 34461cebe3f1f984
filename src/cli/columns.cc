#include "cli/columns.h"

#include <algorithm>

namespace hone::cli {

namespace {

constexpr size_t kColumnsFrom = 80;

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

// Bytes of the first `count` characters.
size_t bytes_of(std::string_view text, size_t count) {
  size_t end = 0;
  while (end < text.size()) {
    if (starts_character(text[end]) && count-- == 0) break;
    ++end;
  }
  return end;
}

void wrap_line(std::string_view line, size_t width, std::vector<std::string>* out) {
  while (characters(line) > width) {
    size_t end = bytes_of(line, width);
    size_t next = end;
    // The last space of the line, or the one right behind it.
    const size_t space = line.substr(0, end + 1).rfind(' ');
    if (space != std::string_view::npos && space > 0) {
      end = space;
      next = space + 1;
    }
    out->emplace_back(line.substr(0, end));
    line.remove_prefix(next);
  }
  out->emplace_back(line);
}

std::string padded(const std::string& text, size_t width) {
  const size_t length = characters(text);
  return length >= width ? text : text + std::string(width - length, ' ');
}

}  // namespace

std::vector<std::string> wrap(std::string_view text, size_t width) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '\t', ' ');
  std::vector<std::string> lines;
  size_t begin = 0;
  while (begin <= plain.size()) {
    const size_t end = std::min(plain.find('\n', begin), plain.size());
    wrap_line(std::string_view(plain).substr(begin, end - begin), std::max<size_t>(width, 1),
              &lines);
    begin = end + 1;
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

std::string wrapped_text(std::string_view text, size_t width) {
  std::string out;
  for (const std::string& line : wrap(text, width)) out += line + "\n";
  return out;
}

std::string WordWrap::push(std::string_view piece) {
  if (width_ == 0) return std::string(piece);
  std::string out;
  for (const char c : piece) {
    if (c != ' ' && c != '\n') {
      word_ += c;
      continue;
    }
    out += flush();
    if (c == '\n') {
      column_ = 0;
      out += c;
    } else if (column_ + 1 < width_) {  // a space at a line's end would open the next line
      ++column_;
      out += c;
    }
  }
  return out;
}

std::string WordWrap::flush() {
  if (word_.empty()) return "";
  const size_t length = characters(word_);
  std::string out;
  if (column_ > 0 && column_ + length >= width_) {
    out = "\n";
    column_ = 0;
  }
  out += word_;
  column_ += length;
  word_.clear();
  return out;
}

std::string compared(const std::string& left_heading, std::string_view left,
                     const std::string& right_heading, std::string_view right, size_t width) {
  if (width >= kColumnsFrom) return side_by_side(left_heading, left, right_heading, right, width);
  std::string out;
  for (const auto& [heading, text] :
       {std::pair(left_heading, left), std::pair(right_heading, right)}) {
    out += wrapped_text(heading + ":", width);
    for (const std::string& line : wrap(text, std::max<size_t>(width, 12) - 2)) {
      out += "  " + line + "\n";
    }
  }
  return out;
}

std::string side_by_side(const std::string& left_heading, std::string_view left,
                         const std::string& right_heading, std::string_view right, size_t width) {
  const size_t column = (std::max<size_t>(width, 20) - 3) / 2;
  std::vector<std::string> a = wrap(left_heading, column), b = wrap(right_heading, column);
  const size_t headings = std::max(a.size(), b.size());
  a.resize(headings);
  b.resize(headings);
  std::string rule;
  for (size_t i = 0; i < column; ++i) rule += "\u2500";
  a.push_back(rule);
  b.push_back(rule);
  for (std::string& line : wrap(left, column)) a.push_back(std::move(line));
  for (std::string& line : wrap(right, column)) b.push_back(std::move(line));
  a.resize(std::max(a.size(), b.size()));
  b.resize(a.size());
  std::string out;
  for (size_t i = 0; i < a.size(); ++i) {
    out += padded(a[i], column) + (i == headings ? "\u2500\u253c\u2500" : " \u2502 ") + b[i] + "\n";
  }
  return out;
}

}  // namespace hone::cli
