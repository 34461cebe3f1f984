#pragma once
// Runs the tree of a template over a context, once. Not shared between threads; the tree is.
// Errors: TemplateError, with line() naming where the run was.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llm/jinja/ast.h"
#include "llm/jinja/callable.h"
#include "llm/jinja/value.h"

namespace hone::llm::jinja {

class Interpreter {
 public:
  Interpreter(Budget budget, int64_t now_s);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  void define(std::string name, Value value);
  Text run(const Block& block);

  Budget& budget() { return budget_; }
  int line() const { return line_; }
  int64_t now_s() const { return now_s_; }

  Value attribute(const Value& object, std::string_view name);
  Value item(const Value& object, const Value& key);
  Value call(const Value& function, const Arguments& arguments);
  Value make_namespace(std::vector<std::pair<std::string, Value>> items);

 private:
  static constexpr int kMaxMacroDepth = 200;  // decisions 4.6
  static constexpr int kMaxDepth = 3000;      // nodes below one another, through macros
  struct Scope;
  enum class Flow { kNext, kBreak, kContinue };
  class ScopeGuard;

  // One node of the tree deeper while it lives.
  class DepthGuard {
   public:
    explicit DepthGuard(Interpreter& interpreter) : depth_(interpreter.depth_) {
      if (depth_ >= kMaxDepth) fail("the template goes deeper than its bound");
      ++depth_;
    }
    ~DepthGuard() { --depth_; }
    DepthGuard(const DepthGuard&) = delete;
    DepthGuard& operator=(const DepthGuard&) = delete;

   private:
    int& depth_;
  };
  // One macro, or one recursion of a loop, deeper while it lives.
  class MacroGuard {
   public:
    MacroGuard(Interpreter& interpreter, const std::string& name)
        : depth_(interpreter.macro_depth_) {
      if (depth_ >= kMaxMacroDepth) fail("'" + name + "' calls itself more than 200 deep");
      ++depth_;
    }
    ~MacroGuard() { --depth_; }
    MacroGuard(const MacroGuard&) = delete;
    MacroGuard& operator=(const MacroGuard&) = delete;

   private:
    int& depth_;
  };

  Scope* push_scope(Scope* parent);
  void pop_scope(Scope* scope);
  void capture_scope();
  Value lookup(const std::string& name) const;
  void assign(const Expr& target, const Value& value);
  void emit(const Value& value);
  void emit(const Text& text);

  Flow execute(const Block& block);
  Flow execute(const Statement& statement);
  Flow execute_if(const Statement& statement);
  Flow execute_for(const Statement& statement, const Value& iterable, int level);
  Flow execute_iterations(const Statement& statement, const std::vector<Value>& items, int level);
  Flow execute_with(const Statement& statement);
  std::vector<Value> select(const Statement& statement, std::vector<Value> items);
  Text capture(const Block& block);
  void execute_set_block(const Statement& statement);
  void execute_call_block(const Statement& statement);
  Value make_macro(const Statement& statement, std::string name);
  Value call_macro(const Statement& statement, const std::string& name, Scope* scope,
                   const Arguments& arguments);
  void bind_macro(const Statement& statement, const std::string& name, const Arguments& arguments);

  Value evaluate(const Expr& expr);
  Value evaluate_items(const Expr& expr);
  Value evaluate_unary(const Expr& expr);
  Value evaluate_binary(const Expr& expr);
  Value evaluate_compare(const Expr& expr);
  Value evaluate_condition(const Expr& expr);
  Value evaluate_index(const Expr& expr);
  Value evaluate_call(const Expr& expr);
  Value apply_filter(const Expr& expr, const Value& input);
  // The chain of a filter or set block, whose first filter has no expression of its own.
  Value apply_filters(const Expr& expr, const Value& value);
  Value evaluate_test(const Expr& expr);
  Arguments evaluate_arguments(const CallArguments& call);
  Value loop_attribute(const Value& object, std::string_view name);

  Budget budget_;
  int64_t now_s_;
  int line_ = 1;
  int depth_ = 0;
  int macro_depth_ = 0;
  Text* out_ = nullptr;
  Scope* scope_ = nullptr;
  std::vector<std::unique_ptr<Scope>> scopes_;
  std::vector<Scope*> free_scopes_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
};

}  // namespace hone::llm::jinja
