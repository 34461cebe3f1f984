#pragma once
// A text completion, whole or streamed, with the legacy form of log-probabilities: `tokens`,
// `token_logprobs` (null where nothing precedes), `top_logprobs` (maps keyed by text), `text_offset`
// (in characters, from the beginning of the choice's text). With echo the prompt stands in front of
// text and log-probabilities; then there is one entry for each prompt token and one for each token
// written, the end-of-generation token among them.

#include <string>
#include <vector>

#include "openai/completion_request.h"
#include "openai/exchange.h"
#include "openai/token_text.h"

namespace hone::openai {

// The four lists, as JSON that grows.
class LegacyLogProbs {
 public:
  // offset_bytes: what the token adds to the text, for the offsets of those that follow.
  void add(const llm::Tokenizer& tokenizer, int32_t id, float log_prob,
           std::span<const llm::TokenLogProb> top, std::string_view offset_bytes);
  // Nothing precedes it: null for both numbers.
  void add_first(const llm::Tokenizer& tokenizer, int32_t id, std::string_view offset_bytes);
  // The object; what comes next begins empty, with the offset going on.
  std::string take();
  bool empty() const { return tokens_.empty(); }

 private:
  void add_name(const llm::Tokenizer& tokenizer, int32_t id, std::string_view offset_bytes);
  std::string tokens_, log_probs_, top_, offsets_;
  CharacterCounter characters_;
};

class CompletionExchange : public Exchange {
 public:
  struct Prompt {
    std::vector<int32_t> ids;
    std::string text;         // what echo shows
    size_t without_text = 0;  // tokens in front that stand for nothing of it (a BOS put there)
  };
  CompletionExchange(Service& service, Caller caller, ServedModelPointer model,
                     CompletionRequest request, std::vector<Prompt> prompts, size_t max_tokens);

 private:
  struct Choice {
    std::string text;
    LegacyLogProbs log_probs;
    std::vector<int32_t> ids;
    double log_prob_sum = 0;  // for best_of
    size_t tokens = 0;
    bool has_begun = false;  // of a stream: a chunk was sent
    std::string finish_reason = "length";
  };

  void on_prompt(size_t prompt, size_t cached_tokens,
                 std::span<const llm::PromptTokenScore> scores) override;
  void on_token(size_t prompt, const llm::TokenEvent& event) override;
  void on_end(size_t prompt, const llm::EndEvent& event) override;
  std::string finish() override;
  bool finish_is_slow() const override { return request_.log_probs.has_value(); }

  void add_prompt(Choice& choice, const Prompt& prompt,
                  std::span<const llm::PromptTokenScore> scores);
  Choice& choice(size_t prompt, size_t sample) { return choices_[prompt * samples_ + sample]; }
  // The places of a prompt's best samples, best first; all in their order when as many are wanted.
  std::vector<size_t> best_of(size_t prompt) const;
  std::string head() const;
  std::string choice_json(Choice& choice, size_t index, const Prompt& prompt);
  void send_chunk(size_t prompt, size_t sample, std::string_view text,
                  std::string_view finish_reason);

  const CompletionRequest request_;
  const std::vector<Prompt> prompts_;
  const size_t samples_;
  const std::string settings_;
  const std::string head_;
  bool first_chunk_ = true;
  std::vector<Choice> choices_;
};

}  // namespace hone::openai
