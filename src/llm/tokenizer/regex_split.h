#pragma once
// Cuts text into words by the regexes of a tokenizer's pre-tokenizer, through PCRE2 (UTF, UCP, JIT
// where the system allows it).
//
// tokenizer.json is written for Oniguruma. What differs is translated: \s and \S mean Unicode's
// White_Space there, while PCRE2 also counts U+180E. Both follow the Unicode tables they were built
// with (PCRE2 10.42: Unicode 14), so letters newer than that can be classed differently.
//
// Errors: a regex that does not compile throws corrupt_data; a text on which a regex needs more
// steps than PCRE2's match limit throws invalid_input. Immutable after construction: any number of
// threads may call split() at once.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "llm/tokenizer/tokenizer_data.h"

namespace hone::llm {

struct Range {
  uint32_t begin = 0;
  uint32_t end = 0;
  bool operator==(const Range&) const = default;
};

class RegexSplitter {
 public:
  explicit RegexSplitter(const std::vector<SplitStep>& steps);
  ~RegexSplitter();
  RegexSplitter(RegexSplitter&&) noexcept;
  RegexSplitter& operator=(RegexSplitter&&) noexcept;

  // The words of valid UTF-8, in order, none empty. `words` is overwritten.
  void split(std::string_view text, std::vector<Range>& words) const;

 private:
  struct Step;
  std::vector<Step> steps_;
};

// The regex in PCRE2's words; seen by tests.
std::string translate_regex(std::string_view oniguruma);

// The regex that matches exactly this text.
std::string escape_regex(std::string_view literal);

}  // namespace hone::llm
