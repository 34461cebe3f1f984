// Operations on text that keep the origin of each byte: strip, replace, case, escape, `%`.

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "llm/jinja/builtins.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::jinja {
namespace {

bool in_set(const Value& characters, std::string_view text, size_t at, size_t size) {
  if (characters.is_none() || characters.is_undefined()) return is_space(decode(text, at).value);
  const std::string_view set = characters.bytes();
  for (size_t i = 0; i < set.size(); i += decode(set, i).size) {
    if (set.substr(i, decode(set, i).size) == text.substr(at, size)) return true;
  }
  return false;
}

}  // namespace

Text strip_text(const Text& text, const Value& characters, bool left, bool right) {
  if (!characters.is_none() && !characters.is_undefined() && !characters.is_text()) {
    fail("strip arg must be None or str");
  }
  const std::string_view bytes = text.bytes;
  size_t begin = 0, end = bytes.size();
  while (left && begin < end) {
    const size_t size = decode(bytes, begin).size;
    if (!in_set(characters, bytes, begin, size)) break;
    begin += size;
  }
  while (right && begin < end) {
    size_t last = end - 1;
    while (last > begin && (static_cast<uint8_t>(bytes[last]) & 0xC0) == 0x80) --last;
    if (!in_set(characters, bytes, last, end - last)) break;
    end = last;
  }
  return text.slice(begin, end);
}

Text replace_text(const Text& text, const Text& from, const Text& to, int64_t count,
                  Budget& budget) {
  Text result;
  result.markup = text.markup;
  const std::string_view bytes = text.bytes;
  size_t at = 0;
  budget.charge_text(bytes.size());
  while (count != 0) {
    // An empty `from` stands before every code point and at the end.
    const size_t found = bytes.find(from.bytes, at);
    if (found == std::string_view::npos) break;
    --count;
    budget.charge(1);
    result.append_slice(text, at, found);
    result.append(to);
    if (result.bytes.size() > budget.max_bytes) budget.charge_text(result.bytes.size());
    at = found + from.bytes.size();
    if (!from.bytes.empty()) continue;
    if (at >= bytes.size()) return result;
    const size_t size = decode(bytes, at).size;
    result.append_slice(text, at, at + size);
    at += size;
  }
  result.append_slice(text, at, bytes.size());
  budget.charge_text(result.bytes.size());
  return result;
}

Text map_case(const Text& text, std::string_view how) {
  Text result;
  result.markup = text.markup;
  size_t at = 0;
  bool word_starts = true;
  for (const Text::Run& run : text.runs) {
    std::string mapped;
    while (at < run.end) {
      const CodePoint c = decode(text.bytes, at);
      const bool capital = how == "title" ? word_starts : at == 0;
      if (how == "swapcase") {
        (is_upper(c.value) ? append_lower : append_upper)(mapped, c.value);
      } else if (how == "upper") {
        append_upper(mapped, c.value);
      } else if (how == "lower" || !capital) {
        append_lower(mapped, c.value);
      } else {
        append_title(mapped, c.value);
      }
      word_starts = !is_alpha(c.value);
      at += c.size;
    }
    result.append(mapped, run.origin);
  }
  return result;
}

Text escape_html(const Text& text) {
  Text result;
  result.markup = true;
  size_t at = 0;
  for (const Text::Run& run : text.runs) {
    std::string escaped;
    for (; at < run.end; ++at) {
      switch (text.bytes[at]) {
        case '&': escaped += "&amp;"; break;
        case '<': escaped += "&lt;"; break;
        case '>': escaped += "&gt;"; break;
        case '\'': escaped += "&#39;"; break;
        case '"': escaped += "&#34;"; break;
        default: escaped += text.bytes[at];
      }
    }
    result.append(escaped, run.origin);
  }
  return result;
}

