#pragma once
// A chat answered without HTTP: for what this server itself asks its models. The same requests, bounds
// and bits as /v1/chat/completions.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "feedback/answer.h"
#include "openai/service.h"

namespace hone::openai {

// Called on the engine's thread: push and return.
class DirectListener {
 public:
  virtual ~DirectListener() = default;
  virtual void on_text(std::string_view text) = 0;
  virtual void on_answer(feedback::Answer answer) = 0;  // once, when all went well
  virtual void on_failed(const Error* error) = 0;       // once instead; null: cancelled
};

// body: of a chat completion, without stream, n and tools. Throws RequestError for it, kBusy. What it
// returns cancels; any thread, again and late too. The answer is not kept (kept_completions.h): it is
// the caller's.
std::function<void()> answer_directly(Service& service, const Caller& caller, const Json& body,
                                      std::shared_ptr<DirectListener> listener);

}  // namespace hone::openai
