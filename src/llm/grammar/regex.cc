#include "llm/grammar/regex.h"

#include <string>

#include "base/utf8.h"
#include "llm/jinja/unicode.h"

namespace hone::llm::grammar {
namespace {

constexpr size_t kMaxBytes = 16384, kMaxDepth = 100, kMaxRanges = 2048;
constexpr uint32_t kMaxRepeat = 10'000;
constexpr uint32_t kEnd = UINT32_MAX;

CodePoints digit_set() { return {{'0', '9'}}; }
CodePoints word_set() { return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; }
CodePoints space_set() {
  return {{9, 13},          {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
          {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
}
CodePoints any_but_line_ends() {
  return complement({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});
}

class Parser {
 public:
  Parser(std::string_view pattern, const SpellCharacters& spell) : spell_(spell) {
    for (size_t i = 0; i < pattern.size();) {
      const auto [value, size] = jinja::decode(pattern, i);
      text_.push_back(value);
      i += size;
    }
  }

  Expression parse() {
    std::vector<Expression> ways;
    do {
      ways.push_back(parse_anchored());
    } while (take('|'));
    if (at_ < text_.size()) fail("a `)` without its `(`");
    return choice(std::move(ways));
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw invalid_input("pattern, character " + std::to_string(at_ + 1) + ": " + what);
  }
  uint32_t peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : kEnd;
  }
  bool take(char c) {
    if (peek() != static_cast<uint32_t>(c)) return false;
    ++at_;
    return true;
  }

  // An outermost alternative with its anchors.
  Expression parse_anchored() {
    const Expression anything = repeat(spell_(complement({})), 0, kNoLimit);
    std::vector<Expression> parts;
    if (!take('^')) parts.push_back(anything);
    parts.push_back(parse_sequence(0));
    if (!take('$')) parts.push_back(anything);
    if (peek() != kEnd && peek() != '|' && peek() != ')') {
      fail("`$` may only stand at the end of the pattern");
    }
    return sequence(std::move(parts));
  }

  Expression parse_choice(size_t depth) {
    if (depth > kMaxDepth) fail("groups are nested more than 100 deep");
    std::vector<Expression> ways;
    do {
      ways.push_back(parse_sequence(depth));
      if (peek() == '$') fail("`$` inside a group is not supported; put it at the end");
    } while (take('|'));
    return choice(std::move(ways));
  }

  Expression parse_sequence(size_t depth) {
    std::vector<Expression> parts;
    while (true) {
      const uint32_t c = peek();
      if (c == kEnd || c == '|' || c == ')' || c == '$') return sequence(std::move(parts));
      Expression atom = parse_atom(depth);
      parts.push_back(parse_repeat(std::move(atom)));
    }
  }

  Expression parse_atom(size_t depth) {
    const uint32_t c = peek();
    switch (c) {
      case '(': return parse_group(depth);
      case '[': return spell_(parse_class());
      case '.': ++at_; return spell_(any_but_line_ends());
      case '\\': return spell_(parse_escape(false));
      case '^': fail("`^` may only stand at the beginning of the pattern");
      case '*':
      case '+':
      case '?':
      case '{': fail("a repetition has nothing in front of it");
      case '}':
      case ']': fail("a closing bracket without its opening one; write it with a backslash");
      default: ++at_; return spell_({{c, c}});
    }
  }

  Expression parse_group(size_t depth) {
    ++at_;
    if (take('?')) {
      if (peek() == '=' || peek() == '!') fail("look-ahead is not supported");
      if (take('<')) {
        if (peek() == '=' || peek() == '!') fail("look-behind is not supported");
        while (peek() != '>' && peek() != kEnd) ++at_;
        if (!take('>')) fail("the name of a group does not end");
      } else if (!take(':')) {
        fail("flags in a pattern are not supported");
      }
    }
    Expression out = parse_choice(depth + 1);
    if (!take(')')) fail("`)` was expected");
    return out;
  }

  uint32_t parse_count() {
    if (peek() < '0' || peek() > '9') fail("a number of repetitions was expected");
    uint32_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + (text_[at_++] - '0');
      if (value > kMaxRepeat) fail("more than 10,000 repetitions");
    }
    return value;
  }

  Expression parse_repeat(Expression atom) {
    uint32_t min = 0, max = kNoLimit;
    if (take('+')) {
      min = 1;
    } else if (take('?')) {
      max = 1;
    } else if (take('{')) {
      min = max = parse_count();
      if (take(',')) max = peek() == '}' ? kNoLimit : parse_count();
      if (!take('}')) fail("`}` was expected");
      if (max < min) fail("a repetition ends below where it begins");
    } else if (!take('*')) {
      return atom;
    }
    take('?');  // lazy: the same texts
    const uint32_t c = peek();
    if (c == '*' || c == '+' || c == '?' || c == '{') fail("a repetition of a repetition");
    return repeat(std::move(atom), min, max);
  }

  uint32_t parse_hex(size_t digits) {
    uint32_t value = 0;
    for (size_t i = 0; i < digits; ++i) {
      const uint32_t c = peek();
      uint32_t digit = 16;
      if (c >= '0' && c <= '9') digit = c - '0';
      if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
      if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
      if (digit == 16) fail("a hexadecimal digit was expected");
      value = value * 16 + digit;
      ++at_;
    }
    return value;
  }

  uint32_t parse_unicode() {
    uint32_t value = 0;
    if (take('{')) {
      for (int i = 0; i < 6 && peek() != '}'; ++i) value = value * 16 + parse_hex(1);
      if (!take('}')) fail("`}` was expected");
    } else {
      value = parse_hex(4);
      if (value >= 0xD800 && value < 0xDC00 && peek() == '\\' && peek(1) == 'u') {
        at_ += 2;
        value = 0x10000 + ((value - 0xD800) << 10) + ((parse_hex(4) - 0xDC00) & 0x3FF);
      }
    }
    if (value > kLastCodePoint || (value >= 0xD800 && value < 0xE000)) {
      fail("an escape that is no character of Unicode");
    }
    return value;
  }

  CodePoints parse_escape(bool in_class) {
    ++at_;
    const uint32_t c = peek();
    if (c != kEnd) ++at_;
    const auto one = [](uint32_t value) { return CodePoints{{value, value}}; };
    switch (c) {
      case 'd': return digit_set();
      case 'D': return complement(digit_set());
      case 'w': return word_set();
      case 'W': return complement(word_set());
      case 's': return space_set();
      case 'S': return complement(space_set());
      case 'n': return one('\n');
      case 'r': return one('\r');
      case 't': return one('\t');
      case 'f': return one('\f');
      case 'v': return one('\v');
      case '0':
        if (peek() >= '0' && peek() <= '9') fail("octal escapes are not supported");
        return one(0);
      case 'x': return one(parse_hex(2));
      case 'u': return one(parse_unicode());
      case 'b':
        if (in_class) return one('\b');
        fail("\\b (the border of a word) is not supported");
      case 'B': fail("\\B is not supported");
      case 'p':
      case 'P': fail("\\p (properties of Unicode) is not supported; list the ranges");
      case 'k': fail("references to groups are not supported");
      case kEnd: fail("the pattern ends with a backslash");
      default: break;
    }
    if (c >= '1' && c <= '9') fail("references to groups are not supported");
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) fail("an unknown escape");
    return one(c);
  }

  CodePoints parse_class() {
    ++at_;
    const bool negated = take('^');
    CodePoints set;
    while (peek() != ']') {
      if (peek() == kEnd) fail("the pattern ends inside a class");
      const CodePoints first = parse_class_atom();
      if (peek() == '-' && peek(1) != ']' && peek(1) != kEnd) {
        ++at_;
        const CodePoints last = parse_class_atom();
        if (first.size() != 1 || last.size() != 1 || first[0].first != first[0].last ||
            last[0].first != last[0].last || last[0].first < first[0].first) {
          fail("a range of characters that is none");
        }
        set.push_back({first[0].first, last[0].first});
      } else {
        set.insert(set.end(), first.begin(), first.end());
      }
      if (set.size() > kMaxRanges) fail("a class of more than 2,048 ranges");
    }
    ++at_;
    return negated ? complement(set) : normalized(set);
  }

  CodePoints parse_class_atom() {
    if (peek() == '\\') return parse_escape(true);
    const uint32_t c = text_[at_++];
    return {{c, c}};
  }

  std::vector<uint32_t> text_;
  size_t at_ = 0;
  const SpellCharacters& spell_;
};

}  // namespace

Result<Expression> parse_regex(std::string_view pattern, const SpellCharacters& spell) {
  if (pattern.size() > kMaxBytes) return invalid_input("pattern: it is longer than 16 KiB");
  if (find_invalid_utf8(pattern)) return invalid_input("pattern: it is not UTF-8");
  try {
    return Parser(pattern, spell).parse();
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace hone::llm::grammar
