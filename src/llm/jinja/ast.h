#pragma once
// The tree of a template. Immutable after parse, so that many threads can render it at once.
// No branch is deeper than kMaxTreeDepth: the parser refuses what is.

#include <memory>
#include <string>
#include <vector>

#include "llm/jinja/value.h"

namespace hone::llm::jinja {

// Steps of descent of the parser; one bracket in an expression takes about ten.
inline constexpr int kMaxTreeDepth = 1000;

struct Arguments;
class Interpreter;
using FilterFunction = Value (*)(Interpreter&, const Value&, const Arguments&);
using TestFunction = bool (*)(Interpreter&, const Value&, const Arguments&);

enum class ExprKind : uint8_t {
  kConstant,  // value
  kName,      // text
  kTuple,
  kList,
  kDict,       // items: key, value, key, value, ...
  kUnary,      // text: not - +; items[0]
  kBinary,     // text: + - * / // % ** ~ and or; items[0], items[1]
  kCompare,    // items[0] operators[0] items[1] operators[1] ...
  kCondition,  // items: then, test, otherwise (may be null)
  kAttribute,  // items[0] . text
  kIndex,      // items[0] [ items[1] ]
  kSlice,      // items: start, stop, step (each may be null); only inside kIndex
  kCall,       // items[0] ( call )
  kFilter,     // items[0] | text ( call ); items[0] is null in a filter or set block
  kTest,       // items[0] is text ( call )
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct CallArguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star, double_star;
};

struct Expr {
  ExprKind kind = ExprKind::kConstant;
  int line = 1;
  std::string text;
  Value value;
  std::vector<ExprPtr> items;
  std::vector<std::string> operators;
  CallArguments call;
  FilterFunction filter = nullptr;
  TestFunction test = nullptr;
};

enum class StatementKind : uint8_t {
  kData,         // text
  kPrint,        // expr
  kIf,           // branches, otherwise
  kFor,          // target in expr if test: body, otherwise
  kSet,          // target = expr
  kSetBlock,     // target = body through filter
  kWith,         // names = values: body
  kMacro,        // name, names with values as the last ones' defaults: body
  kCallBlock,    // expr (a call), the caller's parameters as a macro's
  kFilterBlock,  // filter, body
  kGeneration,   // body
  kBreak,
  kContinue,
};

struct Statement;
using StatementPtr = std::unique_ptr<Statement>;
using Block = std::vector<StatementPtr>;

struct Statement {
  StatementKind kind = StatementKind::kData;
  int line = 1;
  Text text;
  std::string name;
  ExprPtr target, expr, test, filter;
  std::vector<std::pair<ExprPtr, Block>> branches;
  Block body, otherwise;
  bool has_otherwise = false;
  bool recursive = false;
  std::vector<ExprPtr> targets;  // of with
  std::vector<std::string> names;
  std::vector<ExprPtr> values;
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;
};

}  // namespace hone::llm::jinja
