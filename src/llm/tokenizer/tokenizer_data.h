#pragma once
// A tokenizer as plain data: what a tokenizer.json or the metadata of a GGUF file says, in one
// form. The loaders (tokenizer_json.h, tokenizer_gguf.h) fill it, Tokenizer (tokenizer.h) runs it.
// Plain values: copy, move and inspect freely.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hone::llm {

enum class TokenizerModel {
  kByteLevelBpe,      // GPT-2, Llama 3, Qwen, SmolLM: bytes, merges in the order of training
  kSentencePieceBpe,  // Llama 2, Mistral 7B: characters, U+2581 for a space, bytes as <0x..>
};

// The numbers of tokenizer.ggml.token_type.
enum class TokenType : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

// A token that is cut out of the text before anything else happens to it.
struct AddedToken {
  int32_t id = 0;
  std::string text;
  bool special = false;      // recognised only in trusted text
  bool lstrip = false;       // takes the white space on its left with it
  bool rstrip = false;       // and on its right
  bool normalized = false;   // looked for after the normaliser, in its normalised form
  bool single_word = false;  // only where no letter, digit or underscore touches it
};

// One change of the text before it is split.
struct TextStep {
  enum class Kind {
    kNfc,
    kReplace,                  // every `pattern` becomes `content`
    kPrepend,                  // `content` in front of every non-empty section
    kPrependIfMissing,         // the same unless the section starts with it
    kPrependIfMissingAtStart,  // the same, only for the section that starts the text
  };
  Kind kind = Kind::kNfc;
  std::string pattern = {};
  std::string content = {};
};

// One cut of the text into words; each step cuts the words that the one before it made.
struct SplitStep {
  enum class Behavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext };
  std::string regex;  // Oniguruma syntax as tokenizer.json has it
  Behavior behavior = Behavior::kIsolated;
  bool invert = false;  // what lies between matches is the match
};

struct TokenizerData {
  TokenizerModel model = TokenizerModel::kByteLevelBpe;

  // Indexed by token id. An id that nothing uses has an empty piece and type kUnused.
  // Byte-level pieces are in GPT-2's printable alphabet, as in the files.
  std::vector<std::string> pieces;
  std::vector<TokenType> types;  // same size
  std::vector<float> scores;     // same size, or empty; SentencePiece merges by score need them

  struct Merge {
    int32_t left = 0;
    int32_t right = 0;
    int32_t result = 0;
  };
  std::vector<Merge> merges;  // in the order of their rank; empty: merge by score

  std::vector<TextStep> normalizer;
  std::vector<TextStep> pre_steps;  // after added tokens are cut out, before the splits
  std::vector<SplitStep> splits;
  std::vector<AddedToken> added_tokens;

  std::optional<int32_t> bos, eos, unk, pad;
  std::vector<int32_t> end_of_generation;  // any of them ends a generated text
  std::vector<int32_t> prefix;             // put in front by add_special: {bos} or nothing
  std::vector<int32_t> suffix;             // put behind by add_special: {eos} or nothing

  bool ignore_merges = false;  // a whole word that is in the vocabulary is taken as it is
  bool byte_fallback = false;  // SentencePiece: an unknown character becomes its bytes
  bool emit_unk = false;       // text that no token expresses becomes unk; otherwise it is left out
  bool fuse_unk = false;       // neighbouring unknowns become one
  bool strip_leading_space = false;  // decode() drops the space that encode() put in front
};

// Adds to `data.end_of_generation` every control or user-defined token whose text is known to end
// a turn (<|im_end|>, <|eot_id|>, </s>, ...), then eos; sorts and removes repetitions.
void complete_end_of_generation(TokenizerData& data);

// Throws corrupt_data when an id is out of range or the arrays do not fit together.
void check_tokenizer_data(const TokenizerData& data);

}  // namespace hone::llm
