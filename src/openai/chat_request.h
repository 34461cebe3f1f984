#pragma once
// POST /v1/chat/completions: the body as a value, with messages in the form that chat templates
// read (text parts are joined, arguments of tool calls are objects).

#include <string>
#include <vector>

#include "openai/generation_request.h"

namespace hone::openai {

inline constexpr size_t kMessagesMax = 4096;
inline constexpr size_t kToolsMax = 128;
inline constexpr int64_t kTopLogProbsMax = 20;  // as OpenAI

// Messages with what a template may be told beside them.
struct Conversation {
  Json messages;
  Json tools;      // null = none
  Json documents;  // null = none
  Json variables;  // chat_template_kwargs, or null
  bool add_generation_prompt = true;
  bool continue_final_message = false;
};
// Takes its fields: messages, tools, documents, chat_template_kwargs, add_generation_prompt,
// continue_final_message. For chats, /tokenize and /apply-template.
Conversation read_conversation(Fields& fields);

struct ChatRequest : GenerationRequest {
  Conversation conversation;
  Json tool_choice;  // as sent, checked against the tools by llm::ToolUse; null = the usual
  bool parallel_tool_calls = true;
  bool log_probs = false;
  size_t top_log_probs = 0;
};

// Throws RequestError.
ChatRequest read_chat_request(const Json& body, Env& env);

}  // namespace hone::openai
