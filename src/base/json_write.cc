// Writing: one line, indented, and the canonical form of RFC 8785.

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/json.h"

namespace hone {
namespace {

// ECMA-262, Number::toString, from the shortest digits and the exponent that to_chars found.
template <typename Float>
std::string ecmascript_number(Float value) {
  if (!std::isfinite(value)) {
    throw Error(ErrorCode::kInternal, "JSON cannot hold a number that is infinite or not a number");
  }
  char buffer[48];
  auto written =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<size_t>(written.ptr - buffer));
  std::string out;
  if (text.front() == '-') {
    out = "-";
    text.remove_prefix(1);
  }
  size_t mark = text.find('e');
  std::string digits(text.substr(0, 1));
  if (mark > 2) digits += text.substr(2, mark - 2);
  int exponent = 0;
  const char* from = text.data() + mark + (text[mark + 1] == '+' ? 2 : 1);
  std::from_chars(from, written.ptr, exponent);

  int count = static_cast<int>(digits.size());
  int point = exponent + 1;  // digits before the decimal point
  if (count <= point && point <= 21) {
    return out + digits + std::string(static_cast<size_t>(point - count), '0');
  }
  if (0 < point && point <= 21) {
    return out + digits.insert(static_cast<size_t>(point), ".");
  }
  if (-6 < point && point <= 0) {
    return out + "0." + std::string(static_cast<size_t>(-point), '0') + digits;
  }
  if (count > 1) digits.insert(1, ".");
  return out + digits + (exponent < 0 ? "e-" : "e+") + std::to_string(std::abs(exponent));
}

// Less by UTF-16 code units. Code points above U+FFFF are surrogates there (D800 to DFFF) and come
// before U+E000 to U+FFFF; all else is in the order of the UTF-8 bytes.
bool less_in_utf16(std::string_view a, std::string_view b) {
  size_t common = std::min(a.size(), b.size());
  for (size_t i = 0; i < common; ++i) {
    auto x = static_cast<unsigned char>(a[i]);
    auto y = static_cast<unsigned char>(b[i]);
    if (x == y) continue;
    if (x >= 0xEE && y >= 0xEE && (x >= 0xF0) != (y >= 0xF0)) return x >= 0xF0;
    return x < y;
  }
  return a.size() < b.size();
}

void append_integer(std::string& out, auto value) {
  char buffer[24];
  auto written = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, written.ptr);
}

class Writer {
 public:
  enum class Form { kLine, kPretty, kCanonical };
  Writer(std::string& out, Form form) : out_(out), form_(form) {}

  template <typename Value>
  void write_number(Value value) {
    if constexpr (std::is_floating_point_v<Value>) {
      bool zero = form_ == Form::kCanonical && value == 0;  // RFC 8785 writes -0 as 0
      out_ += number_to_string(zero ? Value{0} : value);
    } else {
      // Beyond 2^53 some are what a double prints (1e19 is written with all its digits): those are
      // the same number to every reader.
      const auto survives = [&] {
        return ecmascript_number(static_cast<double>(value)) == std::to_string(value);
      };
      constexpr Value kExact = Value{1} << 53;
      bool exact = value <= kExact && (std::is_unsigned_v<Value> || value >= Value{0} - kExact);
      if (form_ == Form::kCanonical && !exact && !survives()) {
        throw Error(ErrorCode::kInternal, "canonical JSON cannot hold the integer " +
                                              std::to_string(value) +
                                              " (over 2^53): write it as a string");
      }
      append_integer(out_, value);
    }
  }

  void write_array(const Json::Array& array, int depth) {
    bool first = true;
    out_ += '[';
    for (const Json& element : array) {
      start_entry(first, depth + 1);
      write(element, depth + 1);
    }
    end_entries(first, depth);
    out_ += ']';
  }

  void write_object(const Json::Object& object, int depth) {
    std::vector<const Json::Member*> members;
    members.reserve(object.size());
    for (const Json::Member& member : object) members.push_back(&member);
    if (form_ == Form::kCanonical) {
      std::sort(members.begin(), members.end(),
                [](auto* a, auto* b) { return less_in_utf16(a->first, b->first); });
    }
    bool first = true;
    out_ += '{';
    for (const Json::Member* member : members) {
      start_entry(first, depth + 1);
      append_json_string(out_, member->first);
      out_ += form_ == Form::kPretty ? ": " : ":";
      write(member->second, depth + 1);
    }
    end_entries(first, depth);
    out_ += '}';
  }

  void write(const Json& value, int depth);

 private:
  void start_entry(bool& first, int depth) {
    if (!first) out_ += ',';
    first = false;
    if (form_ == Form::kPretty) start_line(depth);
  }
  void end_entries(bool empty, int depth) {
    if (form_ == Form::kPretty && !empty) start_line(depth);
  }
  void start_line(int depth) {
    out_ += '\n';
    out_.append(static_cast<size_t>(depth) * 2, ' ');
  }

  std::string& out_;
  Form form_;
};

}  // namespace

// Reaches the value's alternatives for the writer, which lives in this file alone.
struct JsonVisitor {
  template <typename Visit>
  static void visit(const Json& json, const Visit& visit) {
    std::visit(visit, json.value_);
  }
};

void Writer::write(const Json& json, int depth) {
  JsonVisitor::visit(json, [&](const auto& value) {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::monostate>) {
      out_ += "null";
    } else if constexpr (std::is_same_v<Value, bool>) {
      out_ += value ? "true" : "false";
    } else if constexpr (std::is_same_v<Value, std::string>) {
      append_json_string(out_, value);
    } else if constexpr (std::is_same_v<Value, Json::Array>) {
      write_array(value, depth);
    } else if constexpr (std::is_same_v<Value, Json::Object>) {
      write_object(value, depth);
    } else {
      write_number(value);
    }
  });
}

std::string Json::dump() const {
  std::string out;
  dump_to(out);
  return out;
}

void Json::dump_to(std::string& out) const { Writer(out, Writer::Form::kLine).write(*this, 0); }

std::string Json::dump_pretty() const {
  std::string out;
  Writer(out, Writer::Form::kPretty).write(*this, 0);
  return out;
}

std::string Json::dump_canonical() const {
  std::string out;
  Writer(out, Writer::Form::kCanonical).write(*this, 0);
  return out;
}

std::string number_to_string(float value) { return ecmascript_number(value); }
std::string number_to_string(double value) { return ecmascript_number(value); }

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  size_t plain = 0;  // where the part that needs no escape begins
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    out += '\\';
    switch (byte) {
      case '\b': out += 'b'; break;
      case '\f': out += 'f'; break;
      case '\n': out += 'n'; break;
      case '\r': out += 'r'; break;
      case '\t': out += 't'; break;
      case '"':
      case '\\': out += static_cast<char>(byte); break;
      default:
        out += "u00";
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
  }
  out.append(text, plain, text.size() - plain);
  out += '"';
}

}  // namespace hone
