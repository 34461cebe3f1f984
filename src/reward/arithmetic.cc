#include "reward/arithmetic.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "reward/match.h"

namespace hone::reward {

namespace {

constexpr size_t kMaxBytes = 4096;
constexpr size_t kMaxDepth = 64;

// Recursive descent; each function leaves at_ behind what it read, or says that it failed.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<Expression> whole() {
    Expression out;
    if (!sum(&out.value) || !(skip(), at_ == text_.size())) return std::nullopt;
    if (!std::isfinite(out.value)) return std::nullopt;
    out.numbers = std::move(numbers_);
    return out;
  }

 private:
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(std::string_view word) {
    skip();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool sum(double* value) {
    if (!product(value)) return false;
    while (true) {
      const bool plus = take("+");
      if (!plus && !take("-") && !take("\xE2\x88\x92")) return true;
      double next = 0;
      if (!product(&next)) return false;
      *value = plus ? *value + next : *value - next;
    }
  }

  bool product(double* value) {
    if (!factor(value)) return false;
    while (true) {
      const bool times = take("*") || take("x") || take("\xC3\x97");
      if (!times && !take("/") && !take("\xC3\xB7")) return true;
      double next = 0;
      if (!factor(&next) || (!times && next == 0)) return false;
      *value = times ? *value * next : *value / next;
    }
  }

  bool factor(double* value) {
    if (depth_ == kMaxDepth) return false;
    ++depth_;
    const bool good = take("-") ? negative(value) : take("(") ? inner(value) : number(value);
    --depth_;
    return good;
  }
  bool negative(double* value) {
    if (!factor(value)) return false;
    *value = -*value;
    return true;
  }
  bool inner(double* value) { return sum(value) && take(")"); }

  bool number(double* value) {
    skip();
    const size_t begin = at_;
    while (at_ < text_.size() && ((text_[at_] >= '0' && text_[at_] <= '9') || text_[at_] == '.')) {
      ++at_;
    }
    const char* end = text_.data() + at_;
    const auto [stop, status] = std::from_chars(text_.data() + begin, end, *value);
    if (at_ == begin || status != std::errc() || stop != end) return false;
    numbers_.push_back(*value);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0, depth_ = 0;
  std::vector<double> numbers_;
};

std::vector<double> column_numbers(const Sample& sample, const std::string& column,
                                   const std::string& reward) {
  const Json* value = sample.row == nullptr ? nullptr : sample.row->find(column);
  if (value == nullptr || !value->is_array())
    return numbers_of(column_text(sample, column, reward));
  std::vector<double> numbers;
  for (const Json& element : value->as_array()) numbers.push_back(element.as_double());
  return numbers;
}

class Arithmetic : public RewardFunction {
 public:
  explicit Arithmetic(Spec spec)
      : name_(spec.name()),
        column_(spec.text_of("column", "answer")),
        numbers_(spec.text_of("numbers", "")),
        tolerance_(spec.number_of("tolerance", 1e-9)) {
    spec.done();
  }
  const std::string& name() const override { return name_; }
  std::vector<std::optional<double>> score(std::span<const Sample> samples) override {
    std::vector<std::optional<double>> out;
    for (const Sample& sample : samples) out.push_back(value(sample));
    return out;
  }

 private:
  std::optional<double> value(const Sample& sample) const {
    const std::vector<double> wanted = numbers_of(column_text(sample, column_, name_));
    if (wanted.empty()) return std::nullopt;
    const std::string_view text = sample.completion;
    const size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
    const std::string_view line = text.substr(begin, text.find_first_of("=\n", begin) - begin);
    std::optional<Expression> said = evaluate(line);
    if (!said || std::abs(said->value - wanted.back()) > tolerance_) return 0;
    if (numbers_.empty()) return 1;
    std::vector<double> given = column_numbers(sample, numbers_, name_);
    std::sort(given.begin(), given.end());
    std::sort(said->numbers.begin(), said->numbers.end());
    return given == said->numbers ? 1 : 0;
  }

  std::string name_, column_, numbers_;
  double tolerance_;
};

}  // namespace

std::optional<Expression> evaluate(std::string_view text) {
  const size_t end = text.find_last_not_of(" \t\r");
  text = text.substr(0, end == std::string_view::npos ? 0 : end + 1);
  if (text.size() > kMaxBytes) return std::nullopt;
  return Parser(text).whole();
}

std::unique_ptr<RewardFunction> make_arithmetic(Spec spec) {
  return std::make_unique<Arithmetic>(std::move(spec));
}

}  // namespace hone::reward
