// The filters.

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/json.h"
#include "llm/jinja/builtins.h"
#include "llm/jinja/from_json.h"
#include "llm/jinja/interpreter.h"
#include "llm/jinja/operators.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::jinja {
namespace {

using Args = const Arguments&;
using Self = const Value&;

Value iterator(std::vector<Value> items) {
  return Value::sequence(SequenceType::kIterator, std::move(items));
}
Text soft(Interpreter& in, Self value) { return to_text(value, in.budget()); }

Value f_tojson(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("tojson", {"ensure_ascii", "indent", "separators", "sort_keys"});
  Origin origin = kFromTemplate;
  const std::string text = to_json(self, bound.has(0) && truthy(bound[0]), bound[1], bound[2],
                                   bound.has(3) && truthy(bound[3]), origin, in.budget());
  return Value::text(text, origin);
}

Value f_from_json(Interpreter& in, Self self, Args args) {
  args.bind("from_json", {});
  if (!self.is_text()) fail("from_json needs a str, not " + std::string(type_name(self)));
  in.budget().charge_text(self.bytes().size());
  const Result<Json> json = Json::parse(self.bytes());
  if (!json) fail("from_json: " + json.error().message());
  return from_json(*json, self.as_text().origin(), in.budget());
}

Value f_length(Interpreter& in, Self self, Args args) {
  args.bind("length", {});
  size_t count = 0;
  if (self.is_text()) {
    in.budget().charge(static_cast<int64_t>(self.bytes().size() / 64));
    count = length(self.bytes());
  } else if (self.is_dict()) {
    count = self.as_dict().items.size();
  } else if (self.is_sequence() && !self.is_sequence(SequenceType::kIterator)) {
    count = self.as_sequence().items.size();
  } else if (self.kind() == Kind::kLoop) {
    count = self.as_loop().items == nullptr ? 0 : self.as_loop().items->size();
  } else if (!self.is_undefined()) {
    fail("object of type '" + std::string(type_name(self)) + "' has no len()");
  }
  return Value::integer(static_cast<int64_t>(count));
}

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
      starts = is_space(c.value) || (c.value < 0x80 && std::string_view("-({[<").find(static_cast<char>(c.value)) !=
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
  return Value::text(replace_text(text, soft(in, bound[0]), soft(in, bound[1]), count, in.budget()));
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

Value f_default(Interpreter&, Self self, Args args) {
  const auto bound = args.bind("default", {"default_value", "boolean"});
  const bool use = self.is_undefined() || (bound.has(1) && truthy(bound[1]) && !truthy(self));
  if (!use) return self;
  return bound.has(0) ? bound[0] : Value::text("");
}

Value f_list(Interpreter& in, Self self, Args args) {
  args.bind("list", {});
  return Value::list(iterate(self, in.budget()));
}
Value f_items(Interpreter& in, Self self, Args args) {
  args.bind("items", {});
  if (self.is_undefined()) return iterator({});
  if (!self.is_dict()) fail("Can only get item pairs from a mapping.");
  std::vector<Value> items;
  for (const auto& [key, value] : self.as_dict().items) {
    in.budget().charge(1);
    items.push_back(Value::sequence(SequenceType::kTuple, {key, value}));
  }
  return iterator(std::move(items));
}
Value f_first(Interpreter& in, Self self, Args args) {
  args.bind("first", {});
  if (self.is_text()) {
    if (self.bytes().empty()) return Value::undefined("No first item, sequence was empty.");
    return Value::text(self.as_text().slice(0, decode(self.bytes(), 0).size));
  }
  const auto items = iterate(self, in.budget());
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : items.front();
}
Value f_last(Interpreter& in, Self self, Args args) {
  args.bind("last", {});
  if (self.is_sequence(SequenceType::kIterator)) fail("'generator' object is not reversible");
  const auto items = iterate(self, in.budget());
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}
Value f_reverse(Interpreter& in, Self self, Args args) {
  args.bind("reverse", {});
  auto items = iterate(self, in.budget());
  std::reverse(items.begin(), items.end());
  if (!self.is_text()) return iterator(std::move(items));
  Text text;
  for (const Value& item : items) text.append(item.as_text());
  return Value::text(std::move(text));
}

// What `attribute=` names: "a.b.0" step by step; a number as an index.
Value attribute_path(Interpreter& in, Value value, const Value& path) {
  if (path.is_int()) return in.item(value, path);
  const std::string text = soft(in, path).bytes;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const bool number = !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string::npos;
    in.budget().charge(1);
    value = in.item(value, number ? Value::integer(std::stoll(part)) : Value::text(part));
    begin = end + 1;
  }
  return value;
}
Value fold(const Value& value) {
  return value.is_text() ? Value::text(map_case(value.as_text(), "lower")) : value;
}
// The key by which sort, unique, min, max and groupby compare.
Value key_of(Interpreter& in, const Value& item, const Value& path, bool case_sensitive) {
  const Value value = path.is_undefined() || path.is_none() ? item : attribute_path(in, item, path);
  return case_sensitive ? value : fold(value);
}

Value f_join(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("join", {"d", "attribute"});
  const Text separator = bound.has(0) ? soft(in, bound[0]) : Text();
  Text result;
  bool first = true;
  for (const Value& item : iterate(self, in.budget())) {
    if (!first) result.append(separator);
    first = false;
    const bool plain = !bound.has(1) || bound[1].is_none();
    result.append(soft(in, plain ? item : attribute_path(in, item, bound[1])));
    if (result.bytes.size() > in.budget().max_bytes) in.budget().charge_text(result.bytes.size());
  }
  in.budget().charge_text(result.bytes.size());
  return Value::text(std::move(result));
}

// Sorts stably. Errors of the comparison come out before std::sort could see a broken order.
void sort_by(std::vector<std::pair<Value, Value>>& keyed, bool reverse, Budget& budget) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? less(b.first, a.first, budget) : less(a.first, b.first, budget);
  });
}
std::vector<std::pair<Value, Value>> keyed_items(Interpreter& in, Self self, const Value& paths, bool case_sensitive) {
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : iterate(self, in.budget())) {
    Value key;
    if (paths.is_text() && paths.bytes().find(',') != std::string::npos) {
      std::vector<Value> parts;
      const std::string& text = paths.bytes();
      for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find(',', begin), text.size());
        parts.push_back(key_of(in, item, Value::text(text.substr(begin, end - begin)), case_sensitive));
        begin = end + 1;
      }
      key = Value::list(std::move(parts));
    } else {
      key = key_of(in, item, paths, case_sensitive);
    }
    keyed.emplace_back(key, item);
  }
  return keyed;
}
Value f_sort(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("sort", {"reverse", "case_sensitive", "attribute"});
  auto keyed = keyed_items(in, self, bound[2], bound.has(1) && truthy(bound[1]));
  sort_by(keyed, bound.has(0) && truthy(bound[0]), in.budget());
  std::vector<Value> items;
  for (auto& pair : keyed) items.push_back(std::move(pair.second));
  return Value::list(std::move(items));
}
Value f_dictsort(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("dictsort", {"case_sensitive", "by", "reverse"});
  const std::string by = bound.has(1) ? soft(in, bound[1]).bytes : "key";
  if (by != "key" && by != "value") fail("You can only sort by either \"key\" or \"value\"");
  if (self.is_undefined()) fail(self.undefined_hint());
  if (!self.is_dict()) fail("'" + std::string(type_name(self)) + "' object has no attribute 'items'");
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [key, value] : self.as_dict().items) {
    const Value& chosen = by == "key" ? key : value;
    keyed.emplace_back(bound.has(0) && truthy(bound[0]) ? chosen : fold(chosen),
                       Value::sequence(SequenceType::kTuple, {key, value}));
  }
  sort_by(keyed, bound.has(2) && truthy(bound[2]), in.budget());
  std::vector<Value> items;
  for (auto& pair : keyed) items.push_back(std::move(pair.second));
  return Value::list(std::move(items));
}
Value f_unique(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("unique", {"case_sensitive", "attribute"});
  std::vector<Value> keys, items;
  for (auto& [key, item] : keyed_items(in, self, bound[1], bound.has(0) && truthy(bound[0]))) {
    bool seen = false;
    for (const Value& known : keys) seen = seen || equal(known, key, in.budget());
    if (seen) continue;
    keys.push_back(key);
    items.push_back(item);
  }
  return iterator(std::move(items));
}
template <bool kMax>
Value f_extreme(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("min", {"case_sensitive", "attribute"});
  const auto keyed = keyed_items(in, self, bound[1], bound.has(0) && truthy(bound[0]));
  if (keyed.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  size_t best = 0;
  for (size_t i = 1; i < keyed.size(); ++i) {
    const auto& [a, b] = std::pair(keyed[i].first, keyed[best].first);
    if (kMax ? less(b, a, in.budget()) : less(a, b, in.budget())) best = i;
  }
  return keyed[best].second;
}
Value f_groupby(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("groupby", {"attribute", "default", "case_sensitive"}, 1);
  std::vector<std::pair<Value, Value>> keyed;
  const bool case_sensitive = bound.has(2) && truthy(bound[2]);
  for (const Value& item : iterate(self, in.budget())) {
    Value key = attribute_path(in, item, bound[0]);
    if (key.is_undefined() && bound.has(1)) key = bound[1];
    keyed.emplace_back(case_sensitive ? key : fold(key), item);
  }
  sort_by(keyed, false, in.budget());
  std::vector<Value> groups;
  for (size_t begin = 0; begin < keyed.size();) {
    std::vector<Value> members;
    size_t end = begin;
    for (; end < keyed.size() && equal(keyed[end].first, keyed[begin].first, in.budget()); ++end) {
      members.push_back(keyed[end].second);
    }
    Value grouper = case_sensitive ? keyed[begin].first : attribute_path(in, keyed[begin].second, bound[0]);
    if (grouper.is_undefined() && bound.has(1)) grouper = bound[1];
    groups.push_back(Value::sequence(SequenceType::kTuple, {grouper, Value::list(std::move(members))}));
    begin = std::max(end, begin + 1);
  }
  return Value::list(std::move(groups));
}
Value f_sum(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("sum", {"attribute", "start"});
  Value total = bound.has(1) ? bound[1] : Value::integer(0);
  if (total.is_text()) fail("sum() can't sum strings");
  for (const Value& item : iterate(self, in.budget())) {
    const bool plain = !bound.has(0) || bound[0].is_none();
    total = binary("+", total, plain ? item : attribute_path(in, item, bound[0]), in.budget());
  }
  return total;
}

Value f_map(Interpreter& in, Self self, Args args) {
  std::vector<Value> result;
  if (args.positional.empty()) {
    const auto bound = args.bind("map", {"attribute", "default"}, 1);
    for (const Value& item : iterate(self, in.budget())) {
      Value value = attribute_path(in, item, bound[0]);
      result.push_back(value.is_undefined() && bound.has(1) ? bound[1] : value);
    }
    return iterator(std::move(result));
  }
  const std::string name = soft(in, args.positional[0]).bytes;
  const FilterFunction filter = find_filter(name);
  const auto items = iterate(self, in.budget());
  if (filter == nullptr) fail("No filter named '" + name + "'.");
  Arguments rest = args;
  rest.positional.erase(rest.positional.begin());
  for (const Value& item : items) {
    in.budget().charge(1);
    result.push_back(filter(in, item, rest));
  }
  return iterator(std::move(result));
}

template <bool kWanted, bool kByAttribute>
Value f_select(Interpreter& in, Self self, Args args) {
  Arguments rest = args;
  Value path;
  if (kByAttribute) {
    if (rest.positional.empty()) fail("Missing parameter for attribute name");
    path = rest.positional[0];
    rest.positional.erase(rest.positional.begin());
  }
  TestFunction test = nullptr;
  if (!rest.positional.empty()) {
    const std::string name = soft(in, rest.positional[0]).bytes;
    test = find_test(name);
    if (test == nullptr) fail("No test named '" + name + "'.");
    rest.positional.erase(rest.positional.begin());
  }
  std::vector<Value> result;
  for (const Value& item : iterate(self, in.budget())) {
    in.budget().charge(1);
    const Value value = kByAttribute ? attribute_path(in, item, path) : item;
    if ((test == nullptr ? truthy(value) : test(in, value, rest)) == kWanted) result.push_back(item);
  }
  return iterator(std::move(result));
}

Value f_int(Interpreter&, Self self, Args args) {
  const auto bound = args.bind("int", {"default", "base"});
  const Value fallback = bound.has(0) ? bound[0] : Value::integer(0);
  const int64_t base = bound.has(1) && bound[1].is_int() ? bound[1].as_int() : 10;
  if (base != 0 && (base < 2 || base > 36)) return fallback;
  if (self.is_int()) return Value::integer(self.as_int());
  double real = self.is_float() ? self.as_double() : 0;
  bool ok = self.is_float();
  if (self.is_text()) {
    const int64_t value = parse_int(self.bytes(), static_cast<int>(base), ok);
    if (ok) return Value::integer(value);
    real = parse_float(self.bytes(), ok);
  }
  if (!ok || !(std::abs(real) < 9.2e18)) return fallback;
  return Value::integer(static_cast<int64_t>(real));
}
Value f_float(Interpreter&, Self self, Args args) {
  const auto bound = args.bind("float", {"default"});
  if (self.is_number()) return Value::real(self.as_double());
  bool ok = false;
  const double value = self.is_text() ? parse_float(self.bytes(), ok) : 0;
  if (ok) return Value::real(value);
  return bound.has(0) ? bound[0] : Value::real(0.0);
}
Value f_abs(Interpreter&, Self self, Args args) {
  args.bind("abs", {});
  if (self.is_float()) return Value::real(std::abs(self.as_double()));
  if (self.is_int()) return self.as_int() < 0 ? unary("-", self) : Value::integer(self.as_int());
  fail("bad operand type for abs(): '" + std::string(type_name(self)) + "'");
}
Value f_round(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("round", {"precision", "method"});
  const std::string method = bound.has(1) ? soft(in, bound[1]).bytes : "common";
  const int64_t precision = bound.has(0) && bound[0].is_int() ? bound[0].as_int() : 0;
  if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  if (!self.is_number()) fail("round needs a number, not " + std::string(type_name(self)));
  if (precision < 0 || precision > 300) fail("round: the precision must lie between 0 and 300");
  const double value = self.as_double();
  if (method != "common") {
    const double scale = std::pow(10.0, static_cast<double>(precision));
    return Value::real((method == "ceil" ? std::ceil(value * scale) : std::floor(value * scale)) / scale);
  }
  if (self.is_int()) return Value::integer(self.as_int());
  char buffer[700];
  std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(precision), value);
  bool ok = false;
  return Value::real(parse_float(buffer, ok));
}

