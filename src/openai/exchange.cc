#include "openai/exchange.h"

#include <utility>

#include "openai/errors.h"

namespace hone::openai {

// The engine's listener of one prompt.
class Exchange::Prompt : public llm::BatchListener {
 public:
  Prompt(std::shared_ptr<Exchange> exchange, size_t index)
      : exchange_(std::move(exchange)), index_(index) {}

  void on_prompt(size_t cached_tokens, std::span<const llm::PromptTokenScore> scores) override {
    if (exchange_->over_.load()) return;
    exchange_->cached_tokens_ += cached_tokens;
    exchange_->on_prompt(index_, cached_tokens, scores);
  }
  void on_pooled(std::span<const float> vector) override {
    if (!exchange_->over_.load()) exchange_->on_pooled(index_, vector);
  }
  void on_token(const llm::TokenEvent& event) override {
    if (exchange_->over_.load()) return;
    ++exchange_->generated_tokens_;
    if (feedback::Choice* record = exchange_->recorded(index_, event.sample)) {
      record->text += event.text;
      record->token_ids.push_back(event.id);
      record->log_probs.push_back(event.log_prob);
    }
    exchange_->time_token(index_, event.sample);
    exchange_->on_token(index_, event);
  }
  void on_end(const llm::EndEvent& event) override {
    if (exchange_->over_.load()) return;
    if (feedback::Choice* record = exchange_->recorded(index_, event.sample)) {
      record->text += event.text;
      record->finish_reason = llm::name(event.reason);
    }
    exchange_->on_end(index_, event);
  }
  void on_done(const Error* error) override {
    // Kept before the client learns that the answer is whole: it may be judged at once.
    if (error != nullptr) exchange_->record_.reset();
    if (exchange_->record_ != nullptr && --exchange_->recording_left_ == 0) {
      exchange_->finish_record();
    }
    exchange_->prompt_done(error);
  }

 private:
  const std::shared_ptr<Exchange> exchange_;
  const size_t index_;
};

Exchange::Exchange(Service& service, Caller caller, ServedModelPointer model)
    : service_(service),
      caller_(std::move(caller)),
      model_(std::move(model)),
      created_s_(service.env().now_ms() / 1000),
      started_s_(service.env().steady_seconds()) {}

Exchange::~Exchange() {
  settle();  // of an exchange that was cancelled: what it came to
  if (stream_ == nullptr || over_.exchange(true)) return;
  stream_->send_data(error_json(Error(ErrorCode::kInternal, "the answer was given up")).dump());
  stream_->close();
}

void Exchange::set_id(std::string_view prefix) {
  unsigned char bits[16];
  service_.env().random_bytes(bits, sizeof(bits));
  constexpr char kHex[] = "0123456789abcdef";
  id_ = prefix;
  for (const unsigned char byte : bits) {
    id_ += kHex[byte / 16];
    id_ += kHex[byte % 16];
  }
}

http::Response Exchange::submit(http::Request& request, std::vector<llm::BatchRequest> prompts,
                                bool is_stream) {
  uint64_t most = 0;
  for (const llm::BatchRequest& each : prompts) {
    prompt_tokens_ += each.prompt.size();
    most += each.prompt.size() + each.n * each.max_tokens;
    last_token_s_.emplace_back(each.n, -1.0);
  }
  reservation_ = service_.reserve(caller_, *model_, static_cast<int64_t>(most));
  if (is_stream) {
    stream_ = std::make_shared<http::EventStream>(http::EventStreamOptions{.outlives_stop = true});
  } else {
    later_ = std::make_shared<http::LaterResponse>();
  }
  client_ = request.client;
  left_ = recording_left_ = prompts.size();
  const auto self = shared_from_this();
  const auto stop = [weak = weak_from_this()] {
    if (const auto exchange = weak.lock()) exchange->cancel();
  };
  for (size_t i = 0; i < prompts.size(); ++i) {
    serve::Submission submission;
    submission.request = std::move(prompts[i]);
    submission.adapter = model_->adapter;
    submission.key = caller_.key;
    submission.weight = caller_.weight;
    submission.priority = caller_.priority;
    submission.listener = std::make_shared<Prompt>(self, i);
    try {
      const serve::Engine::Ticket ticket = service_.engine().submit(std::move(submission));
      const std::lock_guard lock(mutex_);
      tickets_.push_back(ticket);
      if (cancelled_) service_.engine().cancel(ticket);
    } catch (const Error& error) {
      over_.store(true);
      cancel();
      give_back();
      if (error.code() != ErrorCode::kBusy) throw;
      throw RequestError(ErrorCode::kBusy, error.message(), {})
          .with_retry_after(service_.engine().retry_after_seconds());
    }
  }
  if (is_stream) {
    stream_->on_drop(stop);
    return http::Response::event_stream(stream_);
  }
  if (client_ != nullptr) client_->on_gone(stop);
  return http::Response::completed_later(later_);
}

void Exchange::cancel() {
  std::vector<serve::Engine::Ticket> tickets;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    tickets.swap(tickets_);
  }
  if (!over_.exchange(true)) service_.metrics().dropped.fetch_add(1);
  for (const serve::Engine::Ticket ticket : tickets) service_.engine().cancel(ticket);
}

