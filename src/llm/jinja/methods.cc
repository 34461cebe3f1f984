// Methods of texts, lists, tuples, dicts, loops and cyclers, bound to their value.

#include <algorithm>
#include <array>

#include "llm/jinja/builtins.h"
#include "llm/jinja/interpreter.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::jinja {
namespace {

using Method = Value (*)(Interpreter&, const Value& self, const Arguments&);
struct Entry {
  std::string_view name;
  Method method;
};

const Text& text_argument(const Value& value, std::string_view function) {
  if (!value.is_text()) {
    fail(std::string(function) + "() needs a str, not " + std::string(type_name(value)));
  }
  return value.as_text();
}
int64_t int_argument(const Value& value, std::string_view function) {
  if (!value.is_int()) {
    fail(std::string(function) + "() needs an int, not " + std::string(type_name(value)));
  }
  return value.as_int();
}

Value split_space(const Text& text, int64_t limit, bool from_right, Budget& budget) {
  const std::string& bytes = text.bytes;
  std::vector<std::pair<size_t, size_t>> words;
  for (size_t at = 0; at < bytes.size();) {
    const CodePoint c = decode(bytes, at);
    if (is_space(c.value)) {
      at += c.size;
      continue;
    }
    const size_t begin = at;
    while (at < bytes.size() && !is_space(decode(bytes, at).value)) at += decode(bytes, at).size;
    words.emplace_back(begin, at);
  }
  const auto keep = limit < 0 ? words.size() : static_cast<size_t>(limit);
  if (words.size() > keep) {
    // The words beyond the limit stay one piece with the space on their outer side.
    const size_t joined = words.size() - keep;
    if (from_right) {
      words[joined - 1].first = 0;
      words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(joined) - 1);
    } else {
      words.resize(keep + 1);
      words.back().second = bytes.size();
    }
  }
  std::vector<Value> items;
  budget.charge_text(bytes.size());
  for (const auto& [begin, end] : words) {
    budget.charge(1);
    items.push_back(Value::text(text.slice(begin, end)));
  }
  return Value::list(std::move(items));
}

Value split(Interpreter& interpreter, const Value& self, const Arguments& arguments,
            bool from_right) {
  const auto bound = arguments.bind("split", {"sep", "maxsplit"});
  const Text& text = self.as_text();
  Budget& budget = interpreter.budget();
  const int64_t limit = bound.has(1) ? int_argument(bound[1], "split") : -1;
  if (!bound.has(0) || bound[0].is_none()) return split_space(text, limit, from_right, budget);
  const std::string& separator = text_argument(bound[0], "split").bytes;
  if (separator.empty()) fail("empty separator");
  std::vector<Value> items;
  budget.charge_text(text.bytes.size());
  const auto add = [&](size_t begin, size_t end) {
    budget.charge(1);
    items.push_back(Value::text(text.slice(begin, end)));
  };
  int64_t left = limit;
  if (from_right) {
    size_t end = text.bytes.size();
    for (size_t found;
         left != 0 && end >= separator.size() &&
         (found = text.bytes.rfind(separator, end - separator.size())) != std::string::npos;
         --left) {
      add(found + separator.size(), end);
      end = found;
    }
    add(0, end);
    std::reverse(items.begin(), items.end());
  } else {
    size_t begin = 0;
    for (size_t found;
         left != 0 && (found = text.bytes.find(separator, begin)) != std::string::npos; --left) {
      add(begin, found);
      begin = found + separator.size();
    }
    add(begin, text.bytes.size());
  }
  return Value::list(std::move(items));
}

Value splitlines(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("splitlines", {"keepends"});
  const Text& text = self.as_text();
  std::vector<Value> lines;
  interpreter.budget().charge_text(text.bytes.size());
  for (size_t begin = 0; begin < text.bytes.size();) {
    size_t end = begin, next = begin;
    while (end < text.bytes.size()) {
      const CodePoint c = decode(text.bytes, end);
      next = end + c.size;
      const bool breaks = (c.value >= 10 && c.value <= 13) || (c.value >= 28 && c.value <= 30) ||
                          c.value == 0x85 || c.value == 0x2028 || c.value == 0x2029;
      if (breaks) {
        if (c.value == '\r' && next < text.bytes.size() && text.bytes[next] == '\n') ++next;
        break;
      }
      end = next;
    }
    interpreter.budget().charge(1);
    lines.push_back(Value::text(text.slice(begin, bound.has(0) && truthy(bound[0]) ? next : end)));
    begin = next;
  }
  return Value::list(std::move(lines));
}

