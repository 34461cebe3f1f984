#include "llm/jinja/parser.h"

#include <set>
#include <string>

#include "llm/jinja/expression_parser.h"

namespace hone::llm::jinja {
namespace {

class Parser : public ExpressionParser {
 public:
  explicit Parser(std::string_view source) : ExpressionParser(tokenize(source)) {}

  Block parse() {
    Block block = parse_until({}, "");
    if (!is(TokenKind::kEnd)) unexpected();
    if (unknown_) throw *unknown_;
    return block;
  }

 private:
  // Statements up to `{% name` for one of `ends`; the name stays to be read.
  Block parse_until(std::initializer_list<std::string_view> ends, std::string_view opened) {
    Deeper deeper(*this);
    Block block;
    while (true) {
      switch (current().kind) {
        case TokenKind::kEnd:
          if (ends.size() == 0) return block;
          error("unexpected end of template: '" + std::string(*(ends.end() - 1)) +
                "' is missing for '" + std::string(opened) + "'");
        case TokenKind::kData: {
          auto data = make(StatementKind::kData);
          data->text.append(next().text, kFromTemplate);
          block.push_back(std::move(data));
          break;
        }
        case TokenKind::kVariableBegin: {
          auto print = make(StatementKind::kPrint);
          next();
          print->expr = parse_tuple(true, false);
          expect_end(TokenKind::kVariableEnd);
          block.push_back(std::move(print));
          break;
        }
        case TokenKind::kBlockBegin: {
          next();
          for (const std::string_view end : ends) {
            if (is_name(end)) return block;
          }
          parse_statement(block);
          break;
        }
        default: unexpected();
      }
    }
  }

  std::unique_ptr<Statement> make(StatementKind kind) const {
    auto statement = std::make_unique<Statement>();
    statement->kind = kind;
    statement->line = current().line;
    return statement;
  }
  void expect_end(TokenKind kind) {
    if (!is(kind)) unexpected();
    next();
  }
  void end_block() { expect_end(TokenKind::kBlockEnd); }
  // The body of a statement and its end tag.
  Block body(std::string_view opened, std::string_view end) {
    end_block();
    Block block = parse_until({end}, opened);
    next();
    end_block();
    return block;
  }

  void parse_statement(Block& block) {
    if (!is(TokenKind::kName)) error("tag name expected");
    const std::string tag = current().text;
    auto statement = make(StatementKind::kData);
    next();
    if (tag == "if") {
      parse_if(*statement);
    } else if (tag == "for") {
      parse_for(*statement);
    } else if (tag == "set") {
      parse_set(*statement);
    } else if (tag == "print") {
      return parse_print(block);
    } else if (tag == "with") {
      parse_with(*statement);
    } else if (tag == "macro") {
      parse_macro(*statement);
    } else if (tag == "call") {
      parse_call_block(*statement);
    } else if (tag == "filter") {
      statement->kind = StatementKind::kFilterBlock;
      statement->filter = parse_filters(nullptr, true, true);
      statement->body = body(tag, "endfilter");
    } else if (tag == "generation") {
      statement->kind = StatementKind::kGeneration;
      statement->body = body(tag, "endgeneration");
    } else if (tag == "break" || tag == "continue") {
      if (loops_ == 0) error("'" + tag + "' stands outside of a loop");
      statement->kind = tag == "break" ? StatementKind::kBreak : StatementKind::kContinue;
      end_block();
    } else {
      refuse(tag);
    }
    block.push_back(std::move(statement));
  }

  [[noreturn]] void refuse(const std::string& tag) {
    for (const std::string_view known :
         {"include", "import", "from", "extends", "block", "autoescape"}) {
      if (tag == known) error("'" + tag + "' is not supported in a chat template");
    }
    error("Encountered unknown tag '" + tag + "'.");
  }

