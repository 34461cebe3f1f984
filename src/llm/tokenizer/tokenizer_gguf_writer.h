#pragma once
// A tokenizer as the metadata of a GGUF file: the counterpart of tokenizer_gguf.h, so that a folder
// with tokenizer.json becomes a file that llama.cpp can use alone. Keys and types are those that
// llama.cpp's converter writes; read back, the same text gives the same ids.
//
// - The list of tokens is as long as the model's embedding; ids without a token are [PAD<id>] of
//   type unused.
// - Byte-level: the pre-tokenizer's name is found by what it does (pre_tokenizers.h).
// - SentencePiece: scores from the ranks of the merges, minus the rank of the first merge that makes
//   the piece; llama.cpp then merges in the same order.
// - Added tokens that are not special are user-defined, whatever they look like: llama.cpp finds
//   them in every text, as Hugging Face does.
//
// What GGUF cannot say and nobody misses is left out: whether an added token is looked for before
// or after the normaliser, and Metaspace's "first" (llama.cpp puts the space behind every special
// token too, and in front of a text that has one already). BOS and EOS are always said explicitly.
//
// Errors: invalid_input names what would change ids: an unknown way of splitting, added tokens that
// take white space with them, other tokens than BOS and EOS around a text, merges out of order.

#include <cstddef>

#include "llm/tokenizer/tokenizer_data.h"
#include "llm/tokenizer/tokenizer_gguf.h"

namespace hone::llm {

// vocab_size: rows of the model's embedding, at least the number of tokens.
GgufTokenizerFields gguf_tokenizer(const TokenizerData& data, size_t vocab_size);

}  // namespace hone::llm
