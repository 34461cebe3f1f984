#pragma once
// What the batcher knows of a request and of each text that it reads or writes for it.
//
// A stream is one text: first the prompt, then, forked from it, each sample. A stream always has
// tokens, of which the first `read` are in the KV cache; a pass reads some more; when all are read,
// what follows is known: the next token of a sample, or that the prompt is done. Writing is the case
// of one unread token. So a stream that was put aside for lack of pages is only one that has to be
// read again.
//
// Internal to llm/batcher.h.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "llm/batcher.h"
#include "llm/kv_cache.h"
#include "llm/prefix_cache.h"
#include "llm/stop_texts.h"
#include "llm/tokenizer/stream_decoder.h"

namespace hone::llm {

struct BatchStream;

struct RunningRequest {
  Batcher::Id id = 0;
  BatchRequest request;
  BatchListener* listener = nullptr;
  size_t streams = 0;  // alive
  bool over = false;   // its on_done was called
  bool seen_cache = false;
  size_t cached_tokens = 0;
  std::vector<PromptTokenScore> scores;  // of the prompt, as far as it was read
  std::vector<double> pooled;            // sum of the rows, in the order of positions
};

struct BatchStream {
  std::shared_ptr<RunningRequest> owner;
  bool is_prompt = true;
  size_t sample = 0;
  std::vector<int32_t> tokens;            // prompt and answer so far
  std::vector<TokenScore> answer_scores;  // one per token of the answer

  // Where it stands.
  bool active = false;  // has one of the places of the batch
  bool over = false;
  std::optional<KvCache::SequenceId> sequence;
  size_t read = 0;     // tokens in the cache
  size_t planned = 0;  // to be read in the pass that is being made
  // The final norm's row of token read - 1, where a pass is not needed to have it again: it comes
  // with a page of the prefix cache.
  std::vector<float> last_hidden;

  // Which of its pages the prefix cache has.
  PrefixCache::Place place;
  size_t cached_pages = 0;
  bool caches = false;

  // Of a sample.
  std::unique_ptr<TokenConstraint> constraint;
  std::unique_ptr<StreamDecoder> decoder;
  std::unique_ptr<StopTexts> stops;

  const BatchRequest& request() const { return owner->request; }
  size_t prompt_size() const { return request().prompt.size(); }
  std::span<const int32_t> answer() const {
    return std::span<const int32_t>(tokens).subspan(prompt_size());
  }
  size_t unread() const { return tokens.size() - read; }
  bool is_writing() const { return !is_prompt && unread() == 1; }
  // Whether what follows the last token is wanted once it is read.
  bool wants_next() const {
    return !is_prompt || (request().max_tokens > 0 && request().pooling == Pooling::kNone);
  }
  bool wants_scores() const { return is_prompt && request().prompt_scores; }
  bool comes_before(const BatchStream& other) const {
    return owner->id != other.owner->id ? owner->id < other.owner->id : sample < other.sample;
  }
};

}  // namespace hone::llm
