#pragma once
// How this room reaches the served models: the roof gives it one (Platform::set_model_answers), or none
// where the server answers from no model.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "feedback/answer.h"

namespace hone::api {

struct ModelQuestion {
  std::string organisation;  // whose models are seen and whose cached pages are used
  std::string caller;        // whose turn it takes
  std::string model;
  Json messages;  // a list of {role, content}
  double temperature = 1, top_p = 1;
  int64_t max_tokens = 512;
};

// Called on the engine's thread: push and return.
class AnswerListener {
 public:
  virtual ~AnswerListener() = default;
  virtual void on_text(std::string_view text) = 0;
  // Once, when all went well.
  virtual void on_answer(feedback::Answer answer) = 0;
  // Once instead; null: it was cancelled.
  virtual void on_failed(const Error* error) = 0;
};

class ModelAnswers {
 public:
  virtual ~ModelAnswers() = default;
  // Throws not_found for a model that the organisation does not see, busy, invalid_input (a prompt that
  // does not fit). What it returns cancels; any thread, again and late too.
  virtual std::function<void()> ask(const ModelQuestion& question,
                                    std::shared_ptr<AnswerListener> listener) = 0;
  // Throws not_found when the organisation sees no such model.
  virtual void check_model(const std::string& organisation, const std::string& model) = 0;
};

}  // namespace hone::api
