#pragma once
// One request in flight: its prompts go to the engine, what comes back becomes its answer. A
// subclass says what the answer looks like (chat_exchange.h, completion_exchange.h).
//
// Ownership: the engine keeps it through its listeners; the streams and the client know it weakly.
// Thread rule: submit() on the handler's thread; cancel() from any; the on_...() calls come on the
// engine's thread, one at a time, also while submit() still runs.

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "feedback/answer.h"
#include "http/event_stream.h"
#include "http/request.h"
#include "http/response.h"
#include "llm/batcher.h"
#include "openai/service.h"

namespace hone::openai {

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(Service& service, Caller caller, ServedModelPointer model);
  // Whoever still waits is told that nothing will come.
  virtual ~Exchange();

  // Hands the prompts to the engine and returns what the handler returns: events when is_stream,
  // else an answer that comes later. When the client leaves, the prompts are cancelled. Throws what
  // Engine::submit throws (kBusy with the seconds after which to come again); nothing runs then.
  http::Response submit(http::Request& request, std::vector<llm::BatchRequest> prompts,
                        bool is_stream);
  void cancel();

 protected:
  // What goes wrong ends the exchange: nothing of these comes afterwards.
  virtual void on_prompt(size_t prompt, size_t cached_tokens,
                         std::span<const llm::PromptTokenScore> scores) = 0;
  virtual void on_pooled(size_t prompt, std::span<const float> vector);
  virtual void on_token(size_t prompt, const llm::TokenEvent& event) = 0;
  virtual void on_end(size_t prompt, const llm::EndEvent& event) = 0;
  // All prompts are done. Returns the body of the answer; of a stream nothing: it has sent the rest.
  virtual std::string finish() = 0;
  // Whether finish() takes long enough to hold up others' tokens.
  virtual bool finish_is_slow() const { return false; }

  Service& service() { return service_; }
  const ServedModel& model() const { return *model_; }
  const std::string& id() const { return id_; }
  int64_t created_s() const { return created_s_; }
  size_t prompt_tokens() const { return prompt_tokens_; }
  size_t cached_tokens() const { return cached_tokens_; }
  size_t generated_tokens() const { return generated_tokens_; }
  // "chatcmpl-" and 128 random bits; before submit().
  void set_id(std::string_view prefix);
  // Of a stream: one event.
  void send(std::string_view json);
  bool is_stream() const { return stream_ != nullptr; }

  // Before submit(): what is answered is written down and handed to the service's KeptCompletions at
  // the end, also when the client left in the middle. asked: the name that the request said. messages is null for text completions; then
  // there is a text for each prompt. Nothing happens where the service has none.
  void begin_record(const std::string& asked, const Json& messages,
                    std::vector<std::string> prompts, const std::string& settings, size_t samples,
                    bool consented);
  // Null when nothing is written down.
  feedback::Choice* recorded(size_t choice);
  // Of a choice that is whole: its MAC as a further member, where none is kept; else nothing.
  std::string mac_member(size_t choice) const;

 private:
  class Prompt;

  feedback::Choice* recorded(size_t prompt, size_t sample) {
    return recorded(prompt * samples_recorded_ + sample);
  }
  void finish_record();

  void prompt_done(const Error* error);
  // What the key's quota is charged; once.
  void settle();
  void give_back();
  void time_token(size_t prompt, size_t sample);
  void deliver(http::Response response);
  void fail(const Error& error);
  void finish_whole();

  Service& service_;
  const Caller caller_;
  const ServedModelPointer model_;
  const int64_t created_s_;
  const double started_s_;
  std::string id_;
  std::shared_ptr<http::EventStream> stream_;
  std::shared_ptr<http::LaterResponse> later_;
  std::shared_ptr<http::Client> client_;
  size_t prompt_tokens_ = 0;

  // The engine's thread alone.
  size_t left_ = 0;
  size_t cached_tokens_ = 0, generated_tokens_ = 0;
  std::vector<std::vector<double>> last_token_s_;  // of each prompt's samples
  std::unique_ptr<feedback::KeptCompletion> record_;
  size_t samples_recorded_ = 0, recording_left_ = 0;

  std::atomic<bool> over_{false};
  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<serve::Engine::Ticket> tickets_;
  usage::Reservation reservation_;
  bool cancelled_ = false;
};

// {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"}
std::string usage_json(size_t prompt_tokens, size_t cached_tokens, size_t generated_tokens);
std::string json_text(std::string_view text);  // with quotes
std::string ids_json(std::span<const int32_t> ids);

}  // namespace hone::openai
