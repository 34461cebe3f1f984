// The tests (`is ...`), the global functions and what strftime_now needs.

#include <array>
#include <cstdio>

#include "base/json.h"
#include "llm/jinja/builtins.h"
#include "llm/jinja/from_json.h"
#include "llm/jinja/interpreter.h"
#include "llm/jinja/operators.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::jinja {

Value from_json(const Json& json, Origin origin, Budget& budget) {
  budget.charge(1);
  if (json.is_bool()) return Value::boolean(json.as_bool());
  if (json.is_integer()) return Value::integer(json.as_int());
  if (json.is_number()) return Value::real(json.as_double());
  if (json.is_string()) {
    budget.charge_text(json.as_string().size());
    return Value::text(json.as_string(), origin);
  }
  if (json.is_array()) {
    std::vector<Value> items;
    items.reserve(json.size());
    for (const Json& item : json.as_array()) items.push_back(from_json(item, origin, budget));
    return Value::list(std::move(items));
  }
  if (json.is_object()) {
    std::vector<std::pair<Value, Value>> items;
    items.reserve(json.size());
    for (const auto& [key, value] : json.as_object()) {
      items.emplace_back(Value::text(key, origin), from_json(value, origin, budget));
    }
    return Value::dict(std::move(items));
  }
  return Value::none();
}

