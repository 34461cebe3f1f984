#include "llm/jinja/expression_parser.h"

#include <cstdlib>

#include "llm/jinja/builtins.h"

namespace hone::llm::jinja {

void ExpressionParser::error(std::string message, int line) const {
  throw TemplateError{std::move(message), line > 0 ? line : current().line};
}

void ExpressionParser::unexpected() const {
  switch (current().kind) {
    case TokenKind::kEnd: error("unexpected end of template");
    case TokenKind::kVariableEnd: error("unexpected end of print statement");
    case TokenKind::kBlockEnd: error("unexpected end of statement block");
    default: error("unexpected '" + current().text + "'");
  }
}

bool ExpressionParser::skip_operator(std::string_view text) {
  if (!is_operator(text)) return false;
  next();
  return true;
}
bool ExpressionParser::skip_name(std::string_view text) {
  if (!is_name(text)) return false;
  next();
  return true;
}
void ExpressionParser::expect_operator(std::string_view text) {
  if (!skip_operator(text)) unexpected();
}
std::string ExpressionParser::expect_name() {
  if (!is(TokenKind::kName)) unexpected();
  return next().text;
}

void ExpressionParser::note_unknown(std::string message) {
  if (soft_ == 0 && !unknown_) unknown_ = TemplateError{std::move(message), current().line};
}

void ExpressionParser::go_deeper() {
  if (++depth_ > kMaxTreeDepth) error("the template is nested too deep");
}

ExprPtr ExpressionParser::make(ExprKind kind, int line, std::string text) const {
  auto node = std::make_unique<Expr>();
  node->kind = kind;
  node->line = line;
  node->text = std::move(text);
  return node;
}

ExprPtr ExpressionParser::parse_expression(bool with_condition) {
  Deeper deeper(*this);
  return with_condition ? parse_condition() : parse_or();
}

ExprPtr ExpressionParser::parse_condition() {
  Deeper deeper(*this);
  const auto unknown_before = unknown_;
  ExprPtr node = parse_or();
  while (is_name("if")) {
    unknown_ = unknown_before;  // what stands in a branch fails only when it runs
    deeper.extend();
    const int line = next().line;
    ++soft_;
    ExprPtr condition = make(ExprKind::kCondition, line);
    condition->items.push_back(std::move(node));
    condition->items.push_back(parse_or());
    condition->items.push_back(skip_name("else") ? parse_condition() : nullptr);
    --soft_;
    node = std::move(condition);
  }
  return node;
}

ExprPtr ExpressionParser::parse_or() {
  Deeper deeper(*this);
  ExprPtr node = parse_and();
  while (is_name("or")) {
    deeper.extend();
    ExprPtr both = make(ExprKind::kBinary, next().line, "or");
    both->items.push_back(std::move(node));
    both->items.push_back(parse_and());
    node = std::move(both);
  }
  return node;
}

ExprPtr ExpressionParser::parse_and() {
  Deeper deeper(*this);
  ExprPtr node = parse_not();
  while (is_name("and")) {
    deeper.extend();
    ExprPtr both = make(ExprKind::kBinary, next().line, "and");
    both->items.push_back(std::move(node));
    both->items.push_back(parse_not());
    node = std::move(both);
  }
  return node;
}

ExprPtr ExpressionParser::parse_not() {
  if (!is_name("not")) return parse_compare();
  Deeper deeper(*this);
  ExprPtr node = make(ExprKind::kUnary, next().line, "not");
  node->items.push_back(parse_not());
  return node;
}

ExprPtr ExpressionParser::parse_compare() {
  ExprPtr first = parse_chain(0);
  ExprPtr compare;
  while (true) {
    std::string op;
    const int line = current().line;
    if (is(TokenKind::kOperator)) {
      for (const std::string_view known : {"==", "!=", "<", "<=", ">", ">="}) {
        if (current().text == known) op = known;
      }
      if (!op.empty()) next();
    } else if (skip_name("in")) {
      op = "in";
    } else if (is_name("not") && tokens_[at_ + 1].kind == TokenKind::kName &&
               tokens_[at_ + 1].text == "in") {
      next();
      next();
      op = "not in";
    }
    if (op.empty()) break;
    if (!compare) {
      compare = make(ExprKind::kCompare, line);
      compare->items.push_back(std::move(first));
    }
    compare->operators.push_back(op);
    compare->items.push_back(parse_chain(0));
  }
  return compare ? std::move(compare) : std::move(first);
}

// The levels of binary operators, from the loosest: sums, `~`, products, powers.
ExprPtr ExpressionParser::parse_chain(int level) {
  static const std::vector<std::vector<std::string_view>> kLevels = {
      {"+", "-"}, {"~"}, {"*", "/", "//", "%"}, {"**"}};
  if (level == static_cast<int>(kLevels.size())) return parse_unary(true);
  Deeper deeper(*this);
  ExprPtr node = parse_chain(level + 1);
  while (is(TokenKind::kOperator)) {
    bool known = false;
    for (const std::string_view op : kLevels[static_cast<size_t>(level)])
      known |= current().text == op;
    if (!known) break;
    deeper.extend();
    ExprPtr both = make(ExprKind::kBinary, current().line, current().text);
    next();
    both->items.push_back(std::move(node));
    both->items.push_back(parse_chain(level + 1));
    node = std::move(both);
  }
  return node;
}

ExprPtr ExpressionParser::parse_unary(bool with_filter) {
  Deeper deeper(*this);
  ExprPtr node;
  if (is_operator("-") || is_operator("+")) {
    node = make(ExprKind::kUnary, current().line, current().text);
    next();
    node->items.push_back(parse_unary(false));
  } else {
    node = parse_primary();
  }
  node = parse_postfix(std::move(node));
  return with_filter ? parse_filters(std::move(node), false) : std::move(node);
}

ExprPtr ExpressionParser::parse_number() {
  const Token& token = next();
  ExprPtr node = make(ExprKind::kConstant, token.line);
  bool ok = false;
  if (token.kind == TokenKind::kInteger) {
    node->value = Value::integer(parse_int(token.text, 0, ok));
    if (!ok)
      error("the integer " + token.text + " is malformed or does not fit 64 bits", token.line);
  } else {
    node->value = Value::real(parse_float(token.text, ok));
  }
  return node;
}

ExprPtr ExpressionParser::parse_primary() {
  Deeper deeper(*this);
  const int line = current().line;
  switch (current().kind) {
    case TokenKind::kName: {
      const std::string name = next().text;
      ExprPtr node = make(ExprKind::kConstant, line);
      if (name == "true" || name == "True") {
        node->value = Value::boolean(true);
      } else if (name == "false" || name == "False") {
        node->value = Value::boolean(false);
      } else if (name == "none" || name == "None") {
        node->value = Value::none();
      } else {
        node = make(ExprKind::kName, line, name);
        if (names_ != nullptr) names_->insert(name);
      }
      return node;
    }
    case TokenKind::kString: {
      std::string text = next().text;
      while (is(TokenKind::kString)) text += next().text;
      ExprPtr node = make(ExprKind::kConstant, line);
      node->value = Value::text(text);
      return node;
    }
    case TokenKind::kInteger:
    case TokenKind::kFloat: return parse_number();
    case TokenKind::kOperator: break;
    default: unexpected();
  }
  if (skip_operator("(")) {
    ExprPtr node = parse_tuple(true, true);
    expect_operator(")");
    return node;
  }
  if (is_operator("[")) return parse_list();
  if (is_operator("{")) return parse_dict();
  unexpected();
}

ExprPtr ExpressionParser::parse_list() {
  ExprPtr node = make(ExprKind::kList, next().line);
  while (!is_operator("]")) {
    if (!node->items.empty()) expect_operator(",");
    if (is_operator("]")) break;
    node->items.push_back(parse_expression());
  }
  next();
  return node;
}

ExprPtr ExpressionParser::parse_dict() {
  ExprPtr node = make(ExprKind::kDict, next().line);
  while (!is_operator("}")) {
    if (!node->items.empty()) expect_operator(",");
    if (is_operator("}")) break;
    node->items.push_back(parse_expression());
    expect_operator(":");
    node->items.push_back(parse_expression());
  }
  next();
  return node;
}

ExprPtr ExpressionParser::parse_tuple(bool with_condition, bool allow_empty, std::string_view end) {
  const auto at_end = [&] {
    return is(TokenKind::kVariableEnd) || is(TokenKind::kBlockEnd) || is_operator(")") ||
           (!end.empty() && is_name(end));
  };
  ExprPtr tuple = make(ExprKind::kTuple, current().line);
  bool has_comma = false;
  while (!at_end()) {
    tuple->items.push_back(parse_expression(with_condition));
    if (!is_operator(",")) break;
    has_comma = true;
    next();
  }
  if (has_comma) return tuple;
  if (tuple->items.empty()) {
    if (!allow_empty) unexpected();
    return tuple;
  }
  return std::move(tuple->items[0]);
}

ExprPtr ExpressionParser::parse_target(bool with_namespace, std::string_view end) {
  const int line = current().line;
  if (with_namespace && is(TokenKind::kName) && tokens_[at_ + 1].kind == TokenKind::kOperator &&
      tokens_[at_ + 1].text == ".") {
    ExprPtr name = make(ExprKind::kName, line, expect_name());
    next();
    if (names_ != nullptr) names_->insert(name->text);
    ExprPtr node = make(ExprKind::kAttribute, line, expect_name());
    node->items.push_back(std::move(name));
    return node;
  }
  ExprPtr tuple = make(ExprKind::kTuple, line);
  bool has_comma = false;
  while (!is(TokenKind::kBlockEnd) && !is_operator("=") && !is_operator(")") &&
         !(!end.empty() && is_name(end))) {
    Deeper deeper(*this);
    if (skip_operator("(")) {
      tuple->items.push_back(parse_target(with_namespace));
      expect_operator(")");
    } else {
      const std::string name = expect_name();
      for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
        if (name == constant) error("can't assign to '" + name + "'", line);
      }
      tuple->items.push_back(make(ExprKind::kName, line, name));
    }
    if (!is_operator(",")) break;
    has_comma = true;
    next();
  }
  if (tuple->items.empty()) unexpected();
  return has_comma ? std::move(tuple) : std::move(tuple->items[0]);
}