int64_t parse_int(std::string_view text, int base, bool& ok) {
  ok = false;
  while (!text.empty() && is_space(static_cast<uint8_t>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && is_space(static_cast<uint8_t>(text.back()))) text.remove_suffix(1);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.size() > 2 && text[0] == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    const int prefix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    if (prefix != 0 && (base == 0 || base == prefix)) {
      base = prefix;
      text.remove_prefix(2);
    }
  }
  if (base == 0) base = 10;
  std::string digits = negative ? "-" : "";
  for (size_t i = 0; i < text.size(); ++i) {
    const bool between = i > 0 && i + 1 < text.size() && text[i - 1] != '_';
    if (text[i] == '-' || (text[i] == '_' && !between)) return 0;
    if (text[i] != '_') digits += text[i];
  }
  int64_t value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  ok = result.ec == std::errc() && result.ptr == digits.data() + digits.size();
  return ok ? value : 0;
}

double parse_float(std::string_view text, bool& ok) {
  ok = false;
  while (!text.empty() && is_space(static_cast<uint8_t>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && is_space(static_cast<uint8_t>(text.back()))) text.remove_suffix(1);
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  if (text.empty() || text.find_first_of("xX(") != std::string_view::npos) return 0;
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  ok = result.ec == std::errc() && result.ptr == text.data() + text.size();
  return ok ? value : 0;
}

namespace {

// One conversion of a printf format: %[(name)][flags][width][.precision]type
struct Conversion {
  std::string name;
  bool has_name = false, left = false, plus = false, space = false, zero = false, alternate = false;
  size_t width = 0;
  int precision = -1;
  char type = 's';
};

class PercentFormatter {
 public:
  PercentFormatter(const Text& format, const Value& arguments, Budget& budget)
      : format_(format), budget_(budget), mapping_(arguments) {
    if (arguments.is_sequence(SequenceType::kTuple)) {
      values_ = arguments.as_sequence().items;
    } else {
      values_.push_back(arguments);
    }
  }

  Text run() {
    const std::string& bytes = format_.bytes;
    size_t at = 0;
    result_.markup = format_.markup;
    while (at < bytes.size()) {
      const size_t percent = std::min(bytes.find('%', at), bytes.size());
      result_.append_slice(format_, at, percent);
      if (percent == bytes.size()) break;
      at = percent + 1;
      convert(read(at));
      budget_.charge_text(result_.bytes.size());
    }
    const bool spare = used_ < values_.size() && !mapping_.is_dict() && !used_names_ &&
                       !(mapping_.is_sequence() && !mapping_.is_sequence(SequenceType::kTuple));
    if (spare) fail("not all arguments converted during string formatting");
    return std::move(result_);
  }

 private:
  char peek(size_t at) const {
    if (at >= format_.bytes.size()) fail("incomplete format");
    return format_.bytes[at];
  }
  Conversion read(size_t& at) {
    Conversion conversion;
    if (peek(at) == '(') {
      const size_t close = format_.bytes.find(')', at);
      if (close == std::string::npos) fail("incomplete format key");
      conversion.has_name = true;
      conversion.name = format_.bytes.substr(at + 1, close - at - 1);
      at = close + 1;
    }
    for (;; ++at) {
      const char flag = peek(at);
      if (flag == '-')
        conversion.left = true;
      else if (flag == '+')
        conversion.plus = true;
      else if (flag == ' ')
        conversion.space = true;
      else if (flag == '0')
        conversion.zero = true;
      else if (flag == '#')
        conversion.alternate = true;
      else
        break;
    }
    conversion.width = number(at);
    if (peek(at) == '.') conversion.precision = static_cast<int>(number(++at));
    conversion.type = peek(at++);
    return conversion;
  }
  size_t number(size_t& at) {
    size_t value = 0;
    if (peek(at) == '*') fail("'*' in a format is not supported");
    for (; peek(at) >= '0' && peek(at) <= '9'; ++at) {
      value = value * 10 + static_cast<size_t>(peek(at) - '0');
      if (value > 1000) fail("a width or precision in a format is above 1000");
    }
    return value;
  }
  Value argument(const Conversion& conversion) {
    if (conversion.has_name) {
      if (!mapping_.is_dict()) fail("format requires a mapping");
      used_names_ = true;
      const Value* found = mapping_.as_dict().find(conversion.name);
      if (found == nullptr) fail("the format names a missing key '" + conversion.name + "'");
      return *found;
    }
    if (used_ >= values_.size()) fail("not enough arguments for format string");
    return values_[used_++];
  }

  void convert(const Conversion& conversion) {
    if (conversion.type == '%') {
      result_.append("%", kFromTemplate);
      return;
    }
    const Value value = argument(conversion);
    Text text;
    switch (conversion.type) {
      case 's':
      case 'r':
      case 'a': {
        text = conversion.type == 's' ? to_text(value, budget_) : repr(value, budget_);
        if (conversion.precision >= 0) {
          text = text.slice(0, byte_offset(text.bytes, static_cast<size_t>(conversion.precision)));
        }
        break;
      }
      case 'c':
        if (value.is_text() && length(value.bytes()) == 1) {
          text = value.as_text();
        } else if (value.is_int() && value.as_int() >= 0 && value.as_int() <= 0x10FFFF) {
          std::string c;
          encode(c, static_cast<uint32_t>(value.as_int()));
          text.append(c, kFromTemplate);
        } else {
          fail("%c requires int or char");
        }
        break;
      default: text.append(format_number(conversion, value), kFromTemplate);
    }
    pad(conversion, text);
  }

  static std::string format_number(const Conversion& conversion, const Value& value) {
    if (value.is_undefined()) fail(value.undefined_hint());
    if (!value.is_number()) {
      fail(std::string("%") + conversion.type + " format: a number is required, not " +
           std::string(type_name(value)));
    }
    std::string flags = "%";
    if (conversion.plus) flags += '+';
    if (conversion.space) flags += ' ';
    if (conversion.alternate) flags += '#';
    if (conversion.zero && !conversion.left) flags += "0" + std::to_string(conversion.width);
    if (conversion.precision >= 0) flags += "." + std::to_string(conversion.precision);
    char buffer[2048];
    if (std::string_view("diu").find(conversion.type) != std::string_view::npos) {
      if (value.is_float() && !(std::abs(value.as_double()) < 9e18))
        fail("a number does not fit an integer");
      const long long i =
          value.is_float() ? static_cast<long long>(value.as_double()) : value.as_int();
      std::snprintf(buffer, sizeof buffer, (flags + "lld").c_str(), i);
    } else if (std::string_view("xXo").find(conversion.type) != std::string_view::npos) {
      if (value.is_float()) fail("%x format: an integer is required, not float");
      if (value.as_int() < 0) fail("%x of a negative integer is not supported");
      std::snprintf(buffer, sizeof buffer, (flags + "ll" + conversion.type).c_str(),
                    static_cast<long long>(value.as_int()));
    } else if (std::string_view("eEfFgG").find(conversion.type) != std::string_view::npos) {
      std::snprintf(buffer, sizeof buffer, (flags + conversion.type).c_str(), value.as_double());
    } else {
      fail(std::string("unsupported format character '") + conversion.type + "'");
    }
    return buffer;
  }

  void pad(const Conversion& conversion, const Text& text) {
    const size_t size = length(text.bytes);
    const std::string spaces(conversion.width > size ? conversion.width - size : 0, ' ');
    if (!conversion.left) result_.append(spaces, kFromTemplate);
    result_.append(text);
    if (conversion.left) result_.append(spaces, kFromTemplate);
  }

  const Text& format_;
  Budget& budget_;
  Value mapping_;
  std::vector<Value> values_;
  size_t used_ = 0;
  bool used_names_ = false;
  Text result_;
};

}  // namespace

Text format_percent(const Text& format, const Value& arguments, Budget& budget) {
  return PercentFormatter(format, arguments, budget).run();
}

}  // namespace hone::llm::jinja
