// The filters by name; here those of single values (text_filters.cc, sequence_filters.cc: the rest).

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

Value f_default(Interpreter&, Self self, Args args) {
  const auto bound = args.bind("default", {"default_value", "boolean"});
  const bool use = self.is_undefined() || (bound.has(1) && truthy(bound[1]) && !truthy(self));
  if (!use) return self;
  return bound.has(0) ? bound[0] : Value::text("");
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
  if (method != "common" && method != "ceil" && method != "floor")
    fail("method must be common, ceil or floor");
  if (!self.is_number()) fail("round needs a number, not " + std::string(type_name(self)));
  if (precision < 0 || precision > 300) fail("round: the precision must lie between 0 and 300");
  const double value = self.as_double();
  if (method != "common") {
    const double scale = std::pow(10.0, static_cast<double>(precision));
    return Value::real((method == "ceil" ? std::ceil(value * scale) : std::floor(value * scale)) /
                       scale);
  }
  if (self.is_int()) return Value::integer(self.as_int());
  char buffer[700];
  std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(precision), value);
  bool ok = false;
  return Value::real(parse_float(buffer, ok));
}

Value f_attr(Interpreter& in, Self self, Args args) {
  const auto bound = args.bind("attr", {"name"}, 1);
  const std::string name = soft(in, bound[0]).bytes;
  if (self.is_dict()) {
    const Value method = find_method(self, name);
    return method.is_undefined() ? Value::undefined("'dict object' has no attribute '" + name + "'")
                                 : method;
  }
  return in.attribute(self, name);
}
template <char kName>
Value f_refused(Interpreter&, Self, Args) {
  constexpr std::string_view kNames[] = {"random",    "pprint",   "xmlattr",       "urlize",
                                         "striptags", "wordwrap", "filesizeformat"};
  fail("the filter '" + std::string(kNames[static_cast<size_t>(kName)]) +
       "' is not supported in a chat template");
}

constexpr FilterEntry kFilters[] = {
    {"tojson", f_tojson},
    {"from_json", f_from_json},
    {"length", f_length},
    {"count", f_length},
    {"default", f_default},
    {"d", f_default},
    {"int", f_int},
    {"float", f_float},
    {"abs", f_abs},
    {"round", f_round},
    {"attr", f_attr},
    {"random", f_refused<0>},
    {"pprint", f_refused<1>},
    {"xmlattr", f_refused<2>},
    {"urlize", f_refused<3>},
    {"striptags", f_refused<4>},
    {"wordwrap", f_refused<5>},
    {"filesizeformat", f_refused<6>},
};

}  // namespace

FilterFunction find_filter(std::string_view name) {
  for (const std::span<const FilterEntry> filters :
       {std::span<const FilterEntry>(kFilters), text_filters(), sequence_filters()}) {
    for (const FilterEntry& entry : filters) {
      if (entry.name == name) return entry.filter;
    }
  }
  return nullptr;
}

}  // namespace hone::llm::jinja
