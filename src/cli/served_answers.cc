#include "cli/served_answers.h"

#include <utility>

#include "openai/direct_answer.h"

namespace hone::cli {
namespace {

class Forward : public openai::DirectListener {
 public:
  explicit Forward(std::shared_ptr<api::AnswerListener> to) : to_(std::move(to)) {}
  void on_text(std::string_view text) override { to_->on_text(text); }
  void on_answer(feedback::Answer answer) override { to_->on_answer(std::move(answer)); }
  void on_failed(const Error* error) override { to_->on_failed(error); }

 private:
  const std::shared_ptr<api::AnswerListener> to_;
};

}  // namespace

std::function<void()> ServedAnswers::ask(const api::ModelQuestion& question,
                                         std::shared_ptr<api::AnswerListener> listener) {
  Json body = Json::object();
  body["model"] = question.model;
  body["messages"] = question.messages;
  body["temperature"] = question.temperature;
  body["top_p"] = question.top_p;
  body["max_tokens"] = question.max_tokens;
  const openai::Caller caller{.key = question.caller,
                              .organisation = question.organisation,
                              .weight = 1,
                              .may_manage = false};
  return openai::answer_directly(service_, caller, body,
                                 std::make_shared<Forward>(std::move(listener)));
}

void ServedAnswers::check_model(const std::string& organisation, const std::string& model) {
  service_.models().find(model, organisation, {});
}

}  // namespace hone::cli
