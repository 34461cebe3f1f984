#include "llm/jinja/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "llm/jinja/callable.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::jinja {
namespace {
// Deeper values would let a destructor or a comparison overflow the stack.
constexpr int kMaxValueDepth = 400;

template <typename T>
std::shared_ptr<Object> share(T object) {
  return std::make_shared<T>(std::move(object));
}
}  // namespace

int depth_around(const std::vector<Value>& held) {
  int depth = 0;
  for (const Value& value : held) depth = std::max(depth, value.depth());
  if (depth >= kMaxValueDepth) fail("values are nested more than 400 deep");
  return depth + 1;
}

Origin mix(Origin a, Origin b) {
  if (a == b) return a;
  const Origin generated = (a | b) & kGenerated;
  a &= ~kGenerated;
  b &= ~kGenerated;
  if (a == kFromTemplate) return b | generated;
  if (b == kFromTemplate || a == b) return a | generated;
  if ((a >> kMessageShift) == (b >> kMessageShift)) return (a & b) | kFromData | generated;
  return kFromData | generated;
}

void fail(std::string message) { throw TemplateError{std::move(message), 0}; }

void Budget::check() {
  if (steps_left < 0) fail("the template takes more than its bound of steps");
  if (std::chrono::steady_clock::now() > deadline) fail("the template runs longer than one second");
  next_clock_check = steps_left - 2048;
}
void Budget::too_long() const {
  fail("a text grows beyond the bound of " + std::to_string(max_bytes) + " bytes");
}

void Text::append(std::string_view text, Origin origin) {
  if (text.empty()) return;
  bytes.append(text);
  if (!runs.empty() && runs.back().origin == origin) {
    runs.back().end = bytes.size();
  } else {
    runs.push_back({bytes.size(), origin});
  }
}
void Text::append(const Text& other) { append_slice(other, 0, other.bytes.size()); }
void Text::append_slice(const Text& other, size_t begin, size_t end) {
  if (begin >= end) return;
  const std::string_view from = other.bytes;
  auto run = std::upper_bound(other.runs.begin(), other.runs.end(), begin,
                              [](size_t at, const Run& r) { return at < r.end; });
  for (; begin < end; ++run) {
    const size_t stop = std::min(end, run->end);
    append(from.substr(begin, stop - begin), run->origin);
    begin = stop;
  }
}
Text Text::slice(size_t begin, size_t end) const {
  Text result;
  result.markup = markup;
  result.append_slice(*this, begin, end);
  return result;
}
Origin Text::origin() const {
  Origin result = runs.empty() ? kFromTemplate : runs.front().origin;
  for (const Run& run : runs) result = mix(result, run.origin);
  return result;
}
void Text::mark(Origin bits) {
  for (Run& run : runs) run.origin |= bits;
}

Value Value::undefined(std::string hint) {
  UndefinedHint object;
  object.hint = std::move(hint);
  Value value;
  value.object_ = share(std::move(object));
  return value;
}
Value Value::boolean(bool b) {
  Value value(Kind::kBool);
  value.int_ = b;
  return value;
}
Value Value::integer(int64_t i) {
  Value value(Kind::kInt);
  value.int_ = i;
  return value;
}
Value Value::real(double d) {
  Value value(Kind::kFloat);
  value.real_ = d;
  return value;
}
Value Value::text(Text t) {
  TextObject object;
  object.text = std::move(t);
  return Value::object(Kind::kText, share(std::move(object)));
}
Value Value::text(std::string_view t, Origin origin) { return text(Text(t, origin)); }
Value Value::list(std::vector<Value> items) {
  return sequence(SequenceType::kList, std::move(items));
}
Value Value::sequence(SequenceType type, std::vector<Value> items) {
  Sequence object;
  object.type = type;
  object.depth = depth_around(items);
  object.items = std::move(items);
  return Value::object(Kind::kSequence, share(std::move(object)));
}
Value Value::dict(std::vector<std::pair<Value, Value>> items) {
  Dict object;
  for (const auto& [key, value] : items) {
    object.depth = std::max({object.depth, depth_around({value}), depth_around({key})});
  }
  object.items = std::move(items);
  return Value::object(Kind::kDict, share(std::move(object)));
}
Value Value::object(Kind kind, std::shared_ptr<Object> object) {
  Value value(kind);
  value.object_ = std::move(object);
  return value;
}

