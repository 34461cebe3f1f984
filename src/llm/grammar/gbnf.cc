#include "llm/grammar/gbnf.h"

#include <map>
#include <optional>
#include <string>

#include "base/utf8.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::grammar {
namespace {

constexpr size_t kMaxBytes = 1u << 20, kMaxDepth = 200, kMaxRules = 65536, kMaxRanges = 4096;
constexpr size_t kMaxRepeatsInRow = 8;
constexpr uint32_t kMaxRepeat = 1'000'000;

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Syntax parse() {
    skip_space(true);
    while (!at_end()) {
      parse_rule();
      skip_space(true);
    }
    for (size_t i = 0; i < defined_.size(); ++i) {
      if (defined_[i]) continue;
      at_ = first_use_[i];
      fail("the rule `" + syntax_.rules[i].name + "` is used but not defined");
    }
    const auto root = names_.find("root");
    if (root == names_.end()) {
      throw invalid_input("grammar: there is no rule named `root`; it says what an answer must be");
    }
    syntax_.root = root->second;
    return std::move(syntax_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    size_t line = 1, start = 0;
    for (size_t i = 0; i < at_ && i < text_.size(); ++i) {
      if (text_[i] == '\n') {
        ++line;
        start = i + 1;
      }
    }
    const size_t column = jinja::length(text_.substr(start, at_ - start)) + 1;
    throw invalid_input("grammar, line " + std::to_string(line) + ", column " +
                        std::to_string(column) + ": " + what);
  }

  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void skip_space(bool line_ends) {
    while (!at_end()) {
      const char c = text_[at_];
      if (c == '#') {
        while (!at_end() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || (line_ends && (c == '\n' || c == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  uint32_t rule_named(const std::string& name, size_t begin) {
    const auto [place, added] = names_.emplace(name, static_cast<uint32_t>(defined_.size()));
    if (added) {
      if (defined_.size() >= kMaxRules) fail("more than 65,536 rules");
      syntax_.add(name);
      defined_.push_back(false);
      first_use_.push_back(begin);
    }
    return place->second;
  }

  std::string parse_name() {
    const size_t begin = at_;
    while (!at_end() && is_name(text_[at_])) ++at_;
    if (begin == at_) fail("a rule name was expected (letters, digits, '-', '_')");
    return std::string(text_.substr(begin, at_ - begin));
  }

  void parse_rule() {
    const size_t begin = at_;
    const std::string name = parse_name();
    const uint32_t index = rule_named(name, begin);
    if (defined_[index]) {
      at_ = begin;
      fail("the rule `" + name + "` is defined twice");
    }
    defined_[index] = true;
    skip_space(false);
    if (text_.substr(at_, 3) != "::=") fail("`::=` was expected behind the name of a rule");
    at_ += 3;
    skip_space(true);
    syntax_.rules[index].body = parse_choice(0);
    if (!at_end() && peek() != '\n' && peek() != '\r') {
      fail(std::string("'") + peek() + "' was not expected here");
    }
  }

  // The next thing is a '|', perhaps on a later line.
  bool goes_on(size_t depth) {
    const size_t back = at_;
    skip_space(true);
    if (take('|')) {
      skip_space(true);
      return true;
    }
    if (depth == 0) at_ = back;
    return false;
  }

  Expression parse_choice(size_t depth) {
    if (depth > kMaxDepth) fail("groups are nested more than 200 deep");
    std::vector<Expression> parts;
    do {
      parts.push_back(parse_sequence(depth));
    } while (goes_on(depth));
    return parts.size() == 1 ? std::move(parts[0]) : choice(std::move(parts));
  }

  Expression parse_sequence(size_t depth) {
    std::vector<Expression> parts;
    size_t repeats = 0;  // marks behind the last part
    while (true) {
      skip_space(depth > 0);
      const char c = peek();
      if (c != '*' && c != '+' && c != '?' && c != '{') repeats = 0;
      if (c == '"') {
        parts.push_back(parse_literal());
      } else if (c == '[') {
        parts.push_back(parse_class());
      } else if (c == '.') {
        ++at_;
        parts.push_back(characters(complement({})));
      } else if (c == '(') {
        ++at_;
        skip_space(true);
        parts.push_back(parse_choice(depth + 1));
        skip_space(true);
        if (!take(')')) fail("`)` was expected");
      } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        if (parts.empty()) fail(std::string("`") + c + "` has nothing in front of it to repeat");
        if (++repeats > kMaxRepeatsInRow) fail("more than 8 repetitions of one another");
        parts.back() = parse_repeat(std::move(parts.back()));
      } else if (c == '<' || c == '!') {
        fail("token terminals (<...>) are not supported; write the text itself");
      } else if (!at_end() && is_name(c)) {
        const size_t begin = at_;
        const std::string name = parse_name();
        parts.push_back(rule(rule_named(name, begin)));
      } else {
        break;
      }
    }
    return parts.size() == 1 ? std::move(parts[0]) : sequence(std::move(parts));
  }

  uint32_t parse_count() {
    if (!is_digit(peek())) fail("a number of repetitions was expected");
    uint64_t value = 0;
    while (is_digit(peek())) {
      value = value * 10 + static_cast<uint64_t>(text_[at_++] - '0');
      if (value > kMaxRepeat) fail("more than 1,000,000 repetitions");
    }
    return static_cast<uint32_t>(value);
  }

  Expression parse_repeat(Expression part) {
    const char c = text_[at_++];
    if (c == '*') return repeat(std::move(part), 0, kNoLimit);
    if (c == '+') return repeat(std::move(part), 1, kNoLimit);
    if (c == '?') return optional(std::move(part));
    skip_space(false);
    const uint32_t min = peek() == ',' ? 0 : parse_count();
    uint32_t max = min;
    skip_space(false);
    if (take(',')) {
      skip_space(false);
      max = peek() == '}' ? kNoLimit : parse_count();
      skip_space(false);
    }
    if (!take('}')) fail("`}` was expected");
    if (max < min) fail("a repetition ends below where it begins");
    return repeat(std::move(part), min, max);
  }

  uint32_t parse_hex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const int digit = hex_value(peek());
      if (digit < 0) fail("an escape needs " + std::to_string(digits) + " hexadecimal digits");
      value = value * 16 + static_cast<uint32_t>(digit);
      ++at_;
    }
    if (value > kLastCodePoint || (value >= 0xD800 && value <= 0xDFFF)) {
      fail("an escape that is no character of Unicode");
    }
    return value;
  }

  // One character, perhaps escaped.
  uint32_t parse_character() {
    if (at_end()) fail("the text ends inside quotes or a class");
    if (!take('\\')) {
      const auto [value, size] = jinja::decode(text_, at_);
      at_ += size;
      return value;
    }
    const char c = peek();
    if (!at_end()) ++at_;
    switch (c) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'x': return parse_hex(2);
      case 'u': return parse_hex(4);
      case 'U': return parse_hex(8);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
      case '/': return static_cast<uint32_t>(c);
      default: --at_; fail("an unknown escape; known are n r t x u U \\ \" [ ] - ^");
    }
  }

  Expression parse_literal() {
    ++at_;
    std::string out;
    while (peek() != '"' || at_end()) {
      if (peek() == '\n') fail("a text in quotes ends on its own line; write \\n");
      jinja::encode(out, parse_character());
    }
    ++at_;
    return literal(out);
  }

  Expression parse_class() {
    ++at_;
    const bool negated = take('^');
    CodePoints set;
    while (at_end() || peek() != ']') {
      const uint32_t first = parse_character();
      uint32_t last = first;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        last = parse_character();
        if (last < first) fail("a range of characters ends below where it begins");
      }
      set.push_back({first, last});
      if (set.size() > kMaxRanges) fail("a class of more than 4,096 ranges");
    }
    ++at_;
    return characters(negated ? complement(set) : set);
  }

  std::string_view text_;
  size_t at_ = 0;
  Syntax syntax_;
  std::map<std::string, uint32_t> names_;
  std::vector<bool> defined_;
  std::vector<size_t> first_use_;
};

}  // namespace

Result<Syntax> parse_gbnf(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return Error(ErrorCode::kTooLarge, "grammar: its text is longer than 1 MiB");
  }
  if (const auto bad = find_invalid_utf8(text)) {
    return invalid_input("grammar: byte " + std::to_string(*bad) + " is not UTF-8");
  }
  try {
    return Parser(text).parse();
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace hone::llm::grammar
