#include "llm/grammar/syntax.h"

#include <algorithm>

namespace hone::llm::grammar {

CodePoints normalized(CodePoints ranges) {
  constexpr uint32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;
  CodePoints cut;
  for (CodePointRange range : ranges) {
    range.last = std::min(range.last, kLastCodePoint);
    if (range.first > range.last) continue;
    if (range.first < kFirstSurrogate) {
      cut.push_back({range.first, std::min(range.last, kFirstSurrogate - 1)});
    }
    if (range.last > kLastSurrogate) {
      cut.push_back({std::max(range.first, kLastSurrogate + 1), range.last});
    }
  }
  std::sort(cut.begin(), cut.end());
  CodePoints out;
  for (const CodePointRange& range : cut) {
    if (!out.empty() && range.first <= out.back().last + 1) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

CodePoints complement(const CodePoints& ranges) {
  CodePoints out;
  uint32_t next = 0;
  for (const CodePointRange& range : normalized(ranges)) {
    if (range.first > next) out.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastCodePoint) out.push_back({next, kLastCodePoint});
  return normalized(std::move(out));
}

CodePoints intersection(const CodePoints& a, const CodePoints& b) {
  CodePoints both = complement(a);
  const CodePoints not_b = complement(b);
  both.insert(both.end(), not_b.begin(), not_b.end());
  return complement(both);
}

Expression literal(std::string_view text) {
  Expression out;
  out.kind = Expression::Kind::kLiteral;
  out.text = text;
  return out;
}

Expression characters(CodePoints set) {
  Expression out;
  out.kind = Expression::Kind::kCharacters;
  out.characters = normalized(std::move(set));
  return out;
}

Expression rule(uint32_t index) {
  Expression out;
  out.kind = Expression::Kind::kRule;
  out.rule = index;
  return out;
}

Expression sequence(std::vector<Expression> parts) {
  Expression out;
  out.parts = std::move(parts);
  return out;
}

Expression choice(std::vector<Expression> parts) {
  Expression out;
  out.kind = Expression::Kind::kChoice;
  out.parts = std::move(parts);
  return out;
}

Expression repeat(Expression part, uint32_t min, uint32_t max) {
  Expression out;
  out.kind = Expression::Kind::kRepeat;
  out.min = min;
  out.max = max;
  out.parts.push_back(std::move(part));
  return out;
}

Expression optional(Expression part) { return repeat(std::move(part), 0, 1); }

Expression special_token(std::string_view piece) {
  Expression out = literal(piece);
  out.kind = Expression::Kind::kSpecialToken;
  return out;
}

uint32_t Syntax::add(std::string name, Expression body) {
  rules.push_back({std::move(name), std::move(body)});
  return static_cast<uint32_t>(rules.size() - 1);
}

}  // namespace hone::llm::grammar
