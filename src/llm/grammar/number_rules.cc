// Numbers within limits, digit by digit: where a number has the digits of a limit so far it is
// `tight` and the next digit is bound by the limit's; once it differs the rest is free.

#include <algorithm>
#include <optional>
#include <string>

#include "llm/grammar/json_rules.h"

namespace hone::llm::grammar {
namespace {

constexpr uint64_t kMostWhole = 999'999'999'999'999'999;  // 18 digits
constexpr size_t kMoreDigits = 6;  // of a fraction, behind those of its limit

Expression digit(char first, char last) {
  return characters({{static_cast<uint8_t>(first), static_cast<uint8_t>(last)}});
}

Expression any_digits(size_t min, size_t max) {
  return repeat(digit('0', '9'), static_cast<uint32_t>(min), static_cast<uint32_t>(max));
}

// The digits from `at` of numbers as long as low and high, which are equally long.
Expression digits_between(const std::string& low, const std::string& high, size_t at,
                          bool tight_low, bool tight_high) {
  if (at == low.size()) return sequence({});
  if (!tight_low && !tight_high) return any_digits(low.size() - at, low.size() - at);
  const char first = tight_low ? low[at] : '0', last = tight_high ? high[at] : '9';
  std::vector<Expression> ways;
  for (char d = first; d <= last;) {
    const bool at_low = tight_low && d == first, at_high = tight_high && d == last;
    char end = d;  // digits in the middle go together
    if (!at_low && !at_high) end = static_cast<char>(tight_high ? last - 1 : last);
    ways.push_back(sequence({digit(d, end), digits_between(low, high, at + 1, at_low, at_high)}));
    d = static_cast<char>(end + 1);
  }
  return choice(std::move(ways));
}

// Integers from low to high, both included.
Expression wholes_between(uint64_t low, uint64_t high) {
  std::vector<Expression> ways;
  uint64_t begin = low;
  while (begin <= high) {
    const std::string first = std::to_string(begin);
    uint64_t most = 9;  // the largest of its length
    for (size_t i = 1; i < first.size(); ++i) {
      most = most > (UINT64_MAX - 9) / 10 ? UINT64_MAX : most * 10 + 9;
    }
    uint64_t end = std::min(most, high);
    const bool whole_length = begin > 0 && end == most && begin - 1 == most / 10;
    if (whole_length) {  // and the lengths behind it that are whole too
      const size_t shortest = first.size() - 1;
      size_t longest = shortest;
      for (; end <= (UINT64_MAX - 9) / 10 && end * 10 + 9 <= high; end = end * 10 + 9) ++longest;
      ways.push_back(sequence({digit('1', '9'), any_digits(shortest, longest)}));
      if (end == high) break;
      begin = end + 1;
      continue;
    }
    ways.push_back(digits_between(first, std::to_string(end), 0, true, true));
    if (end == UINT64_MAX) break;
    begin = end + 1;
  }
  return choice(std::move(ways));
}

// A limit's size: whole digits without leading zeros ("0"), fraction without trailing zeros.
struct Decimal {
  bool negative = false;
  std::string whole = "0", fraction = {};
  bool is_zero() const { return whole == "0" && fraction.empty(); }
};

Decimal decimal_of(const Json& number) {
  std::string text = number.dump();
  Decimal out;
  if (text[0] == '-') {
    out.negative = true;
    text.erase(0, 1);
  }
  int exponent = 0;
  const size_t e = text.find('e');
  if (e != std::string::npos) {
    exponent = std::atoi(text.c_str() + e + 1);  // of a double: at most three digits
    text.resize(e);
  }
  const size_t point = std::min(text.find('.'), text.size());
  std::string digits = text.substr(0, point);
  auto whole_digits = static_cast<int>(point) + exponent;
  if (point < text.size()) digits += text.substr(point + 1);
  if (whole_digits < 0) {
    digits.insert(0, static_cast<size_t>(-whole_digits), '0');
    whole_digits = 0;
  }
  if (digits.size() < static_cast<size_t>(whole_digits)) {
    digits.resize(static_cast<size_t>(whole_digits), '0');
  }
  out.whole = digits.substr(0, static_cast<size_t>(whole_digits));
  out.fraction = digits.substr(static_cast<size_t>(whole_digits));
  out.whole.erase(0, std::min(out.whole.find_first_not_of('0'), out.whole.size()));
  if (out.whole.empty()) out.whole = "0";
  out.fraction.resize(out.fraction.find_last_not_of('0') + 1);
  return out;
}

// The fractions that a whole part may have.
class Fractions {
 public:
  // Null: no limit on that side.
  Fractions(const std::string* low, bool low_exclusive, const std::string* high,
            bool high_exclusive)
      : low_(low), high_(high), low_exclusive_(low_exclusive), high_exclusive_(high_exclusive) {
    most_ = std::max(low ? low->size() : 0, high ? high->size() : 0) + kMoreDigits;
    if (low == nullptr && high == nullptr) most_ = 18;
  }

