// The expressions of the interpreter.

#include <algorithm>

#include "llm/jinja/builtins.h"
#include "llm/jinja/interpreter.h"
#include "llm/jinja/operators.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::jinja {

Value Interpreter::evaluate(const Expr& expr) {
  if (expr.kind == ExprKind::kConstant) return expr.value;
  if (expr.kind == ExprKind::kName) return lookup(expr.text);
  budget_.charge(1);
  DepthGuard guard(*this);
  switch (expr.kind) {
    case ExprKind::kConstant:
    case ExprKind::kName:
    case ExprKind::kSlice: break;
    case ExprKind::kTuple:
    case ExprKind::kList:
    case ExprKind::kDict: return evaluate_items(expr);
    case ExprKind::kUnary: return evaluate_unary(expr);
    case ExprKind::kBinary: return evaluate_binary(expr);
    case ExprKind::kCompare: return evaluate_compare(expr);
    case ExprKind::kCondition: return evaluate_condition(expr);
    case ExprKind::kAttribute: {
      const Value object = evaluate(*expr.items[0]);
      line_ = expr.line;
      return attribute(object, expr.text);
    }
    case ExprKind::kIndex: return evaluate_index(expr);
    case ExprKind::kCall: return evaluate_call(expr);
    case ExprKind::kFilter: return apply_filter(expr, evaluate(*expr.items[0]));
    case ExprKind::kTest: return evaluate_test(expr);
  }
  return {};
}

Value Interpreter::evaluate_items(const Expr& expr) {
  std::vector<Value> values;
  values.reserve(expr.items.size());
  for (const ExprPtr& item : expr.items) values.push_back(evaluate(*item));
  if (expr.kind == ExprKind::kList) return Value::list(std::move(values));
  if (expr.kind == ExprKind::kTuple)
    return Value::sequence(SequenceType::kTuple, std::move(values));
  std::vector<std::pair<Value, Value>> items;
  for (size_t i = 0; i + 1 < values.size(); i += 2) items.emplace_back(values[i], values[i + 1]);
  return make_dict(std::move(items), budget_);
}

Value Interpreter::evaluate_unary(const Expr& expr) {
  const Value value = evaluate(*expr.items[0]);
  line_ = expr.line;
  return unary(expr.text, value);
}

Value Interpreter::evaluate_binary(const Expr& expr) {
  Value left = evaluate(*expr.items[0]);
  if (expr.text == "and") return truthy(left) ? evaluate(*expr.items[1]) : left;
  if (expr.text == "or") return truthy(left) ? left : evaluate(*expr.items[1]);
  const Value right = evaluate(*expr.items[1]);
  line_ = expr.line;
  return binary(expr.text, left, right, budget_);
}

