#include "reward/match.h"

#include <re2/re2.h>

#include <charconv>
#include <cmath>

#include "base/error.h"

namespace hone::reward {

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

namespace {

constexpr size_t kMaxPatternMemory = size_t{8} << 20;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class ByColumn : public RewardFunction {
 public:
  ByColumn(Spec& spec) : name_(spec.name()), column_(spec.text_of("column", "answer")) {}
  const std::string& name() const override { return name_; }
  std::vector<std::optional<double>> score(std::span<const Sample> samples) override {
    std::vector<std::optional<double>> out;
    for (const Sample& sample : samples) {
      out.push_back(value(sample.completion, column_text(sample, column_, name_)));
    }
    return out;
  }

 protected:
  virtual std::optional<double> value(std::string_view answer, const std::string& wanted) = 0;

 private:
  std::string name_, column_;
};

class Exact : public ByColumn {
 public:
  explicit Exact(Spec spec)
      : ByColumn(spec), ignore_case_(spec.one_of("case", {"exact", "ignore"}) == "ignore") {
    spec.done();
  }

 protected:
  std::optional<double> value(std::string_view answer, const std::string& wanted) override {
    const std::string_view a = trimmed(answer), b = trimmed(wanted);
    return (ignore_case_ ? lower(a) == lower(b) : a == b) ? 1 : 0;
  }

 private:
  bool ignore_case_;
};

class Numeric : public ByColumn {
 public:
  explicit Numeric(Spec spec)
      : ByColumn(spec),
        take_(spec.one_of("take", {"last", "first", "only"})),
        tolerance_(spec.number_of("tolerance", 0)) {
    spec.done();
  }

 protected:
  std::optional<double> value(std::string_view answer, const std::string& wanted) override {
    const std::vector<double> right = numbers_of(wanted), said = numbers_of(answer);
    if (right.empty()) return std::nullopt;
    if (said.empty() || (take_ == "only" && said.size() != 1)) return 0;
    const double taken = take_ == "first" ? said.front() : said.back();
    return std::abs(taken - right.back()) <= tolerance_ ? 1 : 0;
  }

 private:
  std::string take_;
  double tolerance_;
};

class Prefix : public ByColumn {
 public:
  explicit Prefix(Spec spec) : ByColumn(spec) { spec.done(); }

 protected:
  std::optional<double> value(std::string_view answer, const std::string& wanted) override {
    const std::string_view a = trimmed(answer), b = trimmed(wanted);
    if (b.empty()) return std::nullopt;
    size_t same = 0;
    while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
    return static_cast<double>(same) / static_cast<double>(b.size());
  }
};

class Regex : public RewardFunction {
 public:
  explicit Regex(Spec spec)
      : name_(spec.name()), full_(spec.one_of("match", {"search", "full"}) == "full") {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(true);
    options.set_max_mem(kMaxPatternMemory);
    options.set_case_sensitive(spec.one_of("case", {"exact", "ignore"}) == "exact");
    const std::string pattern = spec.needed("pattern");
    spec.done();
    pattern_ = std::make_unique<RE2>(pattern, options);
    if (!pattern_->ok()) {
      throw invalid_input("--reward \"" + spec.text() +
                          "\": the pattern cannot be read: " + pattern_->error() +
                          " (RE2's syntax: no look-around, no back-references)");
    }
  }
  const std::string& name() const override { return name_; }
  std::vector<std::optional<double>> score(std::span<const Sample> samples) override {
    std::vector<std::optional<double>> out;
    for (const Sample& sample : samples) {
      const re2::StringPiece text(sample.completion.data(), sample.completion.size());
      out.push_back(
          (full_ ? RE2::FullMatch(text, *pattern_) : RE2::PartialMatch(text, *pattern_)) ? 1 : 0);
    }
    return out;
  }

 private:
  std::string name_;
  bool full_;
  std::unique_ptr<RE2> pattern_;
};

}  // namespace

std::vector<double> numbers_of(std::string_view text, size_t most) {
  std::vector<double> numbers;
  size_t at = 0;
  while (at < text.size() && numbers.size() < most) {
    if (!is_digit(text[at]) &&
        !(text[at] == '.' && at + 1 < text.size() && is_digit(text[at + 1]))) {
      ++at;
      continue;
    }
    // A minus is a sign unless a digit, a letter or a bracket stands before it.
    const size_t begin = at;
    std::string digits;
    if (begin > 0 && text[begin - 1] == '-') {
      const char before = begin > 1 ? text[begin - 2] : ' ';
      const bool between = is_digit(before) || before == ')' || (before >= 'A' && before <= 'Z') ||
                           (before >= 'a' && before <= 'z');
      if (!between) digits = "-";
    }
    bool fraction = false;
    for (; at < text.size(); ++at) {
      const char c = text[at];
      if (is_digit(c)) {
        digits += c;
      } else if (c == '.' && !fraction && at + 1 < text.size() && is_digit(text[at + 1])) {
        fraction = true;
        digits += c;
      } else if (c == ',' && !fraction && at > begin && at + 3 < text.size() &&
                 is_digit(text[at + 1]) && is_digit(text[at + 2]) && is_digit(text[at + 3]) &&
                 (at + 4 == text.size() || !is_digit(text[at + 4]))) {
        // Between thousands.
      } else {
        break;
      }
    }
    double number = 0;
    const auto [stop, status] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (status == std::errc()) numbers.push_back(number);
  }
  return numbers;
}

std::string column_text(const Sample& sample, const std::string& column,
                        const std::string& reward) {
  const Json* value = sample.row == nullptr ? nullptr : sample.row->find(column);
  if (value != nullptr && value->is_string()) return value->as_string();
  if (value != nullptr && value->is_integer()) return value->dump();
  if (value != nullptr && value->is_number()) return number_to_string(value->as_double());
  throw invalid_input(
      std::string(sample.row_name) + ": reward " + reward +
      (value == nullptr ? " needs the column \"" : " cannot read the column \"") + column + "\"" +
      (value == nullptr
           ? ", which the row does not have"
           : ": expected a string or a number, found " + std::string(value->kind_name())) +
      " (column=NAME names another)");
}

std::unique_ptr<RewardFunction> make_exact(Spec spec) {
  return std::make_unique<Exact>(std::move(spec));
}
std::unique_ptr<RewardFunction> make_numeric(Spec spec) {
  return std::make_unique<Numeric>(std::move(spec));
}
std::unique_ptr<RewardFunction> make_regex(Spec spec) {
  return std::make_unique<Regex>(std::move(spec));
}
std::unique_ptr<RewardFunction> make_prefix(Spec spec) {
  return std::make_unique<Prefix>(std::move(spec));
}

}  // namespace hone::reward
