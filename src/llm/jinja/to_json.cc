// The `tojson` of transformers' environment: Python's json.dumps without HTML escaping.

#include <algorithm>
#include <cmath>

#include "llm/jinja/builtins.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::jinja {
namespace {

void append_escaped(std::string& out, uint32_t unit) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[unit >> shift & 15];
}

void append_string(std::string& out, std::string_view text, bool ensure_ascii) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode(text, at);
    const std::string_view simple = "\"\\\n\r\t\f\b";
    const size_t found =
        c.value < 0x80 ? simple.find(static_cast<char>(c.value)) : std::string_view::npos;
    if (found != std::string_view::npos) {
      out += '\\';
      out += std::string_view("\"\\nrtfb")[found];
    } else if (c.value < 0x20 || (ensure_ascii && c.value > 0x7E && c.value < 0x10000)) {
      if (c.value == 0x7F) {
        out += '\x7F';
      } else {
        append_escaped(out, c.value);
      }
    } else if (ensure_ascii && c.value >= 0x10000) {
      append_escaped(out, 0xD800 + ((c.value - 0x10000) >> 10));
      append_escaped(out, 0xDC00 + ((c.value - 0x10000) & 0x3FF));
    } else {
      out += text.substr(at, c.size);
    }
    at += c.size;
  }
  out += '"';
}

std::string json_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  return float_repr(value);
}

class JsonWriter {
 public:
  JsonWriter(bool ensure_ascii, bool sort_keys, Budget& budget)
      : ensure_ascii_(ensure_ascii), sort_keys_(sort_keys), budget_(budget) {}

  void set_indent(const Value& indent) {
    if (indent.is_none() || indent.is_undefined()) return;
    has_indent_ = true;
    item_separator_ = ",";
    if (indent.is_text()) {
      indent_ = indent.bytes();
    } else if (indent.is_int()) {
      indent_ =
          std::string(static_cast<size_t>(std::clamp<int64_t>(indent.as_int(), 0, 1000)), ' ');
    } else {
      fail("tojson: indent must be a number of spaces or a text");
    }
  }
  void set_separators(const Value& separators) {
    if (separators.is_none() || separators.is_undefined()) return;
    if (!separators.is_sequence() || separators.as_sequence().items.size() != 2 ||
        !separators.as_sequence().items[0].is_text() ||
        !separators.as_sequence().items[1].is_text()) {
      fail("tojson: separators must be two texts");
    }
    item_separator_ = separators.as_sequence().items[0].bytes();
    key_separator_ = separators.as_sequence().items[1].bytes();
  }

  void write(const Value& value, size_t level) {
    budget_.charge(1);
    if (out_.size() > budget_.max_bytes) budget_.charge_text(out_.size());
    switch (value.kind()) {
      case Kind::kNone: out_ += "null"; break;
      case Kind::kBool: out_ += value.as_int() != 0 ? "true" : "false"; break;
      case Kind::kInt: out_ += std::to_string(value.as_int()); break;
      case Kind::kFloat: out_ += json_float(value.as_double()); break;
      case Kind::kText: write_text(value); break;
      case Kind::kDict: write_dict(value.as_dict(), level); break;
      case Kind::kSequence:
        if (value.as_sequence().type <= SequenceType::kTuple)
          return write_list(value.as_sequence(), level);
        [[fallthrough]];
      default:
        fail("Object of type " + std::string(type_name(value)) + " is not JSON serializable");
    }
  }
  std::string take() { return std::move(out_); }
  Origin origin() const { return origin_; }

 private:
  void write_text(const Value& value) {
    budget_.charge_text(value.bytes().size());
    origin_ = mix(origin_, value.as_text().origin());
    append_string(out_, value.bytes(), ensure_ascii_);
  }
  void line(size_t level) {
    if (!has_indent_) return;
    budget_.charge_text(indent_.size() * level);
    out_ += '\n';
    for (size_t i = 0; i < level; ++i) out_ += indent_;
  }
  void write_list(const Sequence& sequence, size_t level) {
    if (sequence.items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    for (size_t i = 0; i < sequence.items.size(); ++i) {
      if (i > 0) out_ += item_separator_;
      line(level + 1);
      write(sequence.items[i], level + 1);
    }
    line(level);
    out_ += ']';
  }
  void write_key(const Value& key) {
    if (key.is_text()) return write_text(key);
    if (key.is_sequence()) fail("keys must be str, int, float, bool or None, not tuple");
    out_ += '"';
    write(key, 0);
    out_ += '"';
  }
  void write_dict(const Dict& dict, size_t level) {
    if (dict.items.empty()) {
      out_ += "{}";
      return;
    }
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (sort_keys_) {
      std::stable_sort(items.begin(), items.end(), [this](const auto* a, const auto* b) {
        return less(a->first, b->first, budget_);
      });
    }
    out_ += '{';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += item_separator_;
      line(level + 1);
      write_key(items[i]->first);
      out_ += key_separator_;
      write(items[i]->second, level + 1);
    }
    line(level);
    out_ += '}';
  }

  bool ensure_ascii_, sort_keys_;
  Budget& budget_;
  bool has_indent_ = false;
  std::string indent_, item_separator_ = ", ", key_separator_ = ": ";
  std::string out_;
  Origin origin_ = kFromTemplate;
};

}  // namespace

std::string to_json(const Value& value, bool ensure_ascii, const Value& indent,
                    const Value& separators, bool sort_keys, Origin& origin, Budget& budget) {
  JsonWriter writer(ensure_ascii, sort_keys, budget);
  writer.set_indent(indent);
  writer.set_separators(separators);
  writer.write(value, 0);
  origin = writer.origin();
  std::string text = writer.take();
  budget.charge_text(text.size());
  return text;
}

}  // namespace hone::llm::jinja