bool Value::is_sequence(SequenceType type) const {
  return is_sequence() && as_sequence().type == type;
}
const Text& Value::as_text() const { return static_cast<TextObject&>(*object_).text; }
Sequence& Value::as_sequence() const { return static_cast<Sequence&>(*object_); }
const Dict& Value::as_dict() const { return static_cast<Dict&>(*object_); }
Namespace& Value::as_namespace() const { return static_cast<Namespace&>(*object_); }
const Callable& Value::as_callable() const { return static_cast<Callable&>(*object_); }
Loop& Value::as_loop() const { return static_cast<Loop&>(*object_); }
Cycler& Value::as_cycler() const { return static_cast<Cycler&>(*object_); }
std::string Value::undefined_hint() const {
  return object_ ? static_cast<UndefinedHint&>(*object_).hint : "the value is undefined";
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& item : items) {
    if (item.first.is_text() && item.first.bytes() == key) return &item.second;
  }
  return nullptr;
}
const Value* Dict::find(const Value& key, Budget& budget) const {
  if (key.is_text()) {
    budget.charge(static_cast<int64_t>(items.size() / 16));
    return find(key.bytes());
  }
  for (const auto& item : items) {
    if (equal(item.first, key, budget)) return &item.second;
  }
  return nullptr;
}

std::string_view type_name(const Value& value) {
  static constexpr std::string_view kSequences[] = {
      "list", "tuple", "range", "dict_items", "dict_keys", "dict_values", "generator"};
  switch (value.kind()) {
    case Kind::kUndefined: return "Undefined";
    case Kind::kNone: return "NoneType";
    case Kind::kBool: return "bool";
    case Kind::kInt: return "int";
    case Kind::kFloat: return "float";
    case Kind::kText: return "str";
    case Kind::kSequence: return kSequences[static_cast<int>(value.as_sequence().type)];
    case Kind::kDict: return "dict";
    case Kind::kNamespace: return "Namespace";
    case Kind::kCallable: return "function";
    case Kind::kLoop: return "LoopContext";
    case Kind::kCycler: return "Cycler";
  }
  return "object";
}

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone: return false;
    case Kind::kBool:
    case Kind::kInt: return value.as_int() != 0;
    case Kind::kFloat: return value.as_double() != 0;
    case Kind::kText: return !value.bytes().empty();
    case Kind::kSequence:
      return value.is_sequence(SequenceType::kIterator) || !value.as_sequence().items.empty();
    case Kind::kDict: return !value.as_dict().items.empty();
    default: return true;
  }
}

namespace {
bool equal_dicts(const Dict& a, const Dict& b, Budget& budget) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, value] : a.items) {
    const Value* other = b.find(key, budget);
    if (other == nullptr || !equal(value, *other, budget)) return false;
  }
  return true;
}

bool comparable(SequenceType a, SequenceType b) {
  return a == b && a != SequenceType::kIterator && a != SequenceType::kValues;
}

// -1, 0, 1; 2 for a NaN. Exact also between a large integer and a float.
int compare_numbers(const Value& a, const Value& b) {
  if (a.is_int() && b.is_int()) return a.as_int() < b.as_int() ? -1 : a.as_int() > b.as_int();
  const auto x =
      static_cast<long double>(a.is_int() ? static_cast<long double>(a.as_int()) : a.as_double());
  const auto y =
      static_cast<long double>(b.is_int() ? static_cast<long double>(b.as_int()) : b.as_double());
  if (std::isnan(x) || std::isnan(y)) return 2;
  return x < y ? -1 : x > y;
}
}  // namespace

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.charge(1);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone: return true;
    case Kind::kText: return a.bytes() == b.bytes();
    case Kind::kDict:
      return a.identity() == b.identity() || equal_dicts(a.as_dict(), b.as_dict(), budget);
    case Kind::kSequence: {
      if (a.identity() == b.identity()) return true;
      const Sequence& x = a.as_sequence();
      const Sequence& y = b.as_sequence();
      if (!comparable(x.type, y.type) || x.items.size() != y.items.size()) return false;
      for (size_t i = 0; i < x.items.size(); ++i) {
        if (!equal(x.items[i], y.items[i], budget)) return false;
      }
      return true;
    }
    default: return a.identity() == b.identity();
  }
}

