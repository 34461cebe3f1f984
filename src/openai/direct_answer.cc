#include "openai/direct_answer.h"

#include <utility>

#include "openai/batch_plan.h"
#include "openai/chat_request.h"
#include "seal/digest.h"

namespace hone::openai {
namespace {

class Direct : public llm::BatchListener {
 public:
  Direct(feedback::Answer answer, ServedModelPointer model,
         std::shared_ptr<DirectListener> listener)
      : answer_(std::move(answer)), model_(std::move(model)), listener_(std::move(listener)) {}

  void on_token(const llm::TokenEvent& event) override {
    answer_.choice.token_ids.push_back(event.id);
    answer_.choice.log_probs.push_back(event.log_prob);
    say(event.text);
  }
  void on_end(const llm::EndEvent& event) override {
    say(event.text);
    answer_.choice.finish_reason = llm::name(event.reason);
    is_whole_ = true;
  }
  void on_done(const Error* error) override {
    if (error == nullptr && is_whole_) {
      listener_->on_answer(std::move(answer_));
    } else {
      listener_->on_failed(error);
    }
  }

 private:
  void say(std::string_view text) {
    if (text.empty()) return;
    answer_.choice.text += text;
    listener_->on_text(text);
  }

  feedback::Answer answer_;
  const ServedModelPointer model_;  // its adapter lives as long as the request
  const std::shared_ptr<DirectListener> listener_;
  bool is_whole_ = false;
};

std::string new_id(Env& env) {
  unsigned char bits[16];
  env.random_bytes(bits, sizeof(bits));
  const std::string_view bytes(reinterpret_cast<const char*>(bits), sizeof(bits));
  return "chatcmpl-" + seal::sha256_hex(bytes).substr(0, 32);
}

}  // namespace

std::function<void()> answer_directly(Service& service, const Caller& caller, const Json& body,
                                      std::shared_ptr<DirectListener> listener) {
  ChatRequest request = read_chat_request(body, service.env());
  const ServedModelPointer model = service.models().find(request.model, caller.organisation, {});
  const auto tools = tool_use(service, request.conversation);
  llm::TextCodec::ChatPrompt prompt = render_chat(service, request.conversation, *tools);
  const size_t max_tokens = answer_tokens(service, request, prompt.ids.size(), 1, "messages");
  feedback::Answer answer;
  answer.head.id = new_id(service.env());
  answer.head.organisation = caller.organisation;
  answer.head.caller = caller.key;
  answer.head.asked = request.model;
  answer.head.model = model->name;
  answer.head.model_digest = model->digest;
  answer.head.fingerprint = model->fingerprint;
  answer.head.settings = settings_json(request, max_tokens);
  answer.head.messages = request.conversation.messages;
  answer.head.created_at_ms = service.env().now_ms();
  serve::Submission submission;
  submission.request =
      batch_request(service, caller, *model, request, std::move(prompt.ids), 1, max_tokens);
  submission.adapter = model->adapter;
  submission.key = caller.key;
  submission.weight = caller.weight;
  submission.listener = std::make_shared<Direct>(std::move(answer), model, std::move(listener));
  const serve::Engine::Ticket ticket = service.engine().submit(std::move(submission));
  return [&service, ticket] { service.engine().cancel(ticket); };
}

}  // namespace hone::openai