ExprPtr ExpressionParser::parse_postfix(ExprPtr node) {
  Deeper deeper(*this);
  while (is_operator(".") || is_operator("[") || is_operator("(")) {
    deeper.extend();
    if (is_operator("(")) {
      ExprPtr call = make(ExprKind::kCall, current().line);
      call->items.push_back(std::move(node));
      call->call = parse_call_arguments();
      node = std::move(call);
    } else {
      node = parse_subscript(std::move(node));
    }
  }
  return node;
}

ExprPtr ExpressionParser::parse_subscript(ExprPtr node) {
  const int line = current().line;
  if (skip_operator(".")) {
    ExprPtr result = make(ExprKind::kAttribute, line);
    result->items.push_back(std::move(node));
    if (is(TokenKind::kName)) {
      result->text = next().text;
    } else if (is(TokenKind::kInteger)) {
      result->kind = ExprKind::kIndex;
      result->items.push_back(parse_number());
    } else {
      error("expected a name or a number after '.'");
    }
    return result;
  }
  next();
  ExprPtr result = make(ExprKind::kIndex, line);
  result->items.push_back(std::move(node));
  ExprPtr tuple = make(ExprKind::kTuple, line);
  while (!is_operator("]")) {
    if (!tuple->items.empty()) expect_operator(",");
    tuple->items.push_back(parse_subscribed());
  }
  next();
  if (tuple->items.empty()) error("expected an index between '[' and ']'", line);
  if (tuple->items.size() == 1) {
    result->items.push_back(std::move(tuple->items[0]));
  } else {
    for (const ExprPtr& item : tuple->items) {
      if (item->kind == ExprKind::kSlice) error("a slice cannot stand beside another index", line);
    }
    result->items.push_back(std::move(tuple));
  }
  return result;
}

