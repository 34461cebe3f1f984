#pragma once
// What the labelling platform asks of the served models (api/model_answers.h), by the service of /v1.

#include <functional>
#include <memory>
#include <string>

#include "api/model_answers.h"
#include "openai/service.h"

namespace hone::cli {

class ServedAnswers : public api::ModelAnswers {
 public:
  // The service must outlive it.
  explicit ServedAnswers(openai::Service& service) : service_(service) {}

  std::function<void()> ask(const api::ModelQuestion& question,
                            std::shared_ptr<api::AnswerListener> listener) override;
  void check_model(const std::string& organisation, const std::string& model) override;

 private:
  openai::Service& service_;
};

}  // namespace hone::cli
