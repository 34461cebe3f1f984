#pragma once
// What a drawn token does to its sample: the text that becomes certain, and whether it was the last.
//
// Internal to llm/batcher.h; the batcher's thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "llm/batch_sample.h"
#include "llm/batch_stream.h"

namespace hone::llm {

// The stream of a request's sample, before its first token and without a sequence.
std::unique_ptr<BatchStream> make_sample(const BatchStream& prompt, size_t number,
                                         const Tokenizer* tokenizer);

struct SampleEnd {
  FinishReason reason = FinishReason::kLength;
  std::string stop;              // the stop text, or empty
  int32_t token = -1;            // the end token, or -1
  std::string text;              // what was held back until now
  std::optional<Error> failure;  // the constraint's: the request ends with it
};

// Adds draw.token to the sample and tells the listener of it. An end when it was the last one.
std::optional<SampleEnd> write_token(const Draw& draw, const TokenDrawer& drawer,
                                     const Tokenizer* tokenizer, size_t context_length);

}  // namespace hone::llm
