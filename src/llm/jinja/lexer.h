#pragma once
// Template text to tokens, with the white space rules of transformers' environment already applied:
// trim_blocks, lstrip_blocks, `-` and `+` signs, raw blocks, comments, one final newline dropped.
// Throws TemplateError with a line.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone::llm::jinja {

enum class TokenKind : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 1;
  std::string text;  // a string with its escapes resolved; an operator as written
};

std::vector<Token> tokenize(std::string_view source);

}  // namespace hone::llm::jinja
