#include "llm/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "llm/jinja/builtins.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::jinja {
namespace {

[[noreturn]] void unsupported(std::string_view op, const Value& a, const Value& b) {
  if (a.is_undefined()) fail(a.undefined_hint());
  if (b.is_undefined()) fail(b.undefined_hint());
  fail("unsupported operand types for " + std::string(op) + ": '" + std::string(type_name(a)) +
       "' and '" + std::string(type_name(b)) + "'");
}

[[noreturn]] void overflow() { fail("an integer does not fit 64 bits"); }

Value integer_power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) fail("0 cannot be raised to a negative power");
    return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) overflow();
  }
  return Value::integer(result);
}

Value integers(std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "+") {
    if (__builtin_add_overflow(a, b, &result)) overflow();
  } else if (op == "-") {
    if (__builtin_sub_overflow(a, b, &result)) overflow();
  } else if (op == "*") {
    if (__builtin_mul_overflow(a, b, &result)) overflow();
  } else if (op == "**") {
    return integer_power(a, b);
  } else {
    if (b == 0) fail("division by zero");
    if (op == "/") return Value::real(static_cast<double>(a) / static_cast<double>(b));
    if (b == -1) {
      if (op == "//" && __builtin_sub_overflow(int64_t{0}, a, &result)) overflow();
      return Value::integer(op == "%" ? 0 : result);
    }
    const int64_t remainder = a % b;
    const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
    result = op == "//" ? a / b - adjust : remainder + (adjust ? b : 0);
  }
  return Value::integer(result);
}

Value reals(std::string_view op, double a, double b) {
  if (op == "+") return Value::real(a + b);
  if (op == "-") return Value::real(a - b);
  if (op == "*") return Value::real(a * b);
  if (op == "**") {
    if (a == 0 && b < 0) fail("0.0 cannot be raised to a negative power");
    if (a < 0 && b != std::floor(b))
      fail("a negative number to a broken power is a complex number");
    const double result = std::pow(a, b);
    if (std::isinf(result) && !std::isinf(a) && !std::isinf(b))
      fail("the result of ** is too large");
    return Value::real(result);
  }
  if (b == 0) fail("division by zero");
  if (op == "/") return Value::real(a / b);
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0 && (remainder < 0) != (b < 0)) {
    remainder += b;
    quotient -= 1;
  } else if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  }
  if (op == "%") return Value::real(remainder);
  double whole = std::floor(quotient);
  if (quotient - whole > 0.5) whole += 1;
  return Value::real(quotient == 0 ? std::copysign(0.0, a / b) : whole);
}

Value concatenate(const Text& a, const Text& b, Budget& budget) {
  budget.charge_text(a.bytes.size() + b.bytes.size());
  Text result;
  result.bytes.reserve(a.bytes.size() + b.bytes.size());
  result.markup = a.markup || b.markup;
  const bool escape_a = b.markup && !a.markup, escape_b = a.markup && !b.markup;
  result.append(escape_a ? escape_html(a) : a);
  result.append(escape_b ? escape_html(b) : b);
  return Value::text(std::move(result));
}

bool is_plain_sequence(const Value& value) {
  return value.is_sequence(SequenceType::kList) || value.is_sequence(SequenceType::kTuple);
}

Value add(const Value& a, const Value& b, Budget& budget) {
  if (a.is_text() && b.is_text()) return concatenate(a.as_text(), b.as_text(), budget);
  if (is_plain_sequence(a) && is_plain_sequence(b) &&
      a.as_sequence().type == b.as_sequence().type) {
    std::vector<Value> items = a.as_sequence().items;
    const auto& more = b.as_sequence().items;
    budget.charge(static_cast<int64_t>(items.size() + more.size()));
    items.insert(items.end(), more.begin(), more.end());
    return Value::sequence(a.as_sequence().type, std::move(items));
  }
  if (a.is_text() && !b.is_undefined()) {
    fail("can only concatenate str (not \"" + std::string(type_name(b)) + "\") to str");
  }
  unsupported("+", a, b);
}

Value repeat(const Value& what, int64_t count, Budget& budget) {
  count = std::max<int64_t>(count, 0);
  if (what.is_text()) {
    const Text& text = what.as_text();
    if (text.bytes.empty()) return what;
    if (count > static_cast<int64_t>(budget.max_bytes)) fail("a repeated text is too long");
    budget.charge_text(text.bytes.size() * static_cast<size_t>(count));
    Text result;
    result.markup = text.markup;
    for (int64_t i = 0; i < count; ++i) result.append(text);
    return Value::text(std::move(result));
  }
  const auto& items = what.as_sequence().items;
  std::vector<Value> result;
  for (int64_t i = 0; !items.empty() && i < count; ++i) {
    budget.charge(static_cast<int64_t>(items.size()));
    result.insert(result.end(), items.begin(), items.end());
  }
  return Value::sequence(what.as_sequence().type, std::move(result));
}

