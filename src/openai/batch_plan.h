#pragma once
// From what a request says to what the engine is asked: prompts as tokens, limits that fit the
// model and the cache, constraints. Over-long prompts are refused with both numbers, never cut.
// Any thread.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "llm/batcher.h"
#include "llm/tool_calls.h"
#include "openai/chat_request.h"
#include "openai/completion_request.h"
#include "openai/service.h"

namespace hone::openai {

// Text becomes tokens with the vocabulary's BOS when add_special; ids are checked only. Throws
// RequestError for ids that the model does not have and for an empty prompt.
std::vector<int32_t> prompt_tokens(const Service& service, const PromptText& prompt,
                                   bool add_special, std::string_view field);
// What the conversation's tools mean with this model; choice: tool_choice, or null. RequestErrors
// about tools.
std::shared_ptr<const llm::ToolUse> tool_use(const Service& service,
                                             const Conversation& conversation,
                                             const Json& choice = nullptr,
                                             bool parallel_calls = true);
// Through the chat template, with the tools as it takes them; errors of the template are
// RequestErrors about messages.
llm::TextCodec::ChatPrompt render_chat(Service& service, const Conversation& conversation,
                                       const llm::ToolUse& tools);

// What grammar, response_format or tools allow; null when all is allowed. Throws RequestError for
// what cannot be kept to: nothing is let through that was asked to be held.
std::shared_ptr<const llm::TokenConstraint> make_constraint(Service& service,
                                                            const GenerationRequest& request,
                                                            const llm::ToolUse* tools = nullptr);

// What the request may write behind a prompt of that length: as asked, or what is left of the context
// and of the cache. Throws RequestError context_length_exceeded with both numbers.
size_t answer_tokens(const Service& service, const GenerationRequest& request, size_t prompt_tokens,
                     size_t samples, std::string_view field);

// The request without what chats and completions add to it.
llm::BatchRequest batch_request(Service& service, const Caller& caller, const ServedModel& model,
                                const GenerationRequest& request, std::vector<int32_t> prompt,
                                size_t samples, size_t max_tokens);

// Which pages a request may share: those of its organisation, model and salt.
std::string cache_scope(const Caller& caller, const ServedModel& model, std::string_view salt);

}  // namespace hone::openai
