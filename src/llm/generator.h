#pragma once
// A list of prompts, to the end: llm/batcher.h with everything at once and nothing put aside.
//
// A sample's random stream belongs to (seed, index, sample) and its numbers to token positions, so
// its text and log-probabilities do not depend on the batch, the order or the chunks
// (docs/numerics.md). Results may come in any order; the caller puts them in its own.
//
// Thread rule: one run at a time; callbacks come on the caller's thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llm/batcher.h"

namespace hone::llm {

struct GenerationRequest {
  std::vector<int32_t> prompt;  // at least one token
  uint64_t index = 0;           // names its random streams
  size_t n = 1;
  size_t max_tokens = 256;
  SamplingOptions sampling;
  std::vector<std::string> stop;  // texts; found anywhere in the answer, cut off
};

struct GeneratedSample {
  uint64_t index = 0, sample = 0;
  std::vector<int32_t> token_ids;  // the end-of-generation token included, where one ended it
  std::vector<float> log_probs;    // one per token
  std::string text;                // empty without a tokenizer
  FinishReason finish_reason = FinishReason::kLength;
};

struct GeneratorOptions {
  size_t batch_size = 8;       // sequences at once
  size_t rows_per_pass = 512;  // prompt rows are read in chunks of at most this
  uint64_t seed = 42;
};

class Generator {
 public:
  // tokenizer may be null: then there is no text, and only the given ids stop a sample.
  Generator(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
            const Tokenizer* tokenizer, std::vector<int32_t> end_of_generation,
            const GeneratorOptions& options);
  ~Generator();

  // Streamed text of a sample, as it becomes certain (a stop text is never shown in part).
  std::function<void(uint64_t index, uint64_t sample, std::string_view text)> on_text;

  // Runs all requests; on_done gets each sample once. Throws invalid_input for a prompt that is
  // empty or does not fit the context with at least one token, before anything runs.
  void run(std::vector<GenerationRequest> requests,
           const std::function<void(GeneratedSample)>& on_done);

 private:
  using Done = std::function<void(GeneratedSample)>;
  class Listener;

  void check(const GenerationRequest& request) const;
  void make_room(std::span<const GenerationRequest> requests);
  BatchRequest batch_request(GenerationRequest request) const;

  tensor::Compute& compute_;
  const Model& model_;
  const LoraAdapter* adapter_;
  const Tokenizer* tokenizer_;
  std::vector<int32_t> end_of_generation_;
  GeneratorOptions options_;
  BatcherOptions room_;  // of batcher_
  std::unique_ptr<Batcher> batcher_;
};

}  // namespace hone::llm