ExprPtr ExpressionParser::parse_subscribed() {
  const int line = current().line;
  ExprPtr start;
  if (!is_operator(":")) {
    start = parse_expression();
    if (!is_operator(":")) return start;
  }
  next();
  ExprPtr slice = make(ExprKind::kSlice, line);
  const auto at_end = [&] { return is_operator("]") || is_operator(","); };
  ExprPtr stop, step;
  if (!at_end() && !is_operator(":")) stop = parse_expression();
  if (skip_operator(":") && !at_end()) step = parse_expression();
  slice->items.push_back(std::move(start));
  slice->items.push_back(std::move(stop));
  slice->items.push_back(std::move(step));
  return slice;
}

CallArguments ExpressionParser::parse_call_arguments() {
  CallArguments result;
  const int line = current().line;
  expect_operator("(");
  bool first = true;
  while (!is_operator(")")) {
    if (!first) expect_operator(",");
    first = false;
    if (is_operator(")")) break;
    if (is_operator("*") && !result.star && !result.double_star) {
      next();
      result.star = parse_expression();
    } else if (is_operator("**") && !result.double_star) {
      next();
      result.double_star = parse_expression();
    } else if (is(TokenKind::kName) && tokens_[at_ + 1].kind == TokenKind::kOperator &&
               tokens_[at_ + 1].text == "=" && !result.double_star) {
      const std::string name = next().text;
      next();
      for (const auto& given : result.named) {
        if (given.first == name) error("keyword argument repeated: " + name, line);
      }
      result.named.emplace_back(name, parse_expression());
    } else if (result.named.empty() && !result.star && !result.double_star) {
      result.positional.push_back(parse_expression());
    } else {
      error("invalid syntax for function call expression", line);
    }
  }
  next();
  return result;
}