  void parse_if(Statement& statement) {
    statement.kind = StatementKind::kIf;
    ++soft_;
    std::string tag = "if";
    while (tag == "if" || tag == "elif") {
      ExprPtr test = parse_tuple(false, false);
      end_block();
      Block block = parse_until({"elif", "else", "endif"}, "if");
      statement.branches.emplace_back(std::move(test), std::move(block));
      tag = next().text;
    }
    if (tag == "else") {
      end_block();
      statement.otherwise = parse_until({"endif"}, "if");
      next();
    }
    --soft_;
    end_block();
  }

  void parse_for(Statement& statement) {
    statement.kind = StatementKind::kFor;
    statement.target = parse_target(false, "in");
    if (!skip_name("in")) unexpected();
    statement.expr = parse_tuple(false, false, "recursive");
    if (skip_name("if")) statement.test = parse_expression();
    statement.recursive = skip_name("recursive");
    end_block();
    ++loops_;
    statement.body = parse_until({"else", "endfor"}, "for");
    --loops_;
    if (next().text == "else") {
      end_block();
      statement.otherwise = parse_until({"endfor"}, "for");
      next();
    }
    end_block();
  }

  void parse_set(Statement& statement) {
    statement.target = parse_target(true);
    if (skip_operator("=")) {
      statement.kind = StatementKind::kSet;
      statement.expr = parse_tuple(true, false);
      end_block();
      return;
    }
    statement.kind = StatementKind::kSetBlock;
    statement.filter = parse_filters(nullptr, true);
    statement.body = body("set", "endset");
  }

  void parse_print(Block& block) {
    while (!is(TokenKind::kBlockEnd)) {
      auto print = make(StatementKind::kPrint);
      print->expr = parse_expression();
      block.push_back(std::move(print));
      if (!skip_operator(",")) break;
    }
    end_block();
  }

  void parse_with(Statement& statement) {
    statement.kind = StatementKind::kWith;
    while (!is(TokenKind::kBlockEnd)) {
      if (!statement.targets.empty() && !skip_operator(",")) unexpected();
      statement.targets.push_back(parse_target(false));
      expect_operator("=");
      statement.values.push_back(parse_expression());
    }
    statement.body = body("with", "endwith");
  }

  void parse_signature(Statement& statement) {
    expect_operator("(");
    while (!is_operator(")")) {
      if (!statement.names.empty()) expect_operator(",");
      if (is_operator(")")) break;
      statement.names.push_back(expect_name());
      if (skip_operator("=")) {
        statement.values.push_back(parse_expression());
      } else if (!statement.values.empty()) {
        error("non-default argument follows default argument");
      }
    }
    next();
  }

  // Reads a macro's body and notes which of the implicit names it mentions.
  void parse_macro_body(Statement& statement, std::string_view opened, std::string_view end) {
    std::set<std::string> names;
    std::set<std::string>* outer = names_;
    names_ = &names;
    const int loops = loops_;
    loops_ = 0;
    statement.body = body(opened, end);
    loops_ = loops;
    names_ = outer;
    statement.uses_varargs = names.count("varargs") > 0;
    statement.uses_kwargs = names.count("kwargs") > 0;
    statement.uses_caller = names.count("caller") > 0;
    if (outer != nullptr) outer->insert(names.begin(), names.end());
  }

  void parse_macro(Statement& statement) {
    statement.kind = StatementKind::kMacro;
    statement.name = expect_name();
    parse_signature(statement);
    parse_macro_body(statement, "macro", "endmacro");
  }

  void parse_call_block(Statement& statement) {
    statement.kind = StatementKind::kCallBlock;
    if (is_operator("(")) parse_signature(statement);
    statement.expr = parse_expression();
    if (statement.expr->kind != ExprKind::kCall) error("expected call", statement.line);
    parse_macro_body(statement, "call", "endcall");
  }

  int loops_ = 0;
};

}  // namespace

Block parse_template(std::string_view source) { return Parser(source).parse(); }

}  // namespace hone::llm::jinja
