#pragma once
// How a token is written in an answer. Pure functions, any thread.

#include <span>
#include <string>

#include "base/json.h"
#include "llm/batcher.h"
#include "llm/tokenizer/tokenizer.h"

namespace hone::openai {

// The token's text; "bytes:\xe2\x80" when its bytes are a part of a character, so that no two
// tokens look alike for that; empty for an id beyond the vocabulary.
std::string token_text(const llm::Tokenizer& tokenizer, int32_t id);
std::string_view token_bytes(const llm::Tokenizer& tokenizer, int32_t id);

// {"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob", "bytes"}]}
void append_chat_log_prob(std::string& out, const llm::Tokenizer& tokenizer, int32_t id,
                          float log_prob, std::span<const llm::TokenLogProb> top);

// {"token": logprob, ...} of the alternatives and of the token itself; texts that stand there already
// become "token_id:N".
void append_top_map(std::string& out, const llm::Tokenizer& tokenizer, llm::TokenLogProb token,
                    std::span<const llm::TokenLogProb> top);

// Counts characters as bytes come; of a token that begins inside a character, the place of that one.
class CharacterCounter {
 public:
  size_t offset() const { return inside_ ? started_ - 1 : started_; }
  void add(std::string_view bytes);

 private:
  size_t started_ = 0;
  size_t missing_ = 0;  // bytes of the character that is open
  bool inside_ = false;
};

}  // namespace hone::openai