namespace {

using Args = const Arguments&;
using Self = const Value&;

template <bool (*kCheck)(Self)>
bool plain(Interpreter&, Self self, Args args) {
  args.bind("the test", {});
  return kCheck(self);
}
bool is_defined(Self v) { return !v.is_undefined(); }
bool is_undefined(Self v) { return v.is_undefined(); }
bool is_none(Self v) { return v.is_none(); }
bool is_boolean(Self v) { return v.is_bool(); }
bool is_true(Self v) { return v.is_bool() && v.as_int() != 0; }
bool is_false(Self v) { return v.is_bool() && v.as_int() == 0; }
bool is_integer(Self v) { return v.kind() == Kind::kInt; }
bool is_float(Self v) { return v.is_float(); }
bool is_number(Self v) { return v.is_number(); }
bool is_string(Self v) { return v.is_text(); }
bool is_mapping(Self v) { return v.is_dict(); }
bool is_iterable(Self v) {
  return v.is_text() || v.is_sequence() || v.is_dict() || v.is_undefined() ||
         v.kind() == Kind::kLoop;
}
bool is_sequence(Self v) {
  return v.is_text() || v.is_dict() || v.is_undefined() ||
         (v.is_sequence() && v.as_sequence().type <= SequenceType::kRange);
}
bool is_callable(Self v) {
  return v.kind() == Kind::kCallable || v.kind() == Kind::kLoop || v.is_undefined() ||
         (v.kind() == Kind::kCycler && v.as_cycler().joiner);
}
bool is_escaped(Self v) { return v.is_text() && v.as_text().markup; }

bool is_lower_case(Interpreter& in, Self v, Args) {
  return truthy(in.call(find_method(Value::text(to_text(v, in.budget())), "islower"), {}));
}
bool is_upper_case(Interpreter& in, Self v, Args) {
  return truthy(in.call(find_method(Value::text(to_text(v, in.budget())), "isupper"), {}));
}
bool remainder_is(Interpreter& in, Self v, const Value& by, int64_t wanted) {
  return equal(binary("%", v, by, in.budget()), Value::integer(wanted), in.budget());
}
bool is_odd(Interpreter& in, Self v, Args) { return remainder_is(in, v, Value::integer(2), 1); }
bool is_even(Interpreter& in, Self v, Args) { return remainder_is(in, v, Value::integer(2), 0); }
bool is_divisible(Interpreter& in, Self v, Args args) {
  const auto bound = args.bind("divisibleby", {"num"}, 1);
  return remainder_is(in, v, bound[0], 0);
}
bool is_same(Interpreter& in, Self v, Args args) {
  const auto bound = args.bind("sameas", {"other"}, 1);
  if (v.kind() != bound[0].kind()) return false;
  if (v.is_number() || v.is_none()) return equal(v, bound[0], in.budget());
  return v.identity() == bound[0].identity();
}
bool is_in(Interpreter& in, Self v, Args args) {
  return contains(args.bind("in", {"seq"}, 1)[0], v, in.budget());
}
bool is_filter(Interpreter& in, Self v, Args) {
  return find_filter(to_text(v, in.budget()).bytes) != nullptr;
}
bool is_test(Interpreter& in, Self v, Args) {
  return find_test(to_text(v, in.budget()).bytes) != nullptr;
}

enum Comparison { kEq, kNe, kLt, kLe, kGt, kGe };
template <Comparison kOp>
bool compares(Interpreter& in, Self v, Args args) {
  constexpr std::string_view kNames[] = {"==", "!=", "<", "<=", ">", ">="};
  return compare(kNames[kOp], v, args.bind("the comparison", {"other"}, 1)[0], in.budget());
}

struct TestEntry {
  std::string_view name;
  TestFunction test;
};
constexpr TestEntry kTests[] = {
    {"defined", plain<is_defined>},
    {"undefined", plain<is_undefined>},
    {"none", plain<is_none>},
    {"boolean", plain<is_boolean>},
    {"true", plain<is_true>},
    {"false", plain<is_false>},
    {"integer", plain<is_integer>},
    {"float", plain<is_float>},
    {"number", plain<is_number>},
    {"string", plain<is_string>},
    {"mapping", plain<is_mapping>},
    {"iterable", plain<is_iterable>},
    {"sequence", plain<is_sequence>},
    {"callable", plain<is_callable>},
    {"escaped", plain<is_escaped>},
    {"lower", is_lower_case},
    {"upper", is_upper_case},
    {"odd", is_odd},
    {"even", is_even},
    {"divisibleby", is_divisible},
    {"sameas", is_same},
    {"in", is_in},
    {"filter", is_filter},
    {"test", is_test},
    {"==", compares<kEq>},
    {"eq", compares<kEq>},
    {"equalto", compares<kEq>},
    {"!=", compares<kNe>},
    {"ne", compares<kNe>},
    {"<", compares<kLt>},
    {"lt", compares<kLt>},
    {"lessthan", compares<kLt>},
    {"<=", compares<kLe>},
    {"le", compares<kLe>},
    {">", compares<kGt>},
    {"gt", compares<kGt>},
    {"greaterthan", compares<kGt>},
    {">=", compares<kGe>},
    {"ge", compares<kGe>},
};

Value g_range(Interpreter& in, Args args) {
  for (const Value& value : args.positional) {
    if (!value.is_int())
      fail("'" + std::string(type_name(value)) + "' object cannot be interpreted as an integer");
  }
  const size_t count = args.positional.size();
  if (count < 1 || count > 3 || !args.named.empty()) fail("range() takes one to three integers");
  Sequence range;
  range.type = SequenceType::kRange;
  range.start = count == 1 ? 0 : args.positional[0].as_int();
  range.stop = args.positional[count == 1 ? 0 : 1].as_int();
  range.step = count == 3 ? args.positional[2].as_int() : 1;
  if (range.step == 0) fail("range() arg 3 must not be zero");
  for (int64_t i = range.start; range.step > 0 ? i < range.stop : i > range.stop;) {
    if (range.items.size() >= 100000)
      fail("Range too big. The sandbox blocks ranges larger than 100000.");
    in.budget().charge(1);
    range.items.push_back(Value::integer(i));
    if (__builtin_add_overflow(i, range.step, &i)) break;
  }
  range.depth = 1;
  return Value::object(Kind::kSequence, std::make_shared<Sequence>(std::move(range)));
}

std::vector<std::pair<Value, Value>> dict_items(Interpreter& in, Args args) {
  std::vector<std::pair<Value, Value>> items;
  if (args.positional.size() > 1) fail("dict expected at most 1 argument");
  if (!args.positional.empty()) {
    const Value& from = args.positional[0];
    if (from.is_dict()) {
      items = from.as_dict().items;
    } else {
      for (const Value& pair : iterate(from, in.budget())) {
        const auto parts = iterate(pair, in.budget());
        if (parts.size() != 2) fail("dict: expected pairs");
        items.emplace_back(parts[0], parts[1]);
      }
    }
  }
  for (const auto& [key, value] : args.named) items.emplace_back(Value::text(key), value);
  return items;
}
Value g_dict(Interpreter& in, Args args) { return make_dict(dict_items(in, args), in.budget()); }
Value g_namespace(Interpreter& in, Args args) {
  std::vector<std::pair<std::string, Value>> items;
  const Value dict = g_dict(in, args);
  for (const auto& [key, value] : dict.as_dict().items) {
    items.emplace_back(key.is_text() ? key.bytes() : repr(key, in.budget()).bytes, value);
  }
  return in.make_namespace(std::move(items));
}
Value g_raise(Interpreter& in, Args args) {
  const auto bound = args.bind("raise_exception", {"message"}, 1);
  fail(to_text(bound[0], in.budget()).bytes);
}
Value g_cycler(Interpreter&, Args args) {
  if (args.positional.empty()) fail("at least one item has to be provided");
  auto cycler = std::make_shared<Cycler>();
  cycler->items = args.positional;
  cycler->depth = depth_around(cycler->items);
  return Value::object(Kind::kCycler, cycler);
}
Value g_joiner(Interpreter& in, Args args) {
  const auto bound = args.bind("joiner", {"sep"});
  auto joiner = std::make_shared<Cycler>();
  joiner->joiner = true;
  joiner->separator =
      Value::text(bound.has(0) ? to_text(bound[0], in.budget()) : Text(", ", kFromTemplate));
  return Value::object(Kind::kCycler, joiner);
}
Value g_lipsum(Interpreter&, Args) { fail("lipsum is not supported in a chat template"); }

struct Date {
  int64_t year;
  int month, day, weekday, year_day, hour, minute, second;  // month and day from 1, Sunday is 0
};
// The proleptic Gregorian calendar, counted in eras of 400 years.
Date civil(int64_t seconds) {
  constexpr int64_t kDay = 86400;
  int64_t days = seconds / kDay;
  int64_t rest = seconds % kDay;
  if (rest < 0) {
    rest += kDay;
    --days;
  }
  const int weekday = static_cast<int>(((days + 4) % 7 + 7) % 7);
  int64_t year = 1970;
  const auto leap = [](int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
  constexpr int64_t kEra = 146097;
  const int64_t eras = days >= 0 ? days / kEra : -((-days + kEra - 1) / kEra);
  year += 400 * eras;
  days -= kEra * eras;
  for (; days >= 365 + leap(year); ++year) days -= 365 + leap(year);
  const std::array<int, 12> lengths = {31, leap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
                                       31};
  Date date{year,
            1,
            1,
            weekday,
            static_cast<int>(days),
            static_cast<int>(rest / 3600),
            static_cast<int>(rest / 60 % 60),
            static_cast<int>(rest % 60)};
  auto left = static_cast<int>(days);
  while (left >= lengths[static_cast<size_t>(date.month - 1)])
    left -= lengths[static_cast<size_t>(date.month++ - 1)];
  date.day = left + 1;
  return date;
}

std::string padded(int64_t value, int width, char fill) {
  std::string digits = std::to_string(value);
  while (static_cast<int>(digits.size()) < width) digits.insert(digits.begin(), fill);
  return digits;
}
std::string date_part(const Date& date, char code, char fill) {
  static constexpr std::array<std::string_view, 7> kDays = {
      "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  static constexpr std::array<std::string_view, 12> kMonths = {
      "January", "February", "March",     "April",   "May",      "June",
      "July",    "August",   "September", "October", "November", "December"};
  const std::string day(kDays[static_cast<size_t>(date.weekday)]);
  const std::string month(kMonths[static_cast<size_t>(date.month - 1)]);
  const int width = fill == '\0' ? 0 : 2;
  const auto two = [&](int64_t value) { return padded(value, width, fill); };
  switch (code) {
    case 'Y': return std::to_string(date.year);
    case 'y': return two(date.year % 100);
    case 'm': return two(date.month);
    case 'd': return two(date.day);
    case 'e': return padded(date.day, width, ' ');
    case 'H': return two(date.hour);
    case 'I': return two((date.hour + 11) % 12 + 1);
    case 'M': return two(date.minute);
    case 'S': return two(date.second);
    case 'p': return date.hour < 12 ? "AM" : "PM";
    case 'j': return padded(date.year_day + 1, fill == '\0' ? 0 : 3, fill);
    case 'A': return day;
    case 'a': return day.substr(0, 3);
    case 'B': return month;
    case 'b':
    case 'h': return month.substr(0, 3);
    case 'w': return std::to_string(date.weekday);
    case 'u': return std::to_string(date.weekday == 0 ? 7 : date.weekday);
    case 'f': return "000000";
    case 'Z':
    case 'z': return "";
    case '%': return "%";
    case 'n': return "\n";
    case 't': return "\t";
    case 'F':
      return date_part(date, 'Y', '0') + "-" + date_part(date, 'm', '0') + "-" +
             date_part(date, 'd', '0');
    case 'T':
    case 'X':
      return date_part(date, 'H', '0') + ":" + date_part(date, 'M', '0') + ":" +
             date_part(date, 'S', '0');
    case 'R': return date_part(date, 'H', '0') + ":" + date_part(date, 'M', '0');
    case 'D':
    case 'x':
      return date_part(date, 'm', '0') + "/" + date_part(date, 'd', '0') + "/" +
             date_part(date, 'y', '0');
    case 'c':
      return day.substr(0, 3) + " " + month.substr(0, 3) + " " + padded(date.day, 2, ' ') + " " +
             date_part(date, 'T', '0') + " " + std::to_string(date.year);
    default: fail(std::string("strftime_now: the code %") + code + " is not supported");
  }
}
Value g_strftime_now(Interpreter& in, Args args) {
  const auto bound = args.bind("strftime_now", {"format"}, 1);
  if (!bound[0].is_text()) fail("strftime_now needs a str");
  const Text& format = bound[0].as_text();
  const Date date = civil(in.now_s());
  std::string out;
  for (size_t i = 0; i < format.bytes.size(); ++i) {
    if (format.bytes[i] != '%' || i + 1 >= format.bytes.size()) {
      out += format.bytes[i];
      continue;
    }
    char fill = '0';
    if (format.bytes[i + 1] == '-' && i + 2 < format.bytes.size()) {
      fill = '\0';
      ++i;
    }
    in.budget().charge(1);
    out += date_part(date, format.bytes[++i], fill);
  }
  return Value::text(out, format.origin());
}

struct Global {
  std::string_view name;
  Value (*function)(Interpreter&, Args);
};
constexpr Global kGlobals[] = {
    {"range", g_range},
    {"dict", g_dict},
    {"namespace", g_namespace},
    {"raise_exception", g_raise},
    {"strftime_now", g_strftime_now},
    {"cycler", g_cycler},
    {"joiner", g_joiner},
    {"lipsum", g_lipsum},
};

}  // namespace

TestFunction find_test(std::string_view name) {
  for (const TestEntry& entry : kTests) {
    if (entry.name == name) return entry.test;
  }
  return nullptr;
}

Value find_global(std::string_view name) {
  for (const Global& global : kGlobals) {
    if (global.name != name) continue;
    const auto callable = std::make_shared<Callable>();
    callable->name = name;
    callable->call = [&global](Interpreter& interpreter, const Arguments& arguments) {
      return global.function(interpreter, arguments);
    };
    return Value::object(Kind::kCallable, callable);
  }
  return {};
}

}  // namespace hone::llm::jinja
