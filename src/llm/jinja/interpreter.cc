#include "llm/jinja/interpreter.h"

#include <algorithm>

#include "llm/jinja/builtins.h"

namespace hone::llm::jinja {

// The names of one block. The interpreter owns every scope, so that a macro can hold the scope in
// which it was defined without a cycle of owners.
struct Interpreter::Scope {
  Scope* parent = nullptr;
  bool captured = false;  // a macro may come back to it: not to be reused
  std::vector<std::pair<const std::string*, Value>> names;

  void set(const std::string& name, Value value) {
    for (auto& entry : names) {
      if (*entry.first == name) {
        entry.second = std::move(value);
        return;
      }
    }
    names.emplace_back(&name, std::move(value));
  }
};

class Interpreter::ScopeGuard {
 public:
  ScopeGuard(Interpreter& interpreter, Scope* parent)
      : interpreter_(interpreter),
        before_(interpreter.scope_),
        mine_(interpreter.push_scope(parent)) {
    interpreter_.scope_ = mine_;
  }
  ~ScopeGuard() {
    interpreter_.scope_ = before_;
    interpreter_.pop_scope(mine_);
  }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Interpreter& interpreter_;
  Scope* before_;
  Scope* mine_;
};

Interpreter::Interpreter(Budget budget, int64_t now_s) : budget_(budget), now_s_(now_s) {
  scope_ = push_scope(nullptr);
  scope_->captured = true;
}

Interpreter::~Interpreter() {
  // Namespaces can hold one another in circles and in long chains: each is emptied by itself.
  for (const auto& space : namespaces_) {
    std::vector<std::pair<std::string, Value>> items;
    items.swap(space->items);
  }
}

Interpreter::Scope* Interpreter::push_scope(Scope* parent) {
  Scope* scope = nullptr;
  if (free_scopes_.empty()) {
    scopes_.push_back(std::make_unique<Scope>());
    scope = scopes_.back().get();
  } else {
    scope = free_scopes_.back();
    free_scopes_.pop_back();
  }
  scope->parent = parent;
  return scope;
}

void Interpreter::pop_scope(Scope* scope) {
  if (scope->captured) return;
  scope->names.clear();
  free_scopes_.push_back(scope);
}

void Interpreter::capture_scope() {
  for (Scope* scope = scope_; scope != nullptr && !scope->captured; scope = scope->parent) {
    scope->captured = true;
  }
}

void Interpreter::define(std::string name, Value value) {
  // The root scope's names live as long as the interpreter: they sit in a namespace of their own.
  auto keeper = std::make_shared<Namespace>();
  keeper->items.emplace_back(std::move(name), Value());
  namespaces_.push_back(keeper);
  scopes_.front()->set(keeper->items.front().first, std::move(value));
}

Value Interpreter::lookup(const std::string& name) const {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    for (const auto& entry : scope->names) {
      if (*entry.first == name) return entry.second;
    }
  }
  Value global = find_global(name);
  return global.is_undefined() ? Value::undefined("'" + name + "' is undefined") : global;
}

Value Interpreter::make_namespace(std::vector<std::pair<std::string, Value>> items) {
  auto space = std::make_shared<Namespace>();
  space->items = std::move(items);
  namespaces_.push_back(space);
  return Value::object(Kind::kNamespace, space);
}

void Interpreter::emit(const Text& text) {
  budget_.charge_text(out_->bytes.size() + text.bytes.size() > budget_.max_bytes
                          ? out_->bytes.size() + text.bytes.size()
                          : text.bytes.size());
  out_->append(text);
}
void Interpreter::emit(const Value& value) {
  if (value.is_text()) {
    emit(value.as_text());
  } else {
    emit(to_text(value, budget_));
  }
}

Text Interpreter::run(const Block& block) {
  Text text;
  out_ = &text;
  ScopeGuard guard(*this, scope_);
  execute(block);
  return text;
}

Text Interpreter::capture(const Block& block) {
  Text text;
  Text* outer = out_;
  out_ = &text;
  try {
    execute(block);
  } catch (...) {
    out_ = outer;
    throw;
  }
  out_ = outer;
  return text;
}