template <bool kLeft, bool kRight>
Value strip(Interpreter&, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("strip", {"chars"});
  if (bound.has(0) && bound[0].is_undefined()) fail("strip arg must be None or str");
  return Value::text(strip_text(self.as_text(), bound[0], kLeft, kRight));
}

// The bytes between two optional indices in code points, and where they begin.
std::pair<std::string_view, size_t> window(const Value& self, const Arguments::Bound& bound) {
  const std::string_view bytes = self.bytes();
  const auto size = static_cast<int64_t>(length(bytes));
  const auto index = [&](size_t i, int64_t absent) {
    if (!bound.has(i) || bound[i].is_none()) return absent;
    const int64_t at = int_argument(bound[i], "find");
    return at < 0 ? std::max<int64_t>(at + size, 0) : at;
  };
  const int64_t begin = index(1, 0), end = std::min(index(2, size), size);
  if (begin > end) return {{}, std::string_view::npos};
  const size_t from = byte_offset(bytes, static_cast<size_t>(begin));
  return {bytes.substr(from, byte_offset(bytes, static_cast<size_t>(end)) - from), from};
}

template <bool kStart>
Value starts_or_ends(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const std::string_view name = kStart ? "startswith" : "endswith";
  const auto bound = arguments.bind(name, {"prefix", "start", "end"}, 1);
  std::vector<Value> options = {bound[0]};
  if (bound[0].is_sequence(SequenceType::kTuple)) options = iterate(bound[0], interpreter.budget());
  const auto [text, from] = window(self, bound);
  for (const Value& option : options) {
    const std::string& bytes = text_argument(option, name).bytes;
    if (from == std::string_view::npos) continue;
    if (kStart ? text.starts_with(bytes) : text.ends_with(bytes)) return Value::boolean(true);
  }
  return Value::boolean(false);
}

template <bool kFromRight, bool kFails>
Value find(Interpreter&, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("find", {"sub", "start", "end"}, 1);
  const std::string& needle = text_argument(bound[0], "find").bytes;
  const auto [text, from] = window(self, bound);
  size_t found = std::string_view::npos;
  if (from != std::string_view::npos) found = kFromRight ? text.rfind(needle) : text.find(needle);
  if (found == std::string_view::npos) {
    if (kFails) fail("substring not found");
    return Value::integer(-1);
  }
  return Value::integer(static_cast<int64_t>(length(self.bytes().substr(0, from + found))));
}

Value count_text(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("count", {"sub", "start", "end"}, 1);
  const std::string& needle = text_argument(bound[0], "count").bytes;
  const auto [text, from] = window(self, bound);
  interpreter.budget().charge_text(text.size());
  if (from == std::string_view::npos) return Value::integer(0);
  if (needle.empty()) return Value::integer(static_cast<int64_t>(length(text)) + 1);
  int64_t count = 0;
  for (size_t at = text.find(needle); at != std::string_view::npos;
       at = text.find(needle, at + needle.size())) {
    ++count;
  }
  return Value::integer(count);
}

Value replace(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("replace", {"old", "new", "count"}, 2);
  const int64_t count = bound.has(2) ? int_argument(bound[2], "replace") : -1;
  return Value::text(replace_text(self.as_text(), text_argument(bound[0], "replace"),
                                  text_argument(bound[1], "replace"), count, interpreter.budget()));
}

Value join(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("join", {"iterable"}, 1);
  Text result;
  bool first = true;
  if (bound[0].is_undefined()) return Value::text("");
  for (const Value& item : iterate(bound[0], interpreter.budget())) {
    if (!item.is_text())
      fail("join(): expected str instance, " + std::string(type_name(item)) + " found");
    if (!first) result.append(self.as_text());
    first = false;
    result.append(item.as_text());
    if (result.bytes.size() > interpreter.budget().max_bytes)
      interpreter.budget().charge_text(result.bytes.size());
  }
  interpreter.budget().charge_text(result.bytes.size());
  return Value::text(std::move(result));
}