bool less(const Value& a, const Value& b, Budget& budget) {
  budget.charge(1);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == -1;
  if (a.is_text() && b.is_text()) return a.bytes() < b.bytes();
  if (a.is_sequence() && b.is_sequence() && a.as_sequence().type == b.as_sequence().type &&
      a.as_sequence().type <= SequenceType::kTuple) {
    const auto& x = a.as_sequence().items;
    const auto& y = b.as_sequence().items;
    for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (!equal(x[i], y[i], budget)) return less(x[i], y[i], budget);
    }
    return x.size() < y.size();
  }
  if (a.is_undefined()) fail(a.undefined_hint());
  if (b.is_undefined()) fail(b.undefined_hint());
  fail("'<' is not supported between '" + std::string(type_name(a)) + "' and '" +
       std::string(type_name(b)) + "'");
}

bool contains(const Value& haystack, const Value& needle, Budget& budget) {
  if (haystack.is_text()) {
    if (!needle.is_text()) {
      fail("'in <string>' needs a string on its left, not " + std::string(type_name(needle)));
    }
    budget.charge(static_cast<int64_t>(haystack.bytes().size() / 64));
    return haystack.bytes().find(needle.bytes()) != std::string::npos;
  }
  if (haystack.is_dict()) {
    if (needle.is_dict() || needle.is_sequence(SequenceType::kList)) {
      fail("unhashable type: '" + std::string(type_name(needle)) + "'");
    }
    return haystack.as_dict().find(needle, budget) != nullptr;
  }
  for (const Value& item : iterate(haystack, budget)) {
    if (equal(item, needle, budget)) return true;
  }
  return false;
}

std::vector<Value> iterate(const Value& value, Budget& budget) {
  std::vector<Value> result;
  switch (value.kind()) {
    case Kind::kUndefined: break;
    case Kind::kText: {
      const Text& text = value.as_text();
      for (size_t at = 0; at < text.bytes.size();) {
        budget.charge(1);
        const size_t end = at + decode(text.bytes, at).size;
        Text one = text.slice(at, end);
        one.markup = false;
        result.push_back(Value::text(std::move(one)));
        at = end;
      }
      break;
    }
    case Kind::kSequence: {
      Sequence& sequence = value.as_sequence();
      budget.charge(static_cast<int64_t>(sequence.items.size()));
      if (sequence.type == SequenceType::kIterator) {
        result.swap(sequence.items);
      } else {
        result = sequence.items;
      }
      break;
    }
    case Kind::kDict:
      budget.charge(static_cast<int64_t>(value.as_dict().items.size()));
      for (const auto& item : value.as_dict().items) result.push_back(item.first);
      break;
    default: fail("'" + std::string(type_name(value)) + "' object is not iterable");
  }
  return result;
}

namespace {
void check_hashable(const Value& key) {
  if (key.is_dict() || key.is_sequence(SequenceType::kList)) {
    fail("unhashable type: '" + std::string(type_name(key)) + "'");
  }
  if (key.is_sequence(SequenceType::kTuple)) {
    for (const Value& item : key.as_sequence().items) check_hashable(item);
  }
}
}  // namespace

Value make_dict(std::vector<std::pair<Value, Value>> items, Budget& budget) {
  std::vector<std::pair<Value, Value>> unique;
  for (auto& [key, value] : items) {
    check_hashable(key);
    auto same = unique.begin();
    while (same != unique.end() && !equal(same->first, key, budget)) ++same;
    if (same != unique.end()) {
      same->second = std::move(value);
    } else {
      unique.emplace_back(std::move(key), std::move(value));
    }
  }
  return Value::dict(std::move(unique));
}

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string scientific(buffer, end);
  const size_t e = scientific.find('e');
  const int exponent = std::stoi(scientific.substr(e + 1));
  if (exponent < -4 || exponent >= 16) return scientific;
  const bool negative = scientific[0] == '-';
  std::string digits = scientific.substr(negative, e - negative);
  digits.erase(std::remove(digits.begin(), digits.end(), '.'), digits.end());
  std::string text;
  if (exponent < 0) {
    text = "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  } else {
    const auto whole = static_cast<size_t>(exponent) + 1;
    if (digits.size() < whole) digits.append(whole - digits.size(), '0');
    text = digits.substr(0, whole) + "." + (digits.size() > whole ? digits.substr(whole) : "0");
  }
  return (negative ? "-" : "") + text;
}

