#include "llm/batch_check.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "llm/kv_cache.h"

namespace hone::llm {

namespace {

void require(bool good, const std::string& sentence) {
  if (!good) throw invalid_input(sentence);
}

std::string text(size_t number) { return std::to_string(number); }

void check_ids(const ModelConfig& config, std::span<const int32_t> ids, const char* where) {
  for (int32_t id : ids) {
    require(id >= 0 && static_cast<size_t>(id) < config.vocab_size,
            std::string(where) + " holds token id " + std::to_string(id) +
                ", which is not in the model's vocabulary of " + text(config.vocab_size));
  }
}

void check_prompt(const ModelConfig& config, const BatchRequest& request) {
  require(!request.prompt.empty(),
          "the prompt is empty: nothing can follow nothing; give it at least one token");
  const size_t least = request.prompt.size() + (request.max_tokens > 0 ? 1 : 0);
  require(least <= config.context_length,
          "the prompt has " + text(request.prompt.size()) + " tokens, but the model's context is " +
              text(config.context_length) +
              (request.max_tokens > 0 ? ", the answer included: shorten it" : ": shorten it"));
  check_ids(config, request.prompt, "the prompt");
}

void check_stops(const ModelConfig& config, bool has_text, const BatchRequest& request) {
  require(request.stop.size() <= kMaxStopTexts, text(request.stop.size()) +
                                                    " stop texts were given; at most " +
                                                    text(kMaxStopTexts) + " are taken");
  for (const std::string& stop : request.stop) {
    require(stop.size() <= kMaxStopBytes, "a stop text has " + text(stop.size()) +
                                              " bytes; at most " + text(kMaxStopBytes) +
                                              " are taken");
    require(stop.empty() || (has_text && request.want_text),
            "stop texts need the answer's text: ask for it, or stop at token ids");
  }
  require(request.stop_token_ids.size() <= kMaxStopTokens,
          text(request.stop_token_ids.size()) + " stop token ids were given; at most " +
              text(kMaxStopTokens) + " are taken");
  check_ids(config, request.stop_token_ids, "stop_token_ids");
}

void check_answer(const ModelConfig& config, const BatchRequest& request) {
  validate(request.sampling);
  require(request.head_scale > 0 && std::isfinite(request.head_scale),
          "the head's scale must be above 0 and finite");
  for (const auto& entry : request.sampling.logit_bias) {
    check_ids(config, {&entry.first, 1}, "logit_bias");
  }
  require(request.n >= 1 && request.n <= kMaxSamples,
          "n is " + text(request.n) + ": ask for 1 to " + text(kMaxSamples) + " samples");
  require(request.min_tokens <= request.max_tokens, "min_tokens is " + text(request.min_tokens) +
                                                        ", more than the answer's limit of " +
                                                        text(request.max_tokens));
  require(
      request.top_log_probs <= kMaxTopLogProbs && request.prompt_top_log_probs <= kMaxTopLogProbs,
      "top log-probabilities: at most " + text(kMaxTopLogProbs) + " of a token are given");
  require(request.constraint == nullptr || !request.ignore_end_of_generation,
          "a constraint on the answer says where it ends, so the end of generation cannot be "
          "ignored with it: leave out one of the two");
}

}  // namespace

size_t request_pages(const ModelConfig& config, const BatchRequest& request) {
  const size_t prompt = std::min(request.prompt.size(), config.context_length);
  const size_t answer = request.pooling == Pooling::kNone ? request.max_tokens : 0;
  const size_t end = prompt + std::min(answer, config.context_length - prompt);
  // The last token is written and never read.
  return KvCache::pages_for(answer > 0 ? end - 1 : end);
}

void check_request(const ModelConfig& config, bool has_text, const BatcherOptions& options,
                   const BatchRequest& request) {
  check_prompt(config, request);
  check_answer(config, request);
  check_stops(config, has_text, request);
  if (request.adapter != nullptr) {
    require(request.adapter->layers.size() == config.layers.size(),
            "the adapter was made for a model of " + text(request.adapter->layers.size()) +
                " layers, and this one has " + text(config.layers.size()));
    require(request.adapter->max_rank() <= options.max_lora_rank,
            "the adapter's rank is " + text(request.adapter->max_rank()) +
                ", and room was made for rank " + text(options.max_lora_rank) + " at most");
  }
  const size_t pages = request_pages(config, request);
  if (pages > options.page_count) {
    throw Error(ErrorCode::kTooLarge,
                "the prompt's " + text(request.prompt.size()) + " tokens and an answer of " +
                    text(std::min(request.max_tokens, config.context_length)) + " need " +
                    text(pages * kPagePositions) + " positions, but there is memory for " +
                    text(options.page_count * kPagePositions) +
                    ": ask for a shorter answer or shorten the prompt");
  }
}

}  // namespace hone::llm