template <bool kPrefix>
Value remove_affix(Interpreter&, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("removeprefix", {"affix"}, 1);
  const std::string& affix = text_argument(bound[0], "removeprefix").bytes;
  const Text& text = self.as_text();
  const size_t size = text.bytes.size();
  if (kPrefix && text.bytes.starts_with(affix)) return Value::text(text.slice(affix.size(), size));
  if (!kPrefix && text.bytes.ends_with(affix))
    return Value::text(text.slice(0, size - affix.size()));
  return self;
}

template <bool kFromRight>
Value partition(Interpreter&, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("partition", {"sep"}, 1);
  const Text& separator = text_argument(bound[0], "partition");
  if (separator.bytes.empty()) fail("empty separator");
  const Text& text = self.as_text();
  const size_t found =
      kFromRight ? text.bytes.rfind(separator.bytes) : text.bytes.find(separator.bytes);
  std::vector<Value> parts = {self, Value::text(""), Value::text("")};
  if (found == std::string::npos) {
    if (kFromRight) std::swap(parts[0], parts[2]);
  } else {
    parts = {Value::text(text.slice(0, found)), bound[0],
             Value::text(text.slice(found + separator.bytes.size(), text.bytes.size()))};
  }
  return Value::sequence(SequenceType::kTuple, std::move(parts));
}

enum class Side { kLeft, kRight, kBoth };
template <Side kSide>
Value justify(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("center", {"width", "fillchar"}, 1);
  const int64_t width = int_argument(bound[0], "center");
  const Text fill = bound.has(1) ? text_argument(bound[1], "center") : Text(" ", kFromTemplate);
  if (length(fill.bytes) != 1) fail("The fill character must be exactly one character long");
  const auto size = static_cast<int64_t>(length(self.bytes()));
  if (width <= size) return self;
  if (width > static_cast<int64_t>(interpreter.budget().max_bytes))
    fail("a padded text is too long");
  interpreter.budget().charge(width / 16);
  const int64_t space = width - size;
  const int64_t left = kSide == Side::kLeft    ? 0
                       : kSide == Side::kRight ? space
                                               : space / 2 + (space & width & 1);
  Text result;
  for (int64_t i = 0; i < left; ++i) result.append(fill);
  result.append(self.as_text());
  for (int64_t i = left; i < space; ++i) result.append(fill);
  return Value::text(std::move(result));
}

Value zfill(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("zfill", {"width"}, 1);
  const int64_t width = int_argument(bound[0], "zfill");
  const auto size = static_cast<int64_t>(length(self.bytes()));
  if (width <= size) return self;
  if (width > static_cast<int64_t>(interpreter.budget().max_bytes))
    fail("a padded text is too long");
  const Text& text = self.as_text();
  const size_t sign = !text.bytes.empty() && (text.bytes[0] == '-' || text.bytes[0] == '+');
  Text result = text.slice(0, sign);
  result.append(std::string(static_cast<size_t>(width - size), '0'), kFromTemplate);
  result.append_slice(text, sign, text.bytes.size());
  return Value::text(std::move(result));
}

template <bool (*kPredicate)(uint32_t)>
Value all_are(Interpreter&, const Value& self, const Arguments& arguments) {
  arguments.bind("is...", {});
  const std::string& text = self.bytes();
  for (size_t at = 0; at < text.size(); at += decode(text, at).size) {
    if (!kPredicate(decode(text, at).value)) return Value::boolean(false);
  }
  return Value::boolean(!text.empty());
}
bool is_alnum(uint32_t c) { return is_alpha(c) || is_digit(c); }

// isupper and islower: at least one cased character and none of the other case.
template <bool kUpper>
Value has_case(Interpreter&, const Value& self, const Arguments& arguments) {
  arguments.bind("isupper", {});
  bool some = false;
  const std::string& text = self.bytes();
  for (size_t at = 0; at < text.size(); at += decode(text, at).size) {
    const uint32_t c = decode(text, at).value;
    if (kUpper ? is_lower(c) : is_upper(c)) return Value::boolean(false);
    some |= kUpper ? is_upper(c) : is_lower(c);
  }
  return Value::boolean(some);
}