bool repeatable(const Value& value) { return value.is_text() || is_plain_sequence(value); }

Value join_texts(const Value& a, const Value& b, Budget& budget) {
  Text result = to_text(a, budget);
  result.markup = false;
  result.append(to_text(b, budget));
  budget.charge_text(result.bytes.size());
  return Value::text(std::move(result));
}

}  // namespace

Value unary(std::string_view op, const Value& a) {
  if (op == "not") return Value::boolean(!truthy(a));
  if (a.is_int()) {
    int64_t result = a.as_int();
    if (op == "-" && __builtin_sub_overflow(int64_t{0}, a.as_int(), &result)) overflow();
    return Value::integer(result);
  }
  if (a.is_float()) return Value::real(op == "-" ? -a.as_double() : a.as_double());
  if (a.is_undefined()) fail(a.undefined_hint());
  fail("bad operand type for unary " + std::string(op) + ": '" + std::string(type_name(a)) + "'");
}

Value binary(std::string_view op, const Value& a, const Value& b, Budget& budget) {
  if (op == "~") return join_texts(a, b, budget);
  if (a.is_int() && b.is_int()) return integers(op, a.as_int(), b.as_int());
  if (a.is_number() && b.is_number()) return reals(op, a.as_double(), b.as_double());
  if (op == "+") return add(a, b, budget);
  if (op == "*" && repeatable(a) && b.is_int()) return repeat(a, b.as_int(), budget);
  if (op == "*" && a.is_int() && repeatable(b)) return repeat(b, a.as_int(), budget);
  if (op == "%" && a.is_text()) return Value::text(format_percent(a.as_text(), b, budget));
  unsupported(op, a, b);
}

bool compare(std::string_view op, const Value& a, const Value& b, Budget& budget) {
  if (op == "==") return equal(a, b, budget);
  if (op == "!=") return !equal(a, b, budget);
  if (op == "in") return contains(b, a, budget);
  if (op == "not in") return !contains(b, a, budget);
  if (op == "<") return less(a, b, budget);
  if (op == ">") return less(b, a, budget);
  const bool below = op == "<=" ? less(a, b, budget) : less(b, a, budget);
  return below || equal(a, b, budget);
}

Value slice(const Value& object, const Value& start, const Value& stop, const Value& step,
            Budget& budget) {
  for (const Value* bound : {&start, &stop, &step}) {
    if (!bound->is_none() && !bound->is_int())
      return Value::undefined("slice indices must be integers");
  }
  const bool is_range = object.is_sequence(SequenceType::kRange);
  if (object.is_undefined()) fail(object.undefined_hint());
  if (!object.is_text() && !is_plain_sequence(object) && !is_range) {
    return Value::undefined("'" + std::string(type_name(object)) + "' object cannot be sliced");
  }
  const int64_t by = step.is_none() ? 1 : step.as_int();
  if (by == 0) fail("slice step cannot be zero");
  std::vector<size_t> at;
  if (object.is_text() && !is_ascii(object.bytes())) at = offsets(object.bytes());
  const auto size = static_cast<int64_t>(!object.is_text() ? object.as_sequence().items.size()
                                         : at.empty()      ? object.bytes().size()
                                                           : at.size() - 1);
  const int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
  const auto clamp = [&](const Value& bound, int64_t absent) {
    if (bound.is_none()) return absent;
    const int64_t i = bound.as_int() < 0 ? bound.as_int() + size : bound.as_int();
    return std::clamp(i, low, std::max(low, high));
  };
  const int64_t from = clamp(start, by > 0 ? low : high);
  const int64_t to = clamp(stop, by > 0 ? high : low);
  std::vector<Value> items;
  Text text;
  const auto offset = [&](int64_t i) {
    return at.empty() ? static_cast<size_t>(i) : at[static_cast<size_t>(i)];
  };
  if (object.is_text() && by == 1) {
    budget.charge_text(object.bytes().size());
    return Value::text(object.as_text().slice(offset(from), offset(std::max(from, to))));
  }
  for (int64_t i = from; by > 0 ? i < to : i > to;) {
    budget.charge(1);
    if (object.is_text()) {
      text.append_slice(object.as_text(), offset(i), offset(i + 1));
    } else {
      items.push_back(object.as_sequence().items[static_cast<size_t>(i)]);
    }
    if (__builtin_add_overflow(i, by, &i)) break;
  }
  if (object.is_text()) {
    text.markup = object.as_text().markup;
    return Value::text(std::move(text));
  }
  return Value::sequence(is_range ? SequenceType::kList : object.as_sequence().type,
                         std::move(items));
}

}  // namespace hone::llm::jinja
