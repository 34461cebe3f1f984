#pragma once
// The pre-tokenizers that a GGUF file names in tokenizer.ggml.pre, as the regexes of the
// tokenizer.json files they come from.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/tokenizer/tokenizer_data.h"

namespace hone::llm {

struct PreTokenizer {
  std::string_view name;  // the canonical one
  std::vector<TextStep> normalizer;
  std::vector<SplitStep> splits;
  bool ignore_merges = false;  // what the name implies where the file says nothing
  bool add_bos = false;
};

// Nothing when the name is not known.
std::optional<PreTokenizer> find_pre_tokenizer(std::string_view name);

// The canonical names.
std::vector<std::string_view> pre_tokenizer_names();

// "smollm (starcoder, ...), gpt-2 (...), ..." for messages.
std::string known_pre_tokenizers();

// GPT-2's split (Radford et al. 2019, encoder.py), which ByteLevel of tokenizer.json implies.
extern const char* const kGpt2Regex;
// Every number character on its own / runs of them: Digits of tokenizer.json.
extern const char* const kDigitRegex;
extern const char* const kDigitsRegex;

}  // namespace hone::llm