Value isascii(Interpreter&, const Value& self, const Arguments&) {
  return Value::boolean(is_ascii(self.bytes()));
}

#define HONE_CASE_METHOD(name)                                                  \
  Value name(Interpreter& interpreter, const Value& self, const Arguments& a) { \
    a.bind(#name, {});                                                          \
    interpreter.budget().charge_text(self.bytes().size());                      \
    return Value::text(map_case(self.as_text(), #name));                        \
  }
HONE_CASE_METHOD(upper)
HONE_CASE_METHOD(lower)
HONE_CASE_METHOD(title)
HONE_CASE_METHOD(capitalize)
HONE_CASE_METHOD(swapcase)
#undef HONE_CASE_METHOD

Value split_left(Interpreter& i, const Value& self, const Arguments& a) {
  return split(i, self, a, false);
}
Value split_right(Interpreter& i, const Value& self, const Arguments& a) {
  return split(i, self, a, true);
}
Value refuse_format(Interpreter&, const Value&, const Arguments&) {
  fail("str.format is not supported; use the % operator or ~");
}

constexpr Entry kTextMethods[] = {
    {"split", split_left},
    {"rsplit", split_right},
    {"splitlines", splitlines},
    {"strip", strip<true, true>},
    {"lstrip", strip<true, false>},
    {"rstrip", strip<false, true>},
    {"startswith", starts_or_ends<true>},
    {"endswith", starts_or_ends<false>},
    {"find", find<false, false>},
    {"rfind", find<true, false>},
    {"index", find<false, true>},
    {"rindex", find<true, true>},
    {"count", count_text},
    {"replace", replace},
    {"join", join},
    {"removeprefix", remove_affix<true>},
    {"removesuffix", remove_affix<false>},
    {"partition", partition<false>},
    {"rpartition", partition<true>},
    {"center", justify<Side::kBoth>},
    {"ljust", justify<Side::kLeft>},
    {"rjust", justify<Side::kRight>},
    {"zfill", zfill},
    {"upper", upper},
    {"lower", lower},
    {"title", title},
    {"capitalize", capitalize},
    {"swapcase", swapcase},
    {"casefold", lower},
    {"isspace", all_are<is_space>},
    {"isalpha", all_are<is_alpha>},
    {"isdigit", all_are<is_digit>},
    {"isdecimal", all_are<is_digit>},
    {"isnumeric", all_are<is_digit>},
    {"isalnum", all_are<is_alnum>},
    {"isprintable", all_are<is_printable>},
    {"isupper", has_case<true>},
    {"islower", has_case<false>},
    {"isascii", isascii},
    {"format", refuse_format},
    {"format_map", refuse_format},
};

std::vector<Value> dict_parts(const Value& self, SequenceType type) {
  std::vector<Value> parts;
  for (const auto& [key, value] : self.as_dict().items) {
    if (type == SequenceType::kItems) {
      parts.push_back(Value::sequence(SequenceType::kTuple, {key, value}));
    } else {
      parts.push_back(type == SequenceType::kKeys ? key : value);
    }
  }
  return parts;
}
template <SequenceType kType>
Value dict_view(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  arguments.bind("items", {});
  interpreter.budget().charge(static_cast<int64_t>(self.as_dict().items.size()));
  return Value::sequence(kType, dict_parts(self, kType));
}
Value dict_get(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!arguments.named.empty()) fail("dict.get() takes no keyword arguments");
  const auto bound = arguments.bind("get", {"key", "default"}, 1);
  if (bound[0].is_dict() || bound[0].is_sequence(SequenceType::kList)) fail("unhashable type");
  const Value* found = self.as_dict().find(bound[0], interpreter.budget());
  if (found != nullptr) return *found;
  return bound.has(1) ? bound[1] : Value::none();
}
Value copy(Interpreter&, const Value& self, const Arguments& arguments) {
  arguments.bind("copy", {});
  return self;
}
constexpr Entry kDictMethods[] = {{"items", dict_view<SequenceType::kItems>},
                                  {"keys", dict_view<SequenceType::kKeys>},
                                  {"values", dict_view<SequenceType::kValues>},
                                  {"get", dict_get},
                                  {"copy", copy}};

Value list_count(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("count", {"value"}, 1);
  int64_t count = 0;
  for (const Value& item : self.as_sequence().items)
    count += equal(item, bound[0], interpreter.budget());
  return Value::integer(count);
}
Value list_index(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  const auto bound = arguments.bind("index", {"value"}, 1);
  const auto& items = self.as_sequence().items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (equal(items[i], bound[0], interpreter.budget()))
      return Value::integer(static_cast<int64_t>(i));
  }
  fail("the value is not in the list");
}
constexpr Entry kListMethods[] = {{"count", list_count}, {"index", list_index}, {"copy", copy}};

Value loop_cycle(Interpreter&, const Value& self, const Arguments& arguments) {
  if (arguments.positional.empty()) fail("no items for cycling given");
  return arguments.positional[self.as_loop().index % arguments.positional.size()];
}
Value loop_changed(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Loop& loop = self.as_loop();
  bool same = loop.has_changed_value && loop.changed_value.size() == arguments.positional.size();
  for (size_t i = 0; same && i < arguments.positional.size(); ++i) {
    same = equal(loop.changed_value[i], arguments.positional[i], interpreter.budget());
  }
  // After the loop nobody would empty it again.
  if (loop.items == nullptr) fail("loop.changed is called outside of its loop");
  loop.has_changed_value = true;
  loop.changed_value = arguments.positional;
  return Value::boolean(!same);
}
constexpr Entry kLoopMethods[] = {{"cycle", loop_cycle}, {"changed", loop_changed}};

Value cycler_next(Interpreter&, const Value& self, const Arguments&) {
  Cycler& cycler = self.as_cycler();
  const Value value = cycler.items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items.size();
  return value;
}
Value cycler_reset(Interpreter&, const Value& self, const Arguments&) {
  self.as_cycler().position = 0;
  return Value::none();
}
constexpr Entry kCyclerMethods[] = {{"next", cycler_next}, {"reset", cycler_reset}};

template <size_t kCount>
Value bind_method(const Entry (&entries)[kCount], const Value& self, std::string_view name) {
  for (const Entry& entry : entries) {
    if (entry.name != name) continue;
    const auto callable = std::make_shared<Callable>();
    callable->name = name;
    callable->depth = depth_around({self});
    callable->call = [self, method = entry.method](Interpreter& interpreter,
                                                   const Arguments& arguments) {
      return method(interpreter, self, arguments);
    };
    return Value::object(Kind::kCallable, callable);
  }
  return {};
}

template <size_t kCount>
Value refuse(const std::array<std::string_view, kCount>& names, const Value& self,
             std::string_view name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) return {};
  return Value::undefined("access to attribute '" + std::string(name) + "' of '" +
                          std::string(type_name(self)) +
                          "' object is unsafe: a template changes no data");
}

}  // namespace