Value Interpreter::evaluate_compare(const Expr& expr) {
  Value left = evaluate(*expr.items[0]);
  for (size_t i = 0; i < expr.operators.size(); ++i) {
    Value right = evaluate(*expr.items[i + 1]);
    line_ = expr.line;
    if (!compare(expr.operators[i], left, right, budget_)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::evaluate_condition(const Expr& expr) {
  if (truthy(evaluate(*expr.items[1]))) return evaluate(*expr.items[0]);
  if (expr.items[2]) return evaluate(*expr.items[2]);
  return Value::undefined("the inline if-expression on line " + std::to_string(expr.line) +
                          " evaluated to false and no else section was defined");
}

Value Interpreter::evaluate_index(const Expr& expr) {
  const Value object = evaluate(*expr.items[0]);
  const Expr& index = *expr.items[1];
  if (index.kind != ExprKind::kSlice) {
    const Value key = evaluate(index);
    line_ = expr.line;
    return item(object, key);
  }
  Value bounds[3] = {Value::none(), Value::none(), Value::none()};
  for (size_t i = 0; i < 3; ++i) {
    if (index.items[i]) bounds[i] = evaluate(*index.items[i]);
  }
  line_ = expr.line;
  return slice(object, bounds[0], bounds[1], bounds[2], budget_);
}

Arguments Interpreter::evaluate_arguments(const CallArguments& call) {
  Arguments arguments;
  arguments.positional.reserve(call.positional.size());
  for (const ExprPtr& expr : call.positional) arguments.positional.push_back(evaluate(*expr));
  for (const auto& [name, expr] : call.named) arguments.named.emplace_back(name, evaluate(*expr));
  if (call.star) {
    for (Value& value : iterate(evaluate(*call.star), budget_)) {
      arguments.positional.push_back(std::move(value));
    }
  }
  if (!call.double_star) return arguments;
  const Value named = evaluate(*call.double_star);
  if (!named.is_dict()) fail("what follows ** must be a dict");
  for (const auto& [key, value] : named.as_dict().items) {
    if (!key.is_text()) fail("keywords must be strings");
    for (const auto& given : arguments.named) {
      if (given.first == key.bytes())
        fail("got multiple values for keyword argument '" + key.bytes() + "'");
    }
    arguments.named.emplace_back(key.bytes(), value);
  }
  return arguments;
}

Value Interpreter::evaluate_call(const Expr& expr) {
  const Value function = evaluate(*expr.items[0]);
  const Arguments arguments = evaluate_arguments(expr.call);
  line_ = expr.line;
  return call(function, arguments);
}

Value Interpreter::apply_filters(const Expr& expr, const Value& value) {
  DepthGuard guard(*this);
  return apply_filter(expr, expr.items[0] ? apply_filters(*expr.items[0], value) : value);
}

Value Interpreter::apply_filter(const Expr& expr, const Value& input) {
  const Arguments arguments = evaluate_arguments(expr.call);
  line_ = expr.line;
  if (expr.filter == nullptr) fail("No filter named '" + expr.text + "'.");
  return expr.filter(*this, input, arguments);
}

Value Interpreter::evaluate_test(const Expr& expr) {
  const Value value = evaluate(*expr.items[0]);
  const Arguments arguments = evaluate_arguments(expr.call);
  line_ = expr.line;
  if (expr.test == nullptr) fail("No test named '" + expr.text + "'.");
  return Value::boolean(expr.test(*this, value, arguments));
}

Value Interpreter::call(const Value& function, const Arguments& arguments) {
  budget_.charge(1);
  if (function.kind() == Kind::kCallable) {
    // A macro may replace the name under which it was found while it runs.
    const Value keep = function;
    return keep.as_callable().call(*this, arguments);
  }
  if (function.kind() == Kind::kLoop) {
    Loop& loop = function.as_loop();
    if (!loop.recurse) fail("The loop must have the 'recursive' marker enabled.");
    if (arguments.positional.size() != 1) fail("a recursive loop takes one argument");
    const MacroGuard guard(*this, "loop");
    return loop.recurse(*this, arguments.positional[0]);
  }
  if (function.kind() == Kind::kCycler && function.as_cycler().joiner) {
    Cycler& joiner = function.as_cycler();
    return joiner.position++ == 0 ? Value::text("") : joiner.separator;
  }
  if (function.is_undefined()) fail(function.undefined_hint());
  fail("'" + std::string(type_name(function)) + "' object is not callable");
}

Value Interpreter::attribute(const Value& object, std::string_view name) {
  const auto missing = [&] {
    return Value::undefined("'" + std::string(type_name(object)) + " object' has no attribute '" +
                            std::string(name) + "'");
  };
  if (object.is_undefined()) fail(object.undefined_hint());
  if (name.starts_with("__")) {
    const Value* found = object.is_dict() ? object.as_dict().find(name) : nullptr;
    return found != nullptr ? *found : missing();
  }
  switch (object.kind()) {
    case Kind::kDict: {
      Value method = find_method(object, name);
      if (!method.is_undefined()) return method;
      if (method.identity() != nullptr) return method;  // a method that the sandbox refuses
      const Value* found = object.as_dict().find(name);
      return found != nullptr ? *found : missing();
    }
    case Kind::kNamespace:
      if (name.starts_with("_")) return missing();
      for (const auto& entry : object.as_namespace().items) {
        if (entry.first == name) return entry.second;
      }
      return missing();
    case Kind::kLoop: return loop_attribute(object, name);
    case Kind::kText:
    case Kind::kSequence:
    case Kind::kCycler: {
      Value method = find_method(object, name);
      return method.is_undefined() && method.identity() == nullptr ? missing() : method;
    }
    case Kind::kCallable:
      return name == "name" ? Value::text(object.as_callable().name) : missing();
    default: return missing();
  }
}

Value Interpreter::item(const Value& object, const Value& key) {
  if (object.is_undefined()) fail(object.undefined_hint());
  if (object.is_dict()) {
    const Value* found = object.as_dict().find(key, budget_);
    if (found != nullptr) return *found;
  }
  if (key.is_int() && (object.is_text() || object.is_sequence())) {
    const bool indexable = object.is_text() || object.as_sequence().type <= SequenceType::kRange;
    const auto size = static_cast<int64_t>(object.is_text() ? length(object.bytes())
                                                            : object.as_sequence().items.size());
    const int64_t index = key.as_int() < 0 ? key.as_int() + size : key.as_int();
    if (indexable && index >= 0 && index < size) {
      if (!object.is_text()) return object.as_sequence().items[static_cast<size_t>(index)];
      budget_.charge(static_cast<int64_t>(object.bytes().size() / 64));
      const size_t begin = byte_offset(object.bytes(), static_cast<size_t>(index));
      const size_t end = begin + decode(object.bytes(), begin).size;
      return Value::text(object.as_text().slice(begin, end));
    }
  }
  if (key.is_text()) {
    // The sandbox shows no name with an underscore in front as an attribute.
    if (!key.bytes().starts_with("_")) {
      if (!object.is_dict()) return attribute(object, key.bytes());
      Value method = find_method(object, key.bytes());
      if (!method.is_undefined() || method.identity() != nullptr) return method;
    }
    return Value::undefined("'" + std::string(type_name(object)) + " object' has no attribute '" +
                            key.bytes() + "'");
  }
  return Value::undefined("the " + std::string(type_name(object)) + " object has no such element");
}

Value Interpreter::loop_attribute(const Value& object, std::string_view name) {
  const Loop& loop = object.as_loop();
  const size_t count = loop.items == nullptr ? 0 : loop.items->size();
  const auto number = [](size_t value) { return Value::integer(static_cast<int64_t>(value)); };
  if (name == "index") return number(loop.index + 1);
  if (name == "index0") return number(loop.index);
  if (name == "first") return Value::boolean(loop.index == 0);
  if (name == "last") return Value::boolean(loop.index + 1 >= count);
  if (name == "length") return number(count);
  if (name == "revindex")
    return Value::integer(static_cast<int64_t>(count) - static_cast<int64_t>(loop.index));
  if (name == "revindex0") {
    return Value::integer(static_cast<int64_t>(count) - static_cast<int64_t>(loop.index) - 1);
  }
  if (name == "depth") return Value::integer(loop.level);
  if (name == "depth0") return Value::integer(loop.level - 1);
  if (name == "previtem") {
    return loop.index > 0 && loop.index <= count ? (*loop.items)[loop.index - 1]
                                                 : Value::undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return loop.index + 1 < count ? (*loop.items)[loop.index + 1]
                                  : Value::undefined("there is no next item");
  }
  Value method = find_method(object, name);
  if (!method.is_undefined()) return method;
  return Value::undefined("'LoopContext object' has no attribute '" + std::string(name) + "'");
}

Arguments::Bound Arguments::bind(std::string_view function,
                                 std::initializer_list<std::string_view> parameters,
                                 size_t required) const {
  Bound bound;
  bound.values.resize(parameters.size());
  bound.given.resize(parameters.size(), false);
  const std::string name(function);
  if (positional.size() > parameters.size()) {
    fail(name + "() takes at most " + std::to_string(parameters.size()) + " argument(s), not " +
         std::to_string(positional.size()));
  }
  for (size_t i = 0; i < positional.size(); ++i) {
    bound.values[i] = positional[i];
    bound.given[i] = true;
  }
  for (const auto& [key, value] : named) {
    const auto found = std::find(parameters.begin(), parameters.end(), std::string_view(key));
    if (found == parameters.end())
      fail(name + "() got an unexpected keyword argument '" + key + "'");
    const auto at = static_cast<size_t>(found - parameters.begin());
    if (bound.given[at]) fail(name + "() got multiple values for argument '" + key + "'");
    bound.values[at] = value;
    bound.given[at] = true;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!bound.given[i]) {
      fail(name + "() misses its argument '" + std::string(*(parameters.begin() + i)) + "'");
    }
  }
  return bound;
}

}  // namespace hone::llm::jinja