  // The point and digits, or nothing where that is within.
  std::optional<Expression> make() const {
    std::vector<Expression> ways;
    if (may_end(0, low_ != nullptr, high_ != nullptr)) ways.push_back(sequence({}));
    if (auto more = digits_from(0, low_ != nullptr, high_ != nullptr)) {
      ways.push_back(sequence({literal("."), std::move(*more)}));
    }
    if (ways.empty()) return std::nullopt;
    return choice(std::move(ways));
  }

 private:
  static char digit_at(const std::string& text, size_t at) {
    return at < text.size() ? text[at] : '0';
  }

  // Limits have no trailing zeros, so a prefix of one is smaller than it.
  bool may_end(size_t at, bool tight_low, bool tight_high) const {
    if (tight_low && (at < low_->size() || low_exclusive_)) return false;
    return !(tight_high && at >= high_->size() && high_exclusive_);
  }

  // One digit and more.
  std::optional<Expression> digits_from(size_t at, bool tight_low, bool tight_high) const {
    if (at >= most_) return std::nullopt;
    if (!tight_low && !tight_high) return any_digits(1, most_ - at);
    std::vector<Expression> ways;
    for (char d = '0'; d <= '9'; ++d) {
      if (tight_low && d < digit_at(*low_, at)) continue;
      if (tight_high && d > digit_at(*high_, at)) continue;
      const bool at_low = tight_low && d == digit_at(*low_, at);
      const bool at_high = tight_high && d == digit_at(*high_, at);
      std::vector<Expression> rest;
      if (may_end(at + 1, at_low, at_high)) rest.push_back(sequence({}));
      if (auto more = digits_from(at + 1, at_low, at_high)) rest.push_back(std::move(*more));
      if (!rest.empty()) ways.push_back(sequence({digit(d, d), choice(std::move(rest))}));
    }
    if (ways.empty()) return std::nullopt;
    return choice(std::move(ways));
  }

