#include "llm/jinja/lexer.h"

#include "llm/jinja/unicode.h"
#include "llm/jinja/value.h"

namespace hone::llm::jinja {
namespace {

// All line ends become \n, and one at the very end goes.
std::string normalise(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalise(source)), text_(source_) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) lex_data();
    emit(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void error(std::string message) { throw TemplateError{std::move(message), line_}; }
  bool looking_at(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  void emit(TokenKind kind, std::string_view text) {
    tokens_.push_back({kind, line_, std::string(text)});
  }
  void advance_to(size_t end) {
    for (; at_ < end; ++at_) line_ += text_[at_] == '\n';
    if (at_ > 0) line_starts_ = text_[at_ - 1] == '\n';
  }
  size_t skip_space(size_t at) const {
    while (at < text_.size()) {
      const CodePoint c = decode(text_, at);
      if (!is_space(c.value)) break;
      at += c.size;
    }
    return at;
  }
  static size_t strip_end(std::string_view text) {
    size_t end = text.size();
    while (end > 0) {
      size_t start = end - 1;
      while (start > 0 && (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) --start;
      if (!is_space(decode(text, start).value)) break;
      end = start;
    }
    return end;
  }

  // The text before a tag, cut as the tag's sign and lstrip_blocks want it.
  void emit_data(size_t begin, size_t end, char sign, bool is_variable) {
    std::string_view data = text_.substr(begin, end - begin);
    if (sign == '-') {
      data = data.substr(0, strip_end(data));
    } else if (sign != '+' && !is_variable) {
      const size_t newline = data.rfind('\n');
      const size_t start = newline == std::string_view::npos ? 0 : newline + 1;
      if ((start > 0 || line_starts_) && strip_end(data.substr(start)) == 0) {
        data = data.substr(0, start);
      }
    }
    if (!data.empty()) emit(TokenKind::kData, data);
    advance_to(end);
  }
  char sign_at(size_t at) const {
    return at < text_.size() && (text_[at] == '-' || text_[at] == '+') ? text_[at] : '\0';
  }

  void lex_data() {
    size_t tag = at_;
    while ((tag = text_.find('{', tag)) != std::string_view::npos) {
      const char next = tag + 1 < text_.size() ? text_[tag + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') break;
      ++tag;
    }
    if (tag == std::string_view::npos) {
      emit(TokenKind::kData, text_.substr(at_));
      advance_to(text_.size());
      return;
    }
    const char kind = text_[tag + 1];
    const char sign = sign_at(tag + 2);
    emit_data(at_, tag, sign, kind == '{');
    const size_t inside = tag + 2 + (sign != '\0');
    if (kind == '#') {
      lex_comment(tag + 2);
    } else if (kind == '%' && raw_end(inside) != 0) {
      advance_to(raw_end(inside));
      lex_raw();
    } else {
      emit(kind == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, "");
      advance_to(inside);
      lex_code(kind == '%');
    }
  }

  // After `%}` or `#}`: one newline goes.
  size_t after_newline(size_t at) const {
    return at < text_.size() && text_[at] == '\n' ? at + 1 : at;
  }

  void lex_comment(size_t from) {
    const size_t close = text_.find("#}", from);
    if (close == std::string_view::npos) error("Missing end of comment tag");
    const char sign = close > from ? text_[close - 1] : '\0';
    advance_to(sign == '-'   ? skip_space(close + 2)
               : sign == '+' ? close + 2
                             : after_newline(close + 2));
  }

  // The end of `raw %}` when that is what stands here, otherwise 0.
  size_t raw_end(size_t at) const {
    at = skip_space(at);
    if (!text_.substr(at).starts_with("raw")) return 0;
    at = skip_space(at + 3);
    if (text_.substr(at).starts_with("-%}")) return skip_space(at + 3);
    return text_.substr(at).starts_with("%}") ? at + 2 : 0;
  }
  void lex_raw() {
    for (size_t tag = at_; (tag = text_.find("{%", tag)) != std::string_view::npos; ++tag) {
      const char sign = sign_at(tag + 2);
      size_t at = skip_space(tag + 2 + (sign != '\0'));
      if (!text_.substr(at).starts_with("endraw")) continue;
      at = skip_space(at + 6);
      const std::string_view rest = text_.substr(at);
      size_t end = 0;
      if (rest.starts_with("+%}")) end = at + 3;
      if (rest.starts_with("-%}")) end = skip_space(at + 3);
      if (rest.starts_with("%}")) end = after_newline(at + 2);
      if (end == 0) continue;
      emit_data(at_, tag, sign, false);
      advance_to(end);
      return;
    }
    error("Missing end of raw directive");
  }

  void lex_code(bool is_block) {
    const std::string_view close = is_block ? "%}" : "}}";
    std::string brackets;
    while (true) {
      at_ = skip_lines(at_);
      if (at_ >= text_.size()) {
        error(is_block ? "unexpected end of template, expected 'end of statement block'"
                       : "unexpected end of template, expected 'end of print statement'");
      }
      if (brackets.empty() && close_tag(close, is_block)) return;
      lex_token(brackets);
    }
  }
  size_t skip_lines(size_t at) {
    const size_t end = skip_space(at);
    for (size_t i = at; i < end; ++i) line_ += text_[i] == '\n';
    return end;
  }
  bool close_tag(std::string_view close, bool is_block) {
    const char sign = sign_at(at_);
    const size_t start = at_ + (sign != '\0');
    if (!text_.substr(start).starts_with(close) || (sign == '+' && !is_block)) return false;
    emit(is_block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, "");
    size_t end = start + 2;
    if (sign == '-') {
      end = skip_space(end);
    } else if (is_block && sign == '\0') {
      end = after_newline(end);
    }
    advance_to(end);
    return true;
  }

  static bool is_digit_char(char c) { return c >= '0' && c <= '9'; }
  static bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit_char(c) || c == '_' ||
           static_cast<uint8_t>(c) >= 0x80;
  }

  void lex_token(std::string& brackets) {
    const char c = text_[at_];
    if (is_digit_char(c)) return lex_number();
    if (is_name_char(c)) {
      size_t end = at_;
      while (end < text_.size() && is_name_char(text_[end])) ++end;
      emit(TokenKind::kName, text_.substr(at_, end - at_));
      at_ = end;
      return;
    }
    if (c == '\'' || c == '"') return lex_string(c);
    lex_operator(brackets);
  }

  size_t digits(size_t at) const {
    while (at < text_.size() &&
           (is_digit_char(text_[at]) ||
            (text_[at] == '_' && at + 1 < text_.size() && is_digit_char(text_[at + 1])))) {
      ++at;
    }
    return at;
  }
  void lex_number() {
    const char prefix = at_ + 1 < text_.size() ? static_cast<char>(text_[at_ + 1] | 0x20) : '\0';
    size_t end = digits(at_);
    bool is_float = false;
    if (text_[at_] == '0' && (prefix == 'x' || prefix == 'o' || prefix == 'b')) {
      end = at_ + 2;
      while (end < text_.size() && is_name_char(text_[end])) ++end;
    } else {
      if (end + 1 < text_.size() && text_[end] == '.' && is_digit_char(text_[end + 1])) {
        is_float = true;
        end = digits(end + 1);
      }
      size_t exponent = end;
      if (exponent < text_.size() && (text_[exponent] | 0x20) == 'e') {
        ++exponent;
        if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-'))
          ++exponent;
        if (exponent < text_.size() && is_digit_char(text_[exponent])) {
          is_float = true;
          end = digits(exponent);
        }
      }
    }
    std::string number;
    for (const char c : text_.substr(at_, end - at_)) {
      if (c != '_') number += c;
    }
    emit(is_float ? TokenKind::kFloat : TokenKind::kInteger, number);
    at_ = end;
  }

  void lex_string(char quote) {
    const int line = line_;
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) error("a string is not closed");
    std::string value = unescape(text_.substr(at_ + 1, end - at_ - 1));
    advance_to(end + 1);
    tokens_.push_back({TokenKind::kString, line, std::move(value)});
  }
  std::string unescape(std::string_view raw) {
    std::string out;
    for (size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\' || i + 1 >= raw.size()) {
        out += raw[i];
        continue;
      }
      const char c = raw[++i];
      static constexpr std::string_view kFrom = "\\'\"abfnrtv";
      static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
      const size_t simple = kFrom.find(c);
      if (simple != std::string_view::npos) {
        out += kTo[simple];
      } else if (c == '\n') {
        continue;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        uint32_t code_point = hex(raw.substr(i + 1, count), count);
        i += count;
        encode(out, code_point);
      } else if (c >= '0' && c <= '7') {
        uint32_t code_point = 0;
        size_t used = 0;
        while (used < 3 && i + used < raw.size() && raw[i + used] >= '0' && raw[i + used] <= '7') {
          code_point = code_point * 8 + static_cast<uint32_t>(raw[i + used++] - '0');
        }
        i += used - 1;
        encode(out, code_point);
      } else if (c == 'N') {
        error("the string escape \\N{...} is not supported; write the character itself");
      } else {
        out += '\\';
        out += c;
      }
    }
    return out;
  }
  uint32_t hex(std::string_view digits_text, size_t count) {
    uint32_t value = 0;
    if (digits_text.size() < count) error("a string has a truncated escape");
    for (const char c : digits_text) {
      const char lower = static_cast<char>(c | 0x20);
      if (!is_digit_char(c) && !(lower >= 'a' && lower <= 'f'))
        error("a string has a truncated escape");
      value = value << 4 | static_cast<uint32_t>(is_digit_char(c) ? c - '0' : lower - 'a' + 10);
    }
    if (value > 0x10FFFF) error("a string has an escape beyond the last code point");
    return value;
  }

  void lex_operator(std::string& brackets) {
    for (const std::string_view two : {"//", "**", "==", "!=", ">=", "<="}) {
      if (looking_at(two)) {
        emit(TokenKind::kOperator, two);
        at_ += 2;
        return;
      }
    }
    const char c = text_[at_];
    if (std::string_view("+-/*%~[](){}>.<=:|,;").find(c) == std::string_view::npos) {
      error(std::string("unexpected char '") + c + "'");
    }
    if (c == '(' || c == '[' || c == '{') brackets += c;
    if (c == ')' || c == ']' || c == '}') {
      const char open = c == ')' ? '(' : c == ']' ? '[' : '{';
      if (brackets.empty()) error(std::string("unexpected '") + c + "'");
      if (brackets.back() != open)
        error(std::string("unexpected '") + c + "', the open bracket is '" + brackets.back() + "'");
      brackets.pop_back();
    }
    emit(TokenKind::kOperator, text_.substr(at_, 1));
    ++at_;
  }

  std::string source_;
  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starts_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace hone::llm::jinja