Value f_indent(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("indent", {"width", "first", "blank"});
  if (bound.has(0) && !bound[0].is_int() && !bound[0].is_text()) fail("indent: width must be an int or a str");
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
  const auto number = [&](size_t i, int64_t absent) { return bound.has(i) && bound[i].is_int() ? bound[i].as_int() : absent; };
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

int64_t group_size(const Value& value, std::string_view filter) {
  if (!value.is_int() || value.as_int() < 1 || value.as_int() > 100000) {
    fail(std::string(filter) + ": the size must be an int between 1 and 100000");
  }
  return value.as_int();
}
Value f_batch(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("batch", {"linecount", "fill_with"}, 1);
  const auto size = static_cast<size_t>(group_size(bound[0], "batch"));
  std::vector<Value> batches, current;
  for (const Value& item : iterate(self, in.budget())) {
    current.push_back(item);
    if (current.size() == size) {
      batches.push_back(Value::list(std::move(current)));
      current.clear();
    }
  }
  if (!current.empty()) {
    if (bound.has(1) && !bound[1].is_none()) {
      in.budget().charge(static_cast<int64_t>(size));
      current.resize(size, bound[1]);
    }
    batches.push_back(Value::list(std::move(current)));
  }
  return iterator(std::move(batches));
}
Value f_slice(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("slice", {"slices", "fill_with"}, 1);
  const auto count = static_cast<size_t>(group_size(bound[0], "slice"));
  in.budget().charge(static_cast<int64_t>(count));
  const auto items = iterate(self, in.budget());
  const size_t base = items.size() / count, extra = items.size() % count;
  std::vector<Value> slices;
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t size = base + (i < extra);
    std::vector<Value> slice(items.begin() + static_cast<std::ptrdiff_t>(at),
                             items.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size;
    if (bound.has(1) && !bound[1].is_none() && i >= extra) slice.push_back(bound[1]);
    slices.push_back(Value::list(std::move(slice)));
  }
  return iterator(std::move(slices));
}
Value f_attr(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("attr", {"name"}, 1);
  const std::string name = soft(in, bound[0]).bytes;
  if (self.is_dict()) {
    const Value method = find_method(self, name);
    return method.is_undefined() ? Value::undefined("'dict object' has no attribute '" + name + "'") : method;
  }
  return in.attribute(self, name);
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
                       std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && keep_slash);
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
  if (self.is_dict()) pairs = f_items(in, self, {});
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

template <char kName>
Value f_refused(Interpreter&, Self, Args) {
  constexpr std::string_view kNames[] = {"random", "pprint", "xmlattr", "urlize", "striptags", "wordwrap", "filesizeformat"};
  fail("the filter '" + std::string(kNames[static_cast<size_t>(kName)]) + "' is not supported in a chat template");
}

struct Entry {
  std::string_view name;
  FilterFunction filter;
};
constexpr Entry kFilters[] = {
    {"tojson", f_tojson}, {"from_json", f_from_json}, {"length", f_length}, {"count", f_length},
    {"trim", f_trim}, {"string", f_string}, {"upper", f_upper}, {"lower", f_lower},
    {"capitalize", f_capitalize}, {"title", f_title}, {"replace", f_replace}, {"escape", f_escape},
    {"e", f_escape}, {"forceescape", f_forceescape}, {"safe", f_safe}, {"default", f_default},
    {"d", f_default}, {"list", f_list}, {"items", f_items}, {"first", f_first}, {"last", f_last},
    {"reverse", f_reverse}, {"join", f_join}, {"sort", f_sort}, {"dictsort", f_dictsort},
    {"unique", f_unique}, {"min", f_extreme<false>}, {"max", f_extreme<true>}, {"groupby", f_groupby},
    {"sum", f_sum}, {"map", f_map}, {"select", f_select<true, false>}, {"reject", f_select<false, false>},
    {"selectattr", f_select<true, true>}, {"rejectattr", f_select<false, true>}, {"int", f_int},
    {"float", f_float}, {"abs", f_abs}, {"round", f_round}, {"indent", f_indent},
    {"truncate", f_truncate}, {"wordcount", f_wordcount}, {"center", f_center}, {"batch", f_batch},
    {"slice", f_slice}, {"attr", f_attr}, {"format", f_format}, {"urlencode", f_urlencode},
    {"random", f_refused<0>}, {"pprint", f_refused<1>}, {"xmlattr", f_refused<2>},
    {"urlize", f_refused<3>}, {"striptags", f_refused<4>}, {"wordwrap", f_refused<5>},
    {"filesizeformat", f_refused<6>},
};

}  // namespace

FilterFunction find_filter(std::string_view name) {
  for (const Entry& entry : kFilters) {
    if (entry.name == name) return entry.filter;
  }
  return nullptr;
}

}  // namespace hone::llm::jinja