namespace {
void append_hex(std::string& out, uint32_t c) {
  static constexpr char kHex[] = "0123456789abcdef";
  const int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
  out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kHex[c >> shift & 15];
}

std::string quoted(std::string_view text) {
  const bool single = text.find('\'') != std::string_view::npos;
  const char quote = single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode(text, at);
    if (c.value == static_cast<uint8_t>(quote) || c.value == '\\') {
      out += '\\';
      out += static_cast<char>(c.value);
    } else if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\r') {
      out += "\\r";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (is_printable(c.value)) {
      out += text.substr(at, c.size);
    } else {
      append_hex(out, c.value);
    }
    at += c.size;
  }
  return out + quote;
}

// Writes reprs into one text whose origin is the mix of all that went in.
class Printer {
 public:
  explicit Printer(Budget& budget) : budget_(budget) {}

  void print(const Value& value) {
    budget_.charge(1);
    if (out_.size() > budget_.max_bytes) budget_.charge_text(out_.size());
    if (++depth_ > kMaxValueDepth) fail("a value is nested too deep to be printed");
    switch (value.kind()) {
      case Kind::kUndefined: out_ += "Undefined"; break;
      case Kind::kNone: out_ += "None"; break;
      case Kind::kBool: out_ += value.as_int() ? "True" : "False"; break;
      case Kind::kInt: out_ += std::to_string(value.as_int()); break;
      case Kind::kFloat: out_ += float_repr(value.as_double()); break;
      case Kind::kText: print_text(value.as_text()); break;
      case Kind::kSequence: print_sequence(value.as_sequence()); break;
      case Kind::kDict: print_dict(value.as_dict().items); break;
      case Kind::kNamespace: print_namespace(value.as_namespace()); break;
      case Kind::kLoop: {
        const Loop& loop = value.as_loop();
        const size_t count = loop.items == nullptr ? 0 : loop.items->size();
        out_ +=
            "<LoopContext " + std::to_string(loop.index + 1) + "/" + std::to_string(count) + ">";
        break;
      }
      default: out_ += "<" + std::string(type_name(value)) + ">";
    }
    --depth_;
  }
  Text take() { return Text(out_, origin_); }

 private:
  void print_text(const Text& text) {
    budget_.charge_text(text.bytes.size());
    origin_ = mix(origin_, text.origin());
    out_ += text.markup ? "Markup(" + quoted(text.bytes) + ")" : quoted(text.bytes);
  }
  void print_items(const std::vector<Value>& items) {
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ", ";
      print(items[i]);
    }
  }
  void print_sequence(const Sequence& sequence) {
    switch (sequence.type) {
      case SequenceType::kTuple:
        out_ += '(';
        print_items(sequence.items);
        out_ += sequence.items.size() == 1 ? ",)" : ")";
        break;
      case SequenceType::kRange:
        out_ += "range(" + std::to_string(sequence.start) + ", " + std::to_string(sequence.stop) +
                (sequence.step == 1 ? "" : ", " + std::to_string(sequence.step)) + ")";
        break;
      case SequenceType::kIterator: out_ += "<generator object>"; break;
      case SequenceType::kItems:
      case SequenceType::kKeys:
      case SequenceType::kValues:
        out_ += sequence.type == SequenceType::kItems  ? "dict_items(["
                : sequence.type == SequenceType::kKeys ? "dict_keys(["
                                                       : "dict_values([";
        print_items(sequence.items);
        out_ += "])";
        break;
      case SequenceType::kList:
        out_ += '[';
        print_items(sequence.items);
        out_ += ']';
    }
  }
  void print_dict(const std::vector<std::pair<Value, Value>>& items) {
    out_ += '{';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ", ";
      print(items[i].first);
      out_ += ": ";
      print(items[i].second);
    }
    out_ += '}';
  }
  void print_namespace(const Namespace& space) {
    out_ += "<Namespace {";
    for (size_t i = 0; i < space.items.size(); ++i) {
      out_ += (i > 0 ? ", " : "") + quoted(space.items[i].first) + ": ";
      print(space.items[i].second);
    }
    out_ += "}>";
  }

  Budget& budget_;
  std::string out_;
  Origin origin_ = kFromTemplate;
  int depth_ = 0;
};
}  // namespace

Text repr(const Value& value, Budget& budget) {
  Printer printer(budget);
  printer.print(value);
  return printer.take();
}

Text to_text(const Value& value, Budget& budget) {
  if (value.is_text()) {
    budget.charge_text(value.bytes().size());
    return value.as_text();
  }
  if (value.is_undefined()) return {};
  return repr(value, budget);
}

}  // namespace hone::llm::jinja