ExprPtr ExpressionParser::parse_filters(ExprPtr node, bool only_filters, bool start_inline) {
  Deeper deeper(*this);
  while (true) {
    if (start_inline || is_operator("|")) {
      if (!start_inline) next();
      start_inline = false;
      node = parse_filter(std::move(node));
    } else if (!only_filters && is_name("is")) {
      node = parse_test(std::move(node));
    } else if (!only_filters && is_operator("(")) {
      ExprPtr call = make(ExprKind::kCall, current().line);
      call->items.push_back(std::move(node));
      call->call = parse_call_arguments();
      node = std::move(call);
    } else {
      return node;
    }
    deeper.extend();
  }
}

ExprPtr ExpressionParser::parse_filter(ExprPtr node) {
  ExprPtr filter = make(ExprKind::kFilter, current().line);
  filter->text = expect_name();
  while (skip_operator(".")) filter->text += "." + expect_name();
  filter->filter = find_filter(filter->text);
  if (filter->filter == nullptr) note_unknown("No filter named '" + filter->text + "'.");
  filter->items.push_back(std::move(node));
  if (is_operator("(")) filter->call = parse_call_arguments();
  return filter;
}

ExprPtr ExpressionParser::parse_test(ExprPtr node) {
  const int line = next().line;
  const bool negated = skip_name("not");
  ExprPtr test = make(ExprKind::kTest, line, expect_name());
  while (skip_operator(".")) test->text += "." + expect_name();
  test->test = find_test(test->text);
  if (test->test == nullptr) note_unknown("No test named '" + test->text + "'.");
  test->items.push_back(std::move(node));
  const bool starts_value = is(TokenKind::kName) || is(TokenKind::kString) ||
                            is(TokenKind::kInteger) || is(TokenKind::kFloat) || is_operator("[") ||
                            is_operator("{");
  if (is_operator("(")) {
    test->call = parse_call_arguments();
  } else if (starts_value && !is_name("else") && !is_name("or") && !is_name("and")) {
    if (is_name("is")) error("You cannot chain multiple tests with is");
    test->call.positional.push_back(parse_postfix(parse_primary()));
  }
  if (!negated) return test;
  ExprPtr node_not = make(ExprKind::kUnary, line, "not");
  node_not->items.push_back(std::move(test));
  return node_not;
}

}  // namespace hone::llm::jinja
