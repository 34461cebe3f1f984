#pragma once
// Text to token ids and back, for byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM) and
// SentencePiece-style BPE with byte fallback (Llama 2, Mistral). Follows Hugging Face tokenizers
// for tokenizer.json and llama.cpp for GGUF; where they disagree: tokenizer_gguf.h.
//
// Order of work: added tokens are cut out of the text; each section between them is normalised,
// cut at added tokens that are looked for after that, split into words by the pre-tokenizer, and
// each word is merged (bpe.h). A section never sees its neighbours.
//
// User text never becomes a special token: in a TextSpan that is not trusted, and everywhere when
// parse_special is false, "<|im_end|>" is ordinary characters; merges never form a special token.
//
// Text must be valid UTF-8 (invalid_input with the byte otherwise) and shorter than 2 GiB.
// Text that the vocabulary cannot express becomes the unknown token where the model has one for
// that. Otherwise it is left out, as the references do: SmolLM2 has no token for byte 0x1D, and a
// GGUF's unknown_token_id is <|endoftext|> there, which text must never become.
//
// Immutable after construction: any number of threads may use one Tokenizer at once.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llm/tokenizer/tokenizer_data.h"

namespace hone::llm {

struct EncodeOptions {
  bool add_special = true;    // BOS and EOS where the vocabulary asks for them
  bool parse_special = true;  // special tokens are recognised in (trusted) text
};

// A piece of a longer text. Special tokens are recognised only inside trusted text (neighbouring
// trusted spans count as one). Apart from that the spans are encoded as one text: words and merges
// run across their borders, and so do added tokens that are not special.
struct TextSpan {
  std::string_view text;
  bool trusted = false;
};

struct Encoding {
  std::vector<int32_t> ids;
  // Bytes of the concatenated text that each token stands for. Where the text is not changed by a
  // normaliser, the ranges of one text join without a gap and a token that is part of a character
  // has its own bytes of it. Empty for BOS, EOS and a space that was put in.
  std::vector<uint32_t> begin, end;
};

struct DecodeOptions {
  bool skip_special = true;
  // Drops the one space that a SentencePiece vocabulary puts in front of a text. False for text
  // that continues another.
  bool strip_leading_space = true;
};

class Tokenizer {
 public:
  // Throws corrupt_data when the data does not fit together or a regex does not compile.
  explicit Tokenizer(TokenizerData data);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  std::vector<int32_t> encode(std::string_view text, EncodeOptions options = {}) const;
  Encoding encode_with_ranges(std::string_view text, EncodeOptions options = {}) const;
  Encoding encode(std::span<const TextSpan> spans, EncodeOptions options = {}) const;

  // Valid UTF-8 whatever the ids: each maximal invalid part becomes one U+FFFD.
  // An id outside the vocabulary throws invalid_input.
  std::string decode(std::span<const int32_t> ids, DecodeOptions options = {}) const;

  // The token as the vocabulary writes it (byte-level: in GPT-2's alphabet).
  std::string_view piece(int32_t id) const;
  // The bytes it stands for: perhaps a part of a character, perhaps nothing.
  std::string_view bytes(int32_t id) const;
  // The id of a piece as the vocabulary writes it, special or not.
  std::optional<int32_t> find(std::string_view piece) const;

  bool is_special(int32_t id) const;  // control and unknown tokens; false outside the vocabulary
  bool is_end_of_generation(int32_t id) const;
  const std::vector<int32_t>& end_of_generation() const;  // ascending
  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;
  std::optional<int32_t> unk() const;
  std::optional<int32_t> pad() const;
  bool adds_bos() const;  // encode puts BOS in front when add_special
  bool adds_eos() const;
  // One more than the largest id. A model can have more rows than that (padding); the ids of those
  // rows mean nothing and cannot be decoded.
  size_t vocab_size() const;
  const TokenizerData& data() const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace hone::llm