Interpreter::Flow Interpreter::execute(const Block& block) {
  DepthGuard guard(*this);
  for (const StatementPtr& statement : block) {
    const Flow flow = execute(*statement);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute(const Statement& statement) {
  budget_.charge(1);
  line_ = statement.line;
  switch (statement.kind) {
    case StatementKind::kData: emit(statement.text); break;
    case StatementKind::kPrint: emit(evaluate(*statement.expr)); break;
    case StatementKind::kIf: return execute_if(statement);
    case StatementKind::kFor: return execute_for(statement, evaluate(*statement.expr), 1);
    case StatementKind::kSet: assign(*statement.target, evaluate(*statement.expr)); break;
    case StatementKind::kSetBlock: execute_set_block(statement); break;
    case StatementKind::kWith: return execute_with(statement);
    case StatementKind::kMacro:
      scope_->set(statement.name, make_macro(statement, statement.name));
      break;
    case StatementKind::kCallBlock: execute_call_block(statement); break;
    case StatementKind::kFilterBlock: {
      ScopeGuard guard(*this, scope_);
      Text text = capture(statement.body);
      emit(apply_filters(*statement.filter, Value::text(std::move(text))));
      break;
    }
    case StatementKind::kGeneration: {
      ScopeGuard guard(*this, scope_);
      Text text = capture(statement.body);
      text.mark(kGenerated);
      emit(text);
      break;
    }
    case StatementKind::kBreak: return Flow::kBreak;
    case StatementKind::kContinue: return Flow::kContinue;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute_if(const Statement& statement) {
  for (const auto& branch : statement.branches) {
    if (truthy(evaluate(*branch.first))) return execute(branch.second);
  }
  return execute(statement.otherwise);
}

std::vector<Value> Interpreter::select(const Statement& statement, std::vector<Value> items) {
  if (!statement.test) return items;
  std::vector<Value> chosen;
  for (Value& item : items) {
    ScopeGuard guard(*this, scope_);
    assign(*statement.target, item);
    if (truthy(evaluate(*statement.test))) chosen.push_back(std::move(item));
  }
  return chosen;
}

Interpreter::Flow Interpreter::execute_for(const Statement& statement, const Value& iterable,
                                           int level) {
  DepthGuard depth(*this);
  const std::vector<Value> items = select(statement, iterate(iterable, budget_));
  if (items.empty()) {
    ScopeGuard guard(*this, scope_);
    return execute(statement.otherwise);
  }
  return execute_iterations(statement, items, level);
}

Interpreter::Flow Interpreter::execute_iterations(const Statement& statement,
                                                  const std::vector<Value>& items, int level) {
  static const std::string kLoop = "loop";
  const auto loop = std::make_shared<Loop>();
  // The loop may be kept by a namespace: it must not look at the items any more.
  struct Release {
    Loop& loop;
    ~Release() {
      loop.items = nullptr;
      loop.recurse = nullptr;
      loop.changed_value.clear();
    }
  } release{*loop};
  loop->items = &items;
  loop->level = level;
  if (statement.recursive) {
    Scope* home = scope_;
    capture_scope();
    loop->recurse = [&statement, home, level](Interpreter& interpreter, const Value& children) {
      ScopeGuard guard(interpreter, home);
      Text text;
      Text* outer = interpreter.out_;
      interpreter.out_ = &text;
      try {
        interpreter.execute_for(statement, children, level + 1);
      } catch (...) {
        interpreter.out_ = outer;
        throw;
      }
      interpreter.out_ = outer;
      return Value::text(std::move(text));
    };
  }
  const Value loop_value = Value::object(Kind::kLoop, loop);
  for (loop->index = 0; loop->index < items.size(); ++loop->index) {
    budget_.charge(1);
    ScopeGuard guard(*this, scope_);
    scope_->set(kLoop, loop_value);
    assign(*statement.target, items[loop->index]);
    if (execute(statement.body) == Flow::kBreak) break;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::execute_with(const Statement& statement) {
  std::vector<Value> values;
  for (const ExprPtr& expr : statement.values) values.push_back(evaluate(*expr));
  ScopeGuard guard(*this, scope_);
  for (size_t i = 0; i < values.size(); ++i) assign(*statement.targets[i], values[i]);
  return execute(statement.body);
}

void Interpreter::execute_set_block(const Statement& statement) {
  Value value;
  {
    ScopeGuard guard(*this, scope_);
    value = Value::text(capture(statement.body));
    if (statement.filter) value = apply_filters(*statement.filter, value);
  }
  assign(*statement.target, value);
}

void Interpreter::execute_call_block(const Statement& statement) {
  const Value function = evaluate(*statement.expr->items[0]);
  Arguments arguments = evaluate_arguments(statement.expr->call);
  arguments.named.emplace_back("caller", make_macro(statement, "caller"));
  emit(call(function, arguments));
}

void Interpreter::assign(const Expr& target, const Value& value) {
  if (target.kind == ExprKind::kName) {
    scope_->set(target.text, value);
    return;
  }
  if (target.kind == ExprKind::kAttribute) {
    const Value space = evaluate(*target.items[0]);
    if (space.kind() != Kind::kNamespace) fail("cannot assign attribute on non-namespace object");
    for (auto& entry : space.as_namespace().items) {
      if (entry.first == target.text) {
        entry.second = value;
        return;
      }
    }
    space.as_namespace().items.emplace_back(target.text, value);
    return;
  }
  if (value.is_undefined()) fail(value.undefined_hint());
  const std::vector<Value> parts = iterate(value, budget_);
  if (parts.size() != target.items.size()) {
    fail("cannot unpack " + std::to_string(parts.size()) + " values into " +
         std::to_string(target.items.size()) + " names");
  }
  for (size_t i = 0; i < parts.size(); ++i) assign(*target.items[i], parts[i]);
}

Value Interpreter::make_macro(const Statement& statement, std::string name) {
  capture_scope();
  const auto macro = std::make_shared<Callable>();
  macro->name = name;
  macro->call = [&statement, name = std::move(name), home = scope_](Interpreter& interpreter,
                                                                    const Arguments& arguments) {
    return interpreter.call_macro(statement, name, home, arguments);
  };
  return Value::object(Kind::kCallable, macro);
}

Value Interpreter::call_macro(const Statement& statement, const std::string& name, Scope* scope,
                              const Arguments& arguments) {
  const MacroGuard depth(*this, name);
  ScopeGuard guard(*this, scope);
  bind_macro(statement, name, arguments);
  return Value::text(capture(statement.body));
}

void Interpreter::bind_macro(const Statement& statement, const std::string& name,
                             const Arguments& arguments) {
  static const std::string kCaller = "caller", kVarargs = "varargs", kKwargs = "kwargs";
  auto named = arguments.named;
  const auto take = [&named](std::string_view key, Value& value) {
    for (auto entry = named.begin(); entry != named.end(); ++entry) {
      if (entry->first == key) {
        value = entry->second;
        named.erase(entry);
        return true;
      }
    }
    return false;
  };
  const size_t count = statement.names.size(), defaults = statement.values.size();
  const size_t given = std::min(arguments.positional.size(), count);
  bool caller_is_parameter = false;
  for (size_t i = 0; i < count; ++i) {
    const std::string& parameter = statement.names[i];
    caller_is_parameter |= parameter == kCaller;
    Value value;
    if (i < given) {
      value = arguments.positional[i];
    } else if (!take(parameter, value)) {
      value = i + defaults >= count
                  ? evaluate(*statement.values[i + defaults - count])
                  : Value::undefined("parameter '" + parameter + "' was not provided");
    }
    scope_->set(parameter, value);
  }
  if (statement.uses_caller && !caller_is_parameter) {
    Value caller = Value::undefined("No caller defined");
    take(kCaller, caller);
    scope_->set(kCaller, caller);
  }
  if (statement.uses_kwargs) {
    std::vector<std::pair<Value, Value>> items;
    for (auto& entry : named) items.emplace_back(Value::text(entry.first), std::move(entry.second));
    scope_->set(kKwargs, Value::dict(std::move(items)));
  } else if (!named.empty()) {
    fail("macro '" + name + "' takes no keyword argument '" + named.front().first + "'");
  }
  std::vector<Value> rest(arguments.positional.begin() + static_cast<std::ptrdiff_t>(given),
                          arguments.positional.end());
  if (statement.uses_varargs) {
    scope_->set(kVarargs, Value::sequence(SequenceType::kTuple, std::move(rest)));
  } else if (!rest.empty()) {
    fail("macro '" + name + "' takes not more than " + std::to_string(count) + " argument(s)");
  }
}

}  // namespace hone::llm::jinja
