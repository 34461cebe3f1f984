// Running a handler and sending what it returned: the side of whoever holds the lease.
#include <algorithm>

#include "http/connection.h"
#include "http/connection_streams.h"
#include "http/event_channel.h"
#include "http/response_head.h"

namespace hone::http {

void Connection::run_handler() {
  Response response = call_handler();
  if (respond(std::move(response))) release();
}

Response Connection::call_handler() {
  Exchange& exchange = *exchange_;
  ConnectionBody body(*this);
  if (exchange.route->options.streaming) exchange.request.body_stream = &body;
  const int64_t begin_us = core_->now_us();
  Response response;
  try {
    response = exchange.route->handler(exchange.request);
  } catch (...) {
    ErrorInfo error = ServerCore::current_exception_info();
    // A body that came too late or broken has a status of its own.
    if (exchange.body_fault && exchange.body_fault->message == error.message) {
      error = *exchange.body_fault;
    }
    response = core_->render(error, &exchange.request);
  }
  exchange.request.body_stream = nullptr;
  core_->count_handler(*exchange.route, core_->now_us() - begin_us);
  return response;
}

bool Connection::respond(Response response) {
  Exchange& exchange = *exchange_;
  if (response.later != nullptr) return respond_later(std::move(response.later));
  if (response.status < 200 || response.status > 599) {
    response = core_->render({500, "internal", "the server could not answer; its log says why",
                              "a handler returned status " + std::to_string(response.status)},
                             &exchange.request);
  }
  // A small body that the handler did not care for is passed over; otherwise a request that was not
  // read to its end, or not understood, cannot be followed by another.
  if (parser_ != nullptr && !parser_->done() && !in_.empty()) {
    in_.erase(0, parser_->feed(in_));
    parser_->body().clear();
  }
  exchange.keep_alive = exchange.head_keep_alive && parser_ != nullptr && parser_->done() &&
                        parser_->fault() == nullptr && !core_->stopping.load();
  const bool head_only = exchange.request.method == "HEAD";
  if (head_only && response.events != nullptr) EventChannel::drop(*response.events);
  if (!head_only && response.stream) return start_stream(std::move(response));
  if (!head_only && response.events != nullptr) return start_events(std::move(response));
  return respond_plain(std::move(response));
}

void Connection::make_head(const Response& response, std::optional<uint64_t> content_length,
                           bool chunked) {
  Exchange& exchange = *exchange_;
  exchange.record.status = response.status;
  exchange.record.detail = response.log_detail;
  exchange.head = response_head(response.status, response.headers,
                                {core_->env.now_ms(), content_length, chunked, exchange.keep_alive,
                                 exchange.request.version_minor});
  exchange.head_sent = exchange.content_sent = 0;
}

bool Connection::respond_plain(Response response) {
  Exchange& exchange = *exchange_;
  const bool head_only = exchange.request.method == "HEAD";
  const bool unknown_length = response.stream != nullptr || response.events != nullptr;
  if (response.file != nullptr) {
    exchange.content = choose_file_form(response, exchange.request);
    exchange.file = std::move(response.file);
  } else {
    exchange.body = std::move(response.body);
    exchange.content = exchange.body;
  }
  const bool bodiless = response.status == 204 || response.status == 304;
  std::optional<uint64_t> length;
  if (!bodiless && !unknown_length) length = exchange.content.size();
  make_head(response, length, false);
  if (bodiless || head_only) exchange.content = {};
  write_out();
  return true;
}

bool Connection::respond_later(std::shared_ptr<LaterResponse> later) {
  std::optional<Response> ready =
      LaterChannel::attach(*later, [self = shared_from_this()](Response response) {
        // Once the server is gone so may be its log: nobody is told any more.
        const std::shared_lock gate(self->core_->late_gate);
        if (self->core_->finished) return;
        if (response.later != nullptr) {
          response = Response::text(500, "internal: an answer that came late was none\n");
        }
        if (self->respond(std::move(response))) self->release();
      });
  // From here on the connection may be another thread's, unless the answer was there.
  if (!ready) return false;
  ready->later = nullptr;
  return respond(std::move(*ready));
}

bool Connection::start_stream(Response response) {
  Exchange& exchange = *exchange_;
  exchange.chunked = exchange.request.version_minor >= 1;
  if (!exchange.chunked) exchange.keep_alive = false;
  make_head(response, std::nullopt, exchange.chunked);
  exchange.stream = std::move(response.stream);
  core_->counters.streams_open.fetch_add(1);
  if (core_->streams.try_post([self = shared_from_this()] { self->run_stream(); })) return false;
  core_->counters.streams_open.fetch_sub(1);
  exchange.stream = nullptr;
  return respond_plain(
      core_->render({503, "busy", "too many streamed responses at once; try again in a moment", {}},
                    &exchange.request));
}

bool Connection::start_events(Response response) {
  Exchange& exchange = *exchange_;
  exchange.chunked = exchange.request.version_minor >= 1;
  if (!exchange.chunked) exchange.keep_alive = false;
  make_head(response, std::nullopt, exchange.chunked);
  exchange.events = std::move(response.events);
  exchange.content = {};
  exchange.last_event_us = core_->now_us();
  core_->counters.streams_open.fetch_add(1);
  phase_ = Phase::kEvents;
  deadline_us_ = core_->now_us() + int64_t{core_->options.write_timeout_ms} * 1000;
  EventChannel::attach(*exchange.events, [weak = weak_from_this(), &io = io_] {
    if (auto self = weak.lock()) io.loop.post([self] { self->resume(); });
  });
  return true;
}

IoStatus Connection::flush() {
  Exchange& exchange = *exchange_;
  while (exchange.head_sent < exchange.head.size() ||
         exchange.content_sent < exchange.content.size()) {
    const IoResult sent = socket_.write(std::string_view(exchange.head).substr(exchange.head_sent),
                                        exchange.content.substr(exchange.content_sent));
    if (sent.status != IoStatus::kOk) return sent.status;
    const size_t of_head = std::min(sent.bytes, exchange.head.size() - exchange.head_sent);
    exchange.head_sent += of_head;
    exchange.content_sent += sent.bytes - of_head;
    exchange.record.response_bytes += sent.bytes;
    core_->counters.bytes_sent.fetch_add(sent.bytes, std::memory_order_relaxed);
  }
  return IoStatus::kOk;
}

// Sends what goes at once; the I/O thread sends the rest, so that no worker waits for a slow client.
void Connection::write_out() {
  const uint64_t before = exchange_->record.response_bytes;
  const IoStatus status = flush();
  if (status == IoStatus::kOk) {
    finish_exchange("ok");
  } else if (status == IoStatus::kClosed) {
    finish_exchange("client_gone", Phase::kClose);
  } else {
    if (phase_ != Phase::kWrite || exchange_->record.response_bytes > before) {
      deadline_us_ = core_->now_us() + int64_t{core_->options.write_timeout_ms} * 1000;
    }
    phase_ = Phase::kWrite;
  }
}

// Logs and counts the request and makes the connection ready for the next one, or for its end.
void Connection::finish_exchange(std::string_view outcome, Phase otherwise) {
  const std::unique_ptr<Exchange> exchange = std::move(exchange_);
  const std::unique_ptr<MessageParser> parser = std::move(parser_);
  const auto& options = core_->options;
  const int64_t now_us = core_->now_us();
  const int status_class = exchange->record.status / 100;
  core_->counters.requests_by_class[status_class].fetch_add(1, std::memory_order_relaxed);
  core_->counters.buffered_bytes.fetch_sub(exchange->buffered_bytes, std::memory_order_relaxed);
  if (options.access_log) {
    AccessRecord& record = exchange->record;
    record.method = exchange->request.method;
    record.target = exchange->request.target;
    record.route_name = exchange->request.route_name;
    record.peer_address = peer_address_;
    record.request_bytes = parser == nullptr ? 0 : parser->body_bytes();
    record.duration_us = now_us - exchange->started_us;
    record.outcome = outcome;
    options.access_log(record);
  }
  if (outcome == "ok" && exchange->keep_alive) {
    phase_ = Phase::kHead;
    deadline_us_ = now_us + int64_t{options.idle_timeout_ms} * 1000;
  } else if (outcome == "ok" && parser != nullptr && parser->done() && in_.empty() && drained_ &&
             !socket_.tls()) {
    phase_ = Phase::kClose;
  } else {
    phase_ = otherwise;
    if (otherwise == Phase::kLinger) begin_linger();
  }
}

// Hands the connection back to its I/O thread, which looks at it at once only if there is something
// to do: in the usual case the next event is the client's next request.
void Connection::release() {
  auto self = shared_from_this();
  const bool look = phase_ != Phase::kHead || !in_.empty() || !drained_ || client_->gone() ||
                    core_->stopping.load();
  const int before = lease_.exchange(kWithLoop, std::memory_order_acq_rel);
  if (look || before == kLentWithEvents) {
    io_.loop.post([self = std::move(self)] { self->resume(); });
  }
}

}  // namespace hone::http
