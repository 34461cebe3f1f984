#pragma once
// The one loop of generation: many requests in one batch, each pass a row for every sample that is
// being written and chunks of the prompts that are being read. Chat, rollouts, evaluation and the
// server all run this loop (llm/generator.h: a list of prompts to the end; serve/engine.h: requests
// that come and go).
//
// The promise (docs/numerics.md): what a request gets depends on its own fields alone. Not on what
// else is in the batch, on chunks, threads, adapters of the neighbours, on pages found in the prefix
// cache, or on having been put aside for lack of pages and read again.
//
// Pages. A sequence takes pages as it grows. When none is free, first pages of the prefix cache go,
// the longest unused first; then the sample that came last is put aside: its pages are freed, and its
// prompt and answer so far are read again when there is room. A request that could not run alone is
// refused by check().
//
// What only the prefix cache holds goes, too, when more than kept_pages would be in use; and once
// nothing runs, pages beyond them give their memory back to the machine.
//
// Prefix cache. Pages of prompts and answers are kept under the hash of (scope, all tokens up to the
// page's end); a text that goes on otherwise within a page copies what is the same. Once somebody asked for the scores of such a prompt, its pages keep the
// log-probability and argmax of each of their tokens, so that prompt log-probabilities come out of
// the cache too. Only requests of an equal scope share pages. Requests that pool, or that want more
// than one alternative of each prompt token, do not read the cache.
//
// Thread rule: one thread; listeners are called on it and must not call back into the batcher but for
// cancel().

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "llm/forward.h"
#include "llm/sampler.h"
#include "llm/token_constraint.h"
#include "llm/tokenizer/tokenizer.h"
#include "llm/top_words.h"

namespace hone::llm {

enum class FinishReason { kStop, kLength };
std::string_view name(FinishReason reason);  // "stop", "length"

// Every token that was drawn, the one that ends the answer included (its text is then empty).
struct TokenEvent {
  size_t sample = 0;
  int32_t id = 0;
  float log_prob = 0;                 // of the plain distribution, as scoring has it
  std::span<const TokenLogProb> top;  // top_log_probs of them, the most likely first, ties by id
  std::string_view text;  // what became certain with this token; often, not always, its own
  float kept = 1;         // of the probability, by top-k, top-p and min-p (Sampler::kept)
};

struct EndEvent {
  size_t sample = 0;
  FinishReason reason = FinishReason::kLength;
  std::string_view text;  // what was still held back
  std::string_view stop;  // the stop text that ended it, or empty
  int32_t token = -1;     // the end token (on_token has had it), or -1
};

// One prompt token, for echo and for scores.
struct PromptTokenScore {
  float log_prob = 0;             // of the token given those before it; the first has none (0)
  TokenLogProb most_likely;       // what would have been most likely there
  std::vector<TokenLogProb> top;  // when more than one was asked for
};

class BatchListener {
 public:
  virtual ~BatchListener() = default;
  // Once, when the prompt has been read; scores is empty unless asked for; cached_tokens: how many
  // came from the prefix cache.
  virtual void on_prompt(size_t cached_tokens, std::span<const PromptTokenScore> scores) {
    (void)cached_tokens;
    (void)scores;
  }
  virtual void on_pooled(std::span<const float> vector) { (void)vector; }
  virtual void on_token(const TokenEvent& event) = 0;
  virtual void on_end(const EndEvent& event) = 0;
  // After the last sample's on_end (on_pooled; on_prompt with max_tokens 0): the request is gone.
  // With an error when a constraint left no token: its other samples end with it, without on_end.
  // Null when all went well or it was cancelled.
  virtual void on_done(const Error* error) = 0;
};

enum class Pooling { kNone, kMean, kLast };  // of the final norm's rows; L2-normalised

struct BatchRequest {
  std::vector<int32_t> prompt;           // at least one token
  const LoraAdapter* adapter = nullptr;  // must live until on_done
  std::string cache_scope;  // who may share pages (organisation, base, adapter digests)
  bool use_prefix_cache = false;
  uint64_t seed = 42, index = 0;  // with the sample's number they name its random stream
  size_t n = 1;
  size_t max_tokens = 256;  // 0: the prompt alone (scores, pooling)
  size_t min_tokens = 0;    // no end token before, unless a constraint leaves nothing else
  SamplingOptions sampling;
  // The final norm's row is multiplied by it before the head, so that logits are those of another
  // temperature in all that is said of the answer, its log-probabilities too. Training does the same
  // (TrainingPass::set_head_scale), with the same bits; sampling.temperature then stays 1.
  float head_scale = 1;
  std::vector<std::string> stop;          // found anywhere in the answer, cut off
  std::vector<int32_t> stop_token_ids;    // beside the model's own
  bool ignore_end_of_generation = false;  // not with a constraint
  bool want_text = true;
  std::shared_ptr<const TokenConstraint> constraint;  // cloned for each sample
  size_t top_log_probs = 0;                           // 0..20
  bool prompt_scores = false;
  size_t prompt_top_log_probs = 1;   // above 1 the prefix cache is not read
  Pooling pooling = Pooling::kNone;  // no sample is drawn
};

struct BatcherOptions {
  size_t max_samples = 8;      // being written at once
  size_t page_count = 0;       // of the cache; Batcher::pages_for says what requests want
  size_t rows_per_pass = 512;  // samples' rows and prompt rows together (at least max_samples)
  // Prompt rows of a pass while somebody is writing: keeps the time between tokens even.
  size_t prompt_rows_beside_writing = 512;
  size_t max_lora_rank = 0;  // of any adapter that will come
  size_t kept_pages = 0;     // that stay in memory when nobody uses them; 0 = all
};

struct BatcherMetrics {
  uint64_t passes = 0, rows = 0, prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  uint64_t put_aside = 0;
  size_t reading = 0, writing = 0, waiting = 0;
  size_t free_pages = 0, cached_pages = 0, resident_pages = 0;
};

class Batcher {
 public:
  using Id = uint64_t;

  // tokenizer may be null: then there is no text, and only token ids stop a sample.
  Batcher(tensor::Compute& compute, const Model& model, const Tokenizer* tokenizer,
          std::vector<int32_t> end_of_generation, const BatcherOptions& options);
  ~Batcher();

  // Pages that one sample of the request holds at its longest; its others share some, or wait.
  static size_t pages_for(const ModelConfig& config, const BatchRequest& request);
  // Bytes beside the weights and the adapters, before anything is made.
  struct Memory {
    uint64_t pages = 0;       // keys and values when all of them are in use
    uint64_t kept_pages = 0;  // of these, what stays when nothing runs
    uint64_t passes = 0;      // activations and logits
  };
  static Memory planned_memory(const ModelConfig& config, const BatcherOptions& options);
  // From any thread. Throws invalid_input for a prompt that is empty, too long (with both numbers) or has unknown
  // ids, for options out of range; too_large for one that needs more pages than there are.
  void check(const BatchRequest& request) const;

  // Takes its place behind those that came before; checks. The listener must live until on_done.
  Id add(BatchRequest request, BatchListener& listener);
  // At once: no further call to its listener but on_done(nullptr), which comes before this returns.
  // From a listener too. Unknown ids are ignored.
  void cancel(Id id);
  // One pass (or what can be done without one). False when there is nothing to do. What a listener
  // throws comes out here; then the batcher is good for nothing but its end.
  bool step();

  BatcherMetrics metrics() const;
  // Forgets cached pages of one scope (an adapter was unloaded), or all.
  void drop_cached(std::optional<std::string_view> scope);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone::llm
