#pragma once
// A tokenizer from a Hugging Face tokenizer.json, with tokenizer_config.json and
// generation_config.json beside it where they exist.
//
// Read: model BPE (merges as "a b" or ["a", "b"]; byte_fallback, fuse_unk, ignore_merges);
// normalizer NFC, Prepend, Replace of a string, Sequence; pre_tokenizer Split, Digits, ByteLevel,
// Metaspace, Sequence; post_processor TemplateProcessing around one text, ByteLevel, Sequence;
// decoder ByteLevel or SentencePiece's steps; added_tokens with their flags. Everything else is
// refused by its name (invalid_input), since leaving a step out would change ids in silence.
// truncation and padding are settings of a call there, and not read.
//
// From tokenizer_config.json: bos_token, eos_token, pad_token; add_bos_token and
// add_eos_token where they are there (they win over the post_processor). From
// generation_config.json: eos_token_id, one or a list, all of which end a generation.

#include "base/json.h"
#include "llm/tokenizer/tokenizer_data.h"

namespace hone::llm {

// The second and third may be nullptr.
TokenizerData tokenizer_from_json(const Json& tokenizer, const Json* tokenizer_config,
                                  const Json* generation_config);

}  // namespace hone::llm
