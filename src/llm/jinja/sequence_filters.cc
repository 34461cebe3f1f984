// The filters that walk over a sequence or a dict.

#include <algorithm>

#include "llm/jinja/builtins.h"
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
    const bool number = !part.empty() && part.size() < 10 &&
                        part.find_first_not_of("0123456789") == std::string::npos;
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
std::vector<std::pair<Value, Value>> keyed_items(Interpreter& in, Self self, const Value& paths,
                                                 bool case_sensitive) {
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : iterate(self, in.budget())) {
    Value key;
    if (paths.is_text() && paths.bytes().find(',') != std::string::npos) {
      std::vector<Value> parts;
      const std::string& text = paths.bytes();
      for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find(',', begin), text.size());
        parts.push_back(
            key_of(in, item, Value::text(text.substr(begin, end - begin)), case_sensitive));
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
  if (!self.is_dict())
    fail("'" + std::string(type_name(self)) + "' object has no attribute 'items'");
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
    Value grouper =
        case_sensitive ? keyed[begin].first : attribute_path(in, keyed[begin].second, bound[0]);
    if (grouper.is_undefined() && bound.has(1)) grouper = bound[1];
    groups.push_back(
        Value::sequence(SequenceType::kTuple, {grouper, Value::list(std::move(members))}));
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
    if ((test == nullptr ? truthy(value) : test(in, value, rest)) == kWanted)
      result.push_back(item);
  }
  return iterator(std::move(result));
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
constexpr FilterEntry kFilters[] = {
    {"list", f_list},
    {"items", f_items},
    {"first", f_first},
    {"last", f_last},
    {"reverse", f_reverse},
    {"join", f_join},
    {"sort", f_sort},
    {"dictsort", f_dictsort},
    {"unique", f_unique},
    {"min", f_extreme<false>},
    {"max", f_extreme<true>},
    {"groupby", f_groupby},
    {"sum", f_sum},
    {"map", f_map},
    {"select", f_select<true, false>},
    {"reject", f_select<false, false>},
    {"selectattr", f_select<true, true>},
    {"rejectattr", f_select<false, true>},
    {"batch", f_batch},
    {"slice", f_slice},
};

}  // namespace

std::span<const FilterEntry> sequence_filters() { return kFilters; }

}  // namespace hone::llm::jinja