Value find_method(const Value& self, std::string_view name) {
  static constexpr std::array<std::string_view, 8> kListMutators = {
      "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"};
  static constexpr std::array<std::string_view, 5> kDictMutators = {"clear", "pop", "popitem",
                                                                    "setdefault", "update"};
  switch (self.kind()) {
    case Kind::kText: return bind_method(kTextMethods, self, name);
    case Kind::kDict: {
      Value method = bind_method(kDictMethods, self, name);
      return method.is_undefined() ? refuse(kDictMutators, self, name) : method;
    }
    case Kind::kSequence: {
      if (self.as_sequence().type > SequenceType::kRange) return {};
      if (self.as_sequence().type != SequenceType::kList && name == "copy") return {};
      Value method = bind_method(kListMethods, self, name);
      const bool is_list = self.as_sequence().type == SequenceType::kList;
      return method.is_undefined() && is_list ? refuse(kListMutators, self, name) : method;
    }
    case Kind::kLoop: return bind_method(kLoopMethods, self, name);
    case Kind::kCycler: {
      const Cycler& cycler = self.as_cycler();
      if (cycler.joiner) return {};
      return name == "current" ? cycler.items[cycler.position]
                               : bind_method(kCyclerMethods, self, name);
    }
    default: return {};
  }
}

}  // namespace hone::llm::jinja