  const std::string* low_;
  const std::string* high_;
  bool low_exclusive_, high_exclusive_;
  size_t most_;
};

struct Size {
  Decimal value;
  bool exclusive = false;
};

// Numbers without sign from low on, up to high when there is one.
void add_sizes(const Size& low, const Size* high, Expression sign, std::vector<Expression>& out) {
  const auto add = [&](Expression whole, const Fractions& fractions) {
    if (auto fraction = fractions.make()) {
      out.push_back(sequence({sign, std::move(whole), std::move(*fraction)}));
    }
  };
  if (low.value.whole.size() > 18) return;
  const uint64_t first = std::stoull(low.value.whole);
  const bool bounded = high != nullptr && high->value.whole.size() <= 18;
  const uint64_t last = bounded ? std::stoull(high->value.whole) : kMostWhole;
  if (first > last) return;
  if (bounded && first == last) {
    add(literal(low.value.whole),
        Fractions(&low.value.fraction, low.exclusive, &high->value.fraction, high->exclusive));
    return;
  }
  add(literal(low.value.whole), Fractions(&low.value.fraction, low.exclusive, nullptr, false));
  const uint64_t middle = bounded ? last - 1 : last;
  if (first < middle)
    add(wholes_between(first + 1, middle), Fractions(nullptr, false, nullptr, false));
  if (bounded) {
    add(literal(high->value.whole),
        Fractions(nullptr, false, &high->value.fraction, high->exclusive));
  }
}

// The nearest integer inside the limit. Limits beyond 64 bits are like none, or leave nothing.
std::optional<int64_t> whole_limit(const NumberLimit& limit, bool is_low) {
  const Decimal value = decimal_of(limit.value);
  if (value.whole.size() > 19) {
    // A limit that lies so far out that it does not bind; the caller has its own.
    return value.negative == is_low ? (is_low ? INT64_MIN : INT64_MAX) : std::optional<int64_t>();
  }
  const uint64_t size = std::stoull(value.whole);
  if (size > static_cast<uint64_t>(INT64_MAX)) {
    return value.negative == is_low ? (is_low ? INT64_MIN : INT64_MAX) : std::optional<int64_t>();
  }
  int64_t whole = static_cast<int64_t>(size);
  if (value.negative) whole = -whole;
  const bool exact = value.fraction.empty();
  // Towards zero by now; away from it where that is inside.
  if (is_low && ((exact && limit.exclusive) || (!exact && !value.negative))) {
    return whole == INT64_MAX ? std::optional<int64_t>() : whole + 1;
  }
  if (!is_low && ((exact && limit.exclusive) || (!exact && value.negative))) {
    return whole == INT64_MIN ? std::optional<int64_t>() : whole - 1;
  }
  return whole;
}

}  // namespace

std::optional<Expression> JsonRules::integer_between(const std::optional<NumberLimit>& low,
                                                     const std::optional<NumberLimit>& high) {
  constexpr auto kMost = static_cast<int64_t>(kMostWhole);
  int64_t first = -kMost, last = kMost;
  if (low) {
    const auto limit = whole_limit(*low, true);
    if (!limit) return std::nullopt;
    first = high ? *limit : std::max(*limit, -kMost);
    if (first > kMost) last = INT64_MAX;
  }
  if (high) {
    const auto limit = whole_limit(*high, false);
    if (!limit) return std::nullopt;
    last = low ? *limit : std::min(*limit, kMost);
    if (!low && last < -kMost) first = INT64_MIN;
  }
  if (first > last) return std::nullopt;
  const auto size = [](int64_t value) {
    return value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  };
  std::vector<Expression> ways;
  if (first < 0) {
    const uint64_t nearest = last < 0 ? size(last) : 1;
    ways.push_back(sequence({literal("-"), wholes_between(nearest, size(first))}));
  }
  if (last >= 0) ways.push_back(wholes_between(first > 0 ? size(first) : 0, size(last)));
  return choice(std::move(ways));
}

std::optional<Expression> JsonRules::number_between(const std::optional<NumberLimit>& low,
                                                    const std::optional<NumberLimit>& high) {
  std::vector<Expression> ways;
  const auto size_of = [](const NumberLimit& limit) {
    return Size{decimal_of(limit.value), limit.exclusive};
  };
  const std::optional<Size> least = low ? std::optional(size_of(*low)) : std::nullopt;
  const std::optional<Size> most = high ? std::optional(size_of(*high)) : std::nullopt;
  const bool below_zero = !least || (least->value.negative && !least->value.is_zero());
  const bool above_zero = !most || !most->value.negative || most->value.is_zero();
  if (below_zero) {
    // -0 is left to the other side.
    const bool ends_below = most && most->value.negative && !most->value.is_zero();
    const Size nearest = ends_below ? *most : Size{{}, true};
    add_sizes(nearest, least ? &*least : nullptr, literal("-"), ways);
  }
  if (above_zero) {
    const bool begins_above = least && !below_zero;
    const Size nearest = begins_above ? *least : Size{{}, false};
    add_sizes(nearest, most ? &*most : nullptr, sequence({}), ways);
  }
  if (ways.empty()) return std::nullopt;
  return choice(std::move(ways));
}

}  // namespace hone::llm::grammar
