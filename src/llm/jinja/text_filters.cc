// The filters that make a text of a text.

#include <algorithm>

#include "llm/jinja/builtins.h"
#include "llm/jinja/interpreter.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::jinja {
namespace {

using Args = const Arguments&;
using Self = const Value&;

Text soft(Interpreter& in, Self value) { return to_text(value, in.budget()); }

Value f_trim(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("trim", {"chars"});
  return Value::text(strip_text(soft(in, self), bound[0], true, true));
}
Value f_string(Interpreter& in, Self self, Args args) {
  args.bind("string", {});
  return self.is_text() ? self : Value::text(soft(in, self));
}
Value f_upper(Interpreter& in, Self self, Args args) {
  args.bind("upper", {});
  return Value::text(map_case(soft(in, self), "upper"));
}
Value f_lower(Interpreter& in, Self self, Args args) {
  args.bind("lower", {});
  return Value::text(map_case(soft(in, self), "lower"));
}
Value f_capitalize(Interpreter& in, Self self, Args args) {
  args.bind("capitalize", {});
  return Value::text(map_case(soft(in, self), "capitalize"));
}

// A new word begins after white space or one of -({[<, not after an apostrophe.
Value f_title(Interpreter& in, Self self, Args args) {
  args.bind("title", {});
  const Text text = soft(in, self);
  Text result;
  size_t at = 0;
  bool starts = true;
  for (const Text::Run& run : text.runs) {
    std::string mapped;
    while (at < run.end) {
      const CodePoint c = decode(text.bytes, at);
      if (starts) {
        append_upper(mapped, c.value);
      } else {
        append_lower(mapped, c.value);
      }
      starts = is_space(c.value) ||
               (c.value < 0x80 && std::string_view("-({[<").find(static_cast<char>(c.value)) !=
                                      std::string_view::npos);
      at += c.size;
    }
    result.append(mapped, run.origin);
  }
  return Value::text(std::move(result));
}

Value f_replace(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("replace", {"old", "new", "count"}, 2);
  int64_t count = -1;
  if (bound.has(2) && !bound[2].is_none()) {
    if (!bound[2].is_int()) fail("replace: count must be an int");
    count = bound[2].as_int();
  }
  Text text = soft(in, self);
  text.markup = false;
  return Value::text(
      replace_text(text, soft(in, bound[0]), soft(in, bound[1]), count, in.budget()));
}
Value f_escape(Interpreter& in, Self self, Args args) {
  args.bind("escape", {});
  Text text = soft(in, self);
  return text.markup ? self : Value::text(escape_html(text));
}
Value f_forceescape(Interpreter& in, Self self, Args args) {
  args.bind("forceescape", {});
  return Value::text(escape_html(soft(in, self)));
}
Value f_safe(Interpreter& in, Self self, Args args) {
  args.bind("safe", {});
  Text text = soft(in, self);
  text.markup = true;
  return Value::text(std::move(text));
}

Value f_indent(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("indent", {"width", "first", "blank"});
  if (bound.has(0) && !bound[0].is_int() && !bound[0].is_text())
    fail("indent: width must be an int or a str");
  Text margin;
  if (bound[0].is_text()) {
    margin = bound[0].as_text();
  } else {
    const int64_t width = bound.has(0) ? std::clamp<int64_t>(bound[0].as_int(), 0, 10000) : 4;
    margin.append(std::string(static_cast<size_t>(width), ' '), kFromTemplate);
  }
  const bool first = bound.has(1) && truthy(bound[1]), blank = bound.has(2) && truthy(bound[2]);
  const Text text = soft(in, self);
  Text result;
  result.markup = text.markup;
  if (first) result.append(margin);
  for (size_t begin = 0; begin < text.bytes.size();) {
    const size_t newline = text.bytes.find('\n', begin);
    const size_t end = newline == std::string::npos ? text.bytes.size() : newline;
    if (begin > 0 && (blank || end > begin)) result.append(margin);
    result.append_slice(text, begin, newline == std::string::npos ? end : end + 1);
    begin = end + 1;
    in.budget().charge_text(margin.bytes.size());
    if (result.bytes.size() > in.budget().max_bytes) in.budget().charge_text(result.bytes.size());
  }
  if (blank && !text.bytes.empty() && text.bytes.back() == '\n') result.append(margin);
  return Value::text(std::move(result));
}

Value f_truncate(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("truncate", {"length", "killwords", "end", "leeway"});
  const auto number = [&](size_t i, int64_t absent) {
    return bound.has(i) && bound[i].is_int() ? bound[i].as_int() : absent;
  };
  const int64_t limit = number(0, 255), leeway = number(3, 5);
  const Text end = bound.has(2) ? soft(in, bound[2]) : Text("...", kFromTemplate);
  const auto end_size = static_cast<int64_t>(length(end.bytes));
  if (limit < end_size) fail("truncate: expected length >= " + std::to_string(end_size));
  const Text text = soft(in, self);
  if (static_cast<int64_t>(length(text.bytes)) <= limit + leeway) return Value::text(text);
  Text result = text.slice(0, byte_offset(text.bytes, static_cast<size_t>(limit - end_size)));
  if (!bound.has(1) || !truthy(bound[1])) {
    const size_t space = result.bytes.rfind(' ');
    if (space != std::string::npos) result = result.slice(0, space);
  }
  result.append(end);
  return Value::text(std::move(result));
}

Value f_wordcount(Interpreter& in, Self self, Args args) {
  args.bind("wordcount", {});
  const Text text = soft(in, self);
  int64_t count = 0;
  bool inside = false;
  for (size_t at = 0; at < text.bytes.size();) {
    const CodePoint c = decode(text.bytes, at);
    const bool word = is_alpha(c.value) || is_digit(c.value) || c.value == '_';
    count += word && !inside;
    inside = word;
    at += c.size;
  }
  return Value::integer(count);
}
Value f_center(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("center", {"width"});
  Arguments width;
  width.positional.push_back(bound.has(0) ? bound[0] : Value::integer(80));
  return in.call(find_method(Value::text(soft(in, self)), "center"), width);
}

Value f_format(Interpreter& in, Self self, Args args) {
  if (!args.named.empty() && !args.positional.empty()) {
    fail("can't handle positional and keyword arguments at the same time");
  }
  std::vector<std::pair<Value, Value>> named;
  for (const auto& [key, value] : args.named) named.emplace_back(Value::text(key), value);
  const Value values = named.empty() ? Value::sequence(SequenceType::kTuple, args.positional)
                                     : Value::dict(std::move(named));
  return Value::text(format_percent(soft(in, self), values, in.budget()));
}

void quote_url(Interpreter& in, const Value& value, bool keep_slash, Text& out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  const Text text = soft(in, value);
  std::string quoted;
  for (const char c : text.bytes) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos ||
                       (c == '/' && keep_slash);
    const auto byte = static_cast<uint8_t>(c);
    if (plain) {
      quoted += c;
    } else if (c == ' ' && !keep_slash) {
      quoted += '+';
    } else {
      quoted += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  out.append(quoted, text.origin());
}
Value f_urlencode(Interpreter& in, Self self, Args args) {
  args.bind("urlencode", {});
  Text out;
  if (self.is_text() || (!self.is_dict() && !self.is_sequence())) {
    quote_url(in, self, true, out);
    return Value::text(std::move(out));
  }
  Value pairs = self;
  if (self.is_dict()) pairs = in.call(find_method(self, "items"), {});
  for (const Value& pair : iterate(pairs, in.budget())) {
    const auto parts = iterate(pair, in.budget());
    if (parts.size() != 2) fail("urlencode: expected pairs");
    if (!out.bytes.empty()) out.append("&", kFromTemplate);
    quote_url(in, parts[0], false, out);
    out.append("=", kFromTemplate);
    quote_url(in, parts[1], false, out);
  }
  return Value::text(std::move(out));
}

constexpr FilterEntry kFilters[] = {
    {"trim", f_trim},
    {"string", f_string},
    {"upper", f_upper},
    {"lower", f_lower},
    {"capitalize", f_capitalize},
    {"title", f_title},
    {"replace", f_replace},
    {"escape", f_escape},
    {"e", f_escape},
    {"forceescape", f_forceescape},
    {"safe", f_safe},
    {"indent", f_indent},
    {"truncate", f_truncate},
    {"wordcount", f_wordcount},
    {"center", f_center},
    {"format", f_format},
    {"urlencode", f_urlencode},
};

}  // namespace

std::span<const FilterEntry> text_filters() { return kFilters; }

}  // namespace hone::llm::jinja
