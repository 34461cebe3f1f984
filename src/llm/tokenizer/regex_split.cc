#include "llm/tokenizer/regex_split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>

#include "base/error.h"

namespace hone::llm {
namespace {

// Unicode's White_Space, as the inside of a character class.
constexpr std::string_view kWhiteSpace =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}"
    "\\x{202f}\\x{205f}\\x{3000}";
constexpr size_t kRegexBytesMax = 1 << 16;

template <typename T, void (*kFree)(T*)>
struct Freer {
  void operator()(T* p) const { kFree(p); }
};
using Code = std::unique_ptr<pcre2_code, Freer<pcre2_code, pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Freer<pcre2_match_data, pcre2_match_data_free>>;

std::string pcre2_message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

Code compile(const std::string& regex, bool& has_jit) {
  const std::string translated = translate_regex(regex);
  int error = 0;
  PCRE2_SIZE at = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr));
  if (code == nullptr) {
    throw corrupt_data("tokenizer: the pre-tokenizer's regex \"" + regex +
                       "\" does not compile: " + pcre2_message(error));
  }
  has_jit = pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE) == 0;
  return code;
}

// Matches one regex in one text, from left to right.
class Matcher {
 public:
  Matcher(const pcre2_code* code, bool has_jit)
      : code_(code), has_jit_(has_jit), data_(pcre2_match_data_create(1, nullptr)) {
    if (data_ == nullptr) throw Error(ErrorCode::kInternal, "out of memory in a regex match");
  }

  // The next match from `from` on that is not empty, or false.
  bool next(std::string_view text, size_t from, Range& match) {
    while (from <= text.size()) {
      const int found = run(text, from);
      if (found == PCRE2_ERROR_NOMATCH) return false;
      if (found < 0) {
        throw invalid_input("tokenizer: the pre-tokenizer's regex gave up at byte " +
                            std::to_string(from) + " of a text (" + pcre2_message(found) +
                            "); shorten the text");
      }
      const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data_.get());
      if (range[1] > range[0]) {
        match = {static_cast<uint32_t>(range[0]), static_cast<uint32_t>(range[1])};
        return true;
      }
      from = range[1] + 1;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
    }
    return false;
  }

 private:
  int run(std::string_view text, size_t from) {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    if (has_jit_) {
      const int found = pcre2_jit_match(code_, subject, text.size(), from, PCRE2_NO_UTF_CHECK,
                                        data_.get(), nullptr);
      if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
    }
    return pcre2_match(code_, subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                       data_.get(), nullptr);
  }

  const pcre2_code* code_;
  bool has_jit_;
  MatchData data_;
};

void add(std::vector<Range>& words, uint32_t begin, uint32_t end) {
  if (end > begin) words.push_back({begin, end});
}

// Collects the alternating gaps and matches of one word as the behaviour says.
class Collector {
 public:
  Collector(SplitStep::Behavior behavior, std::vector<Range>& out)
      : behavior_(behavior), out_(out) {}

  void piece(Range range, bool is_match) {
    if (range.begin == range.end) return;
    using Behavior = SplitStep::Behavior;
    switch (behavior_) {
      case Behavior::kIsolated: out_.push_back(range); break;
      case Behavior::kRemoved:
        if (!is_match) out_.push_back(range);
        break;
      case Behavior::kMergedWithPrevious:
        if (is_match && !previous_was_match_ && has_previous_) {
          out_.back().end = range.end;
        } else {
          out_.push_back(range);
        }
        break;
      case Behavior::kMergedWithNext:
        if (!is_match && previous_was_match_) {
          out_.back().end = range.end;
        } else {
          out_.push_back(range);
        }
        break;
    }
    previous_was_match_ = is_match;
    has_previous_ = true;
  }

 private:
  SplitStep::Behavior behavior_;
  std::vector<Range>& out_;
  bool previous_was_match_ = false;
  bool has_previous_ = false;
};

}  // namespace

struct RegexSplitter::Step {
  Code code;
  bool has_jit = false;
  SplitStep::Behavior behavior = SplitStep::Behavior::kIsolated;
  bool invert = false;

  void split_word(std::string_view text, Range word, Matcher& matcher,
                  std::vector<Range>& out) const {
    const std::string_view subject = text.substr(word.begin, word.end - word.begin);
    Collector collector(behavior, out);
    uint32_t at = 0;
    Range match;
    while (at < subject.size() && matcher.next(subject, at, match)) {
      collector.piece({word.begin + at, word.begin + match.begin}, invert);
      collector.piece({word.begin + match.begin, word.begin + match.end}, !invert);
      at = match.end;
    }
    collector.piece({word.begin + at, word.end}, invert);
  }
};

RegexSplitter::RegexSplitter(const std::vector<SplitStep>& steps) {
  for (const SplitStep& step : steps) {
    if (step.regex.size() > kRegexBytesMax) {
      throw corrupt_data("tokenizer: a pre-tokenizer's regex is longer than " +
                         std::to_string(kRegexBytesMax) + " bytes");
    }
    Step compiled;
    compiled.code = compile(step.regex, compiled.has_jit);
    compiled.behavior = step.behavior;
    compiled.invert = step.invert;
    steps_.push_back(std::move(compiled));
  }
}

RegexSplitter::~RegexSplitter() = default;
RegexSplitter::RegexSplitter(RegexSplitter&&) noexcept = default;
RegexSplitter& RegexSplitter::operator=(RegexSplitter&&) noexcept = default;

void RegexSplitter::split(std::string_view text, std::vector<Range>& words) const {
  words.clear();
  add(words, 0, static_cast<uint32_t>(text.size()));
  std::vector<Range> finer;
  for (const Step& step : steps_) {
    finer.clear();
    Matcher matcher(step.code.get(), step.has_jit);
    for (const Range word : words) step.split_word(text, word, matcher, finer);
    words.swap(finer);
  }
}

std::string translate_regex(std::string_view oniguruma) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < oniguruma.size(); ++i) {
    const char c = oniguruma[i];
    if (c == '\\' && i + 1 < oniguruma.size()) {
      const char escaped = oniguruma[++i];
      if (escaped == 's' && in_class) {
        out += kWhiteSpace;
      } else if (escaped == 's') {
        out.append("[").append(kWhiteSpace).append("]");
      } else if (escaped == 'S' && !in_class) {
        out.append("[^").append(kWhiteSpace).append("]");
      } else {
        out.push_back(c);
        out.push_back(escaped);
      }
      continue;
    }
    if (c == '[' && in_class) {
      // Oniguruma reads a class inside a class here, PCRE2 a bracket.
      throw corrupt_data("tokenizer: the pre-tokenizer's regex \"" + std::string(oniguruma) +
                         "\" nests character classes, which Hone does not read");
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out.push_back(c);
  }
  return out;
}

std::string escape_regex(std::string_view literal) {
  std::string out;
  for (const char c : literal) {
    const bool plain = static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') ||
                       (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c <= ' ';
    if (!plain) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

}  // namespace hone::llm
