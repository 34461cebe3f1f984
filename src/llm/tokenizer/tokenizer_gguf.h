#pragma once
// A tokenizer from the metadata of a GGUF file (keys tokenizer.ggml.*). The caller reads the file
// and fills the fields; what a key leaves out is an empty vector or optional.
//
// Defaults are llama.cpp's: model "llama" has BOS 1, EOS 2, unknown 0, adds BOS and a space prefix;
// "gpt2" adds BOS only for llama-bpe. Two deliberate differences, both to follow the tokenizer.json
// that such a file was made from: qwen2 normalises to NFC, and a piece of control type is never
// formed by merging text.
// Added tokens (control, unknown, user-defined) are found leftmost-longest; llama.cpp looks for
// each in turn, longest first, which differs only where two of them overlap in a text.
//
// Errors: corrupt_data for arrays that do not fit together; invalid_input names a model or
// pre-tokenizer that Hone does not know, with those it does.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "llm/tokenizer/tokenizer_data.h"

namespace hone::llm {

struct GgufTokenizerFields {
  std::string model;                                    // tokenizer.ggml.model: "gpt2" or "llama"
  std::optional<std::string> pre;                       // .pre
  std::vector<std::string> tokens;                      // .tokens
  std::vector<int32_t> token_types;                     // .token_type; empty: all normal
  std::vector<float> scores;                            // .scores
  std::vector<std::string> merges;                      // .merges: "left right"
  std::optional<int64_t> bos, eos, eot, eom, unk, pad;  // .bos_token_id, .eos_token_id, ...
  std::optional<bool> add_bos, add_eos, add_space_prefix;  // .add_bos_token, ...
};

TokenizerData tokenizer_from_gguf(const GgufTokenizerFields& fields);

}  // namespace hone::llm
