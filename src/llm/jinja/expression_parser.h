#pragma once
// The expressions of the grammar over a list of tokens; parser.cc adds the statements.

#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "llm/jinja/ast.h"
#include "llm/jinja/lexer.h"

namespace hone::llm::jinja {

class ExpressionParser {
 protected:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  ExprPtr parse_expression(bool with_condition = true);
  // `a`, `a, b`, and nothing at all where `allow_empty`; stops at the name `end`.
  ExprPtr parse_tuple(bool with_condition, bool allow_empty, std::string_view end = {});
  ExprPtr parse_target(bool with_namespace, std::string_view end = {});
  ExprPtr parse_primary();
  ExprPtr parse_postfix(ExprPtr node);
  ExprPtr parse_filters(ExprPtr node, bool only_filters, bool start_inline = false);
  CallArguments parse_call_arguments();

  const Token& current() const { return tokens_[at_]; }
  const Token& next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool is(TokenKind kind) const { return current().kind == kind; }
  bool is_operator(std::string_view text) const {
    return is(TokenKind::kOperator) && current().text == text;
  }
  bool is_name(std::string_view text) const {
    return is(TokenKind::kName) && current().text == text;
  }
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  void expect_operator(std::string_view text);
  std::string expect_name();
  [[noreturn]] void error(std::string message, int line = 0) const;
  [[noreturn]] void unexpected() const;

  // Counts nesting while it lives.
  class Deeper {
   public:
    explicit Deeper(ExpressionParser& parser) : parser_(parser) { parser_.go_deeper(); }
    ~Deeper() { parser_.depth_ -= count_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    // One more node on top of those that were made: a chain leans to the left.
    void extend() {
      parser_.go_deeper();
      ++count_;
    }

   private:
    ExpressionParser& parser_;
    int count_ = 1;
  };

  void note_unknown(std::string message);
  // The first filter or test of unknown name outside of every branch: an error after parsing.
  std::optional<TemplateError> unknown_;
  int soft_ = 0;  // inside `if`: an unknown filter is an error only when it runs
  std::set<std::string>* names_ = nullptr;  // the names that the macro being read mentions

 private:
  void go_deeper();
  ExprPtr make(ExprKind kind, int line, std::string text = {}) const;
  ExprPtr parse_condition();
  ExprPtr parse_or();
  ExprPtr parse_and();
  ExprPtr parse_not();
  ExprPtr parse_compare();
  ExprPtr parse_unary(bool with_filter);
  ExprPtr parse_chain(int level);
  ExprPtr parse_list();
  ExprPtr parse_dict();
  ExprPtr parse_subscript(ExprPtr node);
  ExprPtr parse_subscribed();
  ExprPtr parse_filter(ExprPtr node);
  ExprPtr parse_test(ExprPtr node);
  ExprPtr parse_number();

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace hone::llm::jinja
