#pragma once
// A chat completion, whole or streamed, to OpenAI's letter:
//
//   stream: {"delta":{"role":"assistant","content":""}} of each choice, then its text, then {"delta":{}} with
//   its finish_reason; with include_usage a chunk without choices just before [DONE], and usage null in
//   all others. One id and one created in all. The first chunk carries `settings`.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "llm/tool_call_parser.h"
#include "llm/tool_calls.h"
#include "openai/chat_request.h"
#include "openai/exchange.h"

namespace hone::openai {

class ChatExchange : public Exchange {
 public:
  // tools: never null; it may be off.
  ChatExchange(Service& service, Caller caller, ServedModelPointer model, ChatRequest request,
               std::shared_ptr<const llm::ToolUse> tools, std::vector<int32_t> prompt,
               size_t max_tokens);

 private:
  struct Choice {
    std::string text;
    std::string log_probs;  // entries, with commas between them
    std::vector<int32_t> ids;
    std::optional<llm::ToolCallParser> parser;  // when tools may be called
    std::string calls;                          // JSON, with commas between them
    std::string said;    // what is written down of the text, when tools may be called
    std::string called;  // and of the calls, as `calls`
    std::string finish_reason = "length";
  };

  void on_prompt(size_t prompt, size_t cached_tokens,
                 std::span<const llm::PromptTokenScore> scores) override;
  void on_token(size_t prompt, const llm::TokenEvent& event) override;
  void on_end(size_t prompt, const llm::EndEvent& event) override;
  std::string finish() override;
  bool finish_is_slow() const override { return request_.log_probs; }

  std::string head(std::string_view object) const;
  std::string choice_json(size_t index) const;
  // With tools, what was said and what was called come apart.
  void record_calls(size_t index);
  // A chunk with one choice; delta is JSON.
  void send_chunk(size_t index, std::string_view delta, std::string_view log_probs,
                  std::string_view finish_reason, std::string_view mac = {});
  // Text of a choice as it came from the model: what it is becomes known here. entry: the token's
  // log-probability, or empty.
  void take_text(size_t index, std::string_view text, std::string_view entry, bool is_end);
  void send_text(size_t index, std::string_view text, std::string_view log_probs);

  const ChatRequest request_;
  const std::shared_ptr<const llm::ToolUse> tools_;
  const std::vector<int32_t> prompt_;
  const std::string settings_;
  std::string chunk_head_;
  bool first_chunk_ = true;
  std::vector<Choice> choices_;
};

}  // namespace hone::openai