void Exchange::on_pooled(size_t prompt, std::span<const float> vector) {
  (void)prompt;
  (void)vector;
}

void Exchange::time_token(size_t prompt, size_t sample) {
  const double now_s = service_.env().steady_seconds();
  std::vector<double>& last = last_token_s_[prompt];
  if (sample >= last.size()) return;
  if (generated_tokens_ == 1) service_.metrics().first_token.add(now_s - started_s_);
  if (last[sample] >= 0) service_.metrics().between_tokens.add(now_s - last[sample]);
  last[sample] = now_s;
}

void Exchange::prompt_done(const Error* error) {
  if (over_.load()) return;
  if (error != nullptr) {
    fail(*error);
    return;
  }
  if (--left_ > 0) return;
  if (finish_is_slow()) {
    service_.later([self = shared_from_this()] { self->finish_whole(); });
  } else {
    finish_whole();
  }
}

void Exchange::finish_whole() {
  if (over_.exchange(true)) return;
  settle();  // before the client knows: its next request finds what is left
  try {
    std::string body = finish();
    if (is_stream()) {
      send("[DONE]");
      stream_->close();
    } else {
      deliver(http::Response::json(200, std::move(body)));
    }
    service_.metrics().answered.fetch_add(1);
  } catch (const Error& error) {
    over_.store(false);
    fail(error);
  }
  service_.metrics().whole.add(service_.env().steady_seconds() - started_s_);
}

void Exchange::fail(const Error& error) {
  if (over_.exchange(true)) return;
  settle();
  service_.metrics().failed.fetch_add(1);
  if (is_stream()) {
    stream_->send_data(error_json(error).dump());
    stream_->close();
  } else {
    deliver(error_response(error));
  }
  std::vector<serve::Engine::Ticket> tickets;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    tickets.swap(tickets_);
  }
  for (const serve::Engine::Ticket ticket : tickets) service_.engine().cancel(ticket);
}

// The engine took not all of it: it counts as nothing.
void Exchange::give_back() {
  const std::lock_guard lock(mutex_);
  reservation_.release();
}

void Exchange::settle() {
  const std::lock_guard lock(mutex_);
  reservation_.settle({.prompt = static_cast<int64_t>(prompt_tokens_),
                       .cached = static_cast<int64_t>(cached_tokens_),
                       .completion = static_cast<int64_t>(generated_tokens_)});
}

void Exchange::deliver(http::Response response) {
  if (client_ != nullptr) client_->on_gone({});
  later_->complete(std::move(response));
}

void Exchange::begin_record(const std::string& asked, const Json& messages,
                            std::vector<std::string> prompts, const std::string& settings,
                            size_t samples, bool consented) {
  if (service_.kept() == nullptr || caller_.organisation.empty()) return;
  record_ = std::make_unique<feedback::KeptCompletion>();
  feedback::Completion& head = record_->head;
  head.id = id_;
  head.organisation = caller_.organisation;
  head.caller = caller_.key;
  head.asked = asked;
  head.model = model_->name;
  head.model_digest = model_->digest;
  head.fingerprint = model_->fingerprint;
  head.settings = Json::parse(settings).value();
  head.messages = messages;
  head.consented = consented;
  head.created_at_ms = service_.env().now_ms();
  samples_recorded_ = samples;
  record_->choices.resize((messages.is_null() ? prompts.size() : 1) * samples);
  for (size_t i = 0; i < record_->choices.size() && messages.is_null(); ++i) {
    record_->choices[i].prompt = prompts[i / samples];
  }
}

feedback::Choice* Exchange::recorded(size_t choice) {
  if (record_ == nullptr || choice >= record_->choices.size()) return nullptr;
  return &record_->choices[choice];
}

std::string Exchange::mac_member(size_t choice) const {
  if (record_ == nullptr || service_.kept()->enabled() || choice >= record_->choices.size()) {
    return {};
  }
  const feedback::Choice& one = record_->choices[choice];
  return ",\"feedback_mac\":\"" +
         service_.kept()->mac(record_->head, choice, one.prompt, one.text) + "\"";
}

void Exchange::finish_record() {
  if (!service_.kept()->enabled()) return;  // the MACs are still to come
  bool has_text = false;
  for (feedback::Choice& each : record_->choices) {
    has_text = has_text || !each.token_ids.empty();
    if (each.finish_reason.empty()) each.finish_reason = "cancelled";
  }
  if (has_text) service_.kept()->keep(std::move(*record_));
  record_.reset();
}

void Exchange::send(std::string_view json) { stream_->send_data(json); }

std::string usage_json(size_t prompt_tokens, size_t cached_tokens, size_t generated_tokens) {
  return "{\"prompt_tokens\":" + std::to_string(prompt_tokens) +
         ",\"completion_tokens\":" + std::to_string(generated_tokens) +
         ",\"total_tokens\":" + std::to_string(prompt_tokens + generated_tokens) +
         ",\"prompt_tokens_details\":{\"cached_tokens\":" + std::to_string(cached_tokens) + "}}";
}

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string ids_json(std::span<const int32_t> ids) {
  std::string out = "[";
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(ids[i]);
  }
  return out + "]";
}

}  // namespace hone::openai
