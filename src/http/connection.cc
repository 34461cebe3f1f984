#include "http/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>

#include "http/admission.h"
#include "http/event_channel.h"

namespace hone::http {
namespace {

constexpr int kLingerMs = 2'000;
// A sender is measured by its average only after it had time to begin.
constexpr int64_t kRateGraceUs = 5'000'000;
// One connection's share of an I/O thread before others get their turn.
constexpr int kStepsAtOnce = 64;

}  // namespace

Connection::Connection(std::shared_ptr<ServerCore> core, IoThread& io, int fd,
                       std::string peer_address)
    : core_(std::move(core)),
      io_(io),
      peer_address_(std::move(peer_address)),
      client_(std::make_shared<Client>()),
      socket_(fd) {
  core_->counters.connections_open.fetch_add(1);
  core_->counters.connections_total.fetch_add(1);
}

Connection::~Connection() = default;

bool Connection::start() {
  const auto& options = core_->options;
  deadline_us_ = core_->now_us() + int64_t{options.idle_timeout_ms} * 1000;
  if (core_->tls != nullptr) {
    socket_.use_tls(std::make_unique<TlsSession>(core_->tls, socket_.fd()));
    phase_ = Phase::kHandshake;
    deadline_us_ = core_->now_us() + int64_t{options.head_timeout_ms} * 1000;
  }
  return io_.loop.add(socket_.fd(), this, true);
}

// The I/O thread asks for the lease; when it is lent, the holder will look at what happened.
bool Connection::try_enter() {
  int lease = lease_.load(std::memory_order_acquire);
  while (lease != kWithLoop) {
    if (lease == kLentWithEvents ||
        lease_.compare_exchange_weak(lease, kLentWithEvents, std::memory_order_acq_rel)) {
      return false;
    }
  }
  return true;
}

void Connection::on_events(uint32_t epoll_events) {
  if ((epoll_events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) client_->set_gone();
  resume();
}

void Connection::resume() {
  if (try_enter()) advance();
}

void Connection::advance() {
  for (int steps = 0; !closed_ && step(); ++steps) {
    if (steps == kStepsAtOnce) {
      io_.loop.post([self = shared_from_this()] { self->resume(); });
      return;
    }
  }
}

bool Connection::step() {
  switch (phase_) {
    case Phase::kHandshake: return handshake();
    case Phase::kHead: return read_head();
    case Phase::kBody: return read_body();
    case Phase::kLent: return false;
    case Phase::kWrite: return continue_write();
    case Phase::kEvents: return pump_events();
    case Phase::kLinger: return linger();
    case Phase::kAbort: {
      // A reset: the client must not take the part for the whole.
      const struct linger reset = {1, 0};
      setsockopt(socket_.fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
      close();
      return false;
    }
    case Phase::kClose: close(); return false;
  }
  return false;
}

bool Connection::handshake() {
  const IoStatus status = socket_.handshake();
  if (status == IoStatus::kWantRead || status == IoStatus::kWantWrite) return false;
  if (status == IoStatus::kClosed) {
    phase_ = Phase::kClose;
    return true;
  }
  phase_ = Phase::kHead;
  deadline_us_ = core_->now_us() + int64_t{core_->options.idle_timeout_ms} * 1000;
  return true;
}

bool Connection::fill() {
  const IoResult got = socket_.read(io_.scratch.data(), io_.scratch.size());
  if (got.status == IoStatus::kOk) {
    drained_ = !socket_.tls() && got.bytes < io_.scratch.size();
    in_.append(io_.scratch.data(), got.bytes);
    core_->counters.bytes_received.fetch_add(got.bytes, std::memory_order_relaxed);
    return true;
  }
  drained_ = true;
  if (got.status != IoStatus::kClosed) return false;
  client_->set_gone();
  if (exchange_ != nullptr) finish_exchange("client_gone", Phase::kClose);
  phase_ = Phase::kClose;
  return true;
}

bool Connection::read_head() {
  if (parser_ == nullptr) {
    // An empty line before a request is forgiven (RFC 9112 section 2.2).
    while (!in_.empty() && (in_.front() == '\r' || in_.front() == '\n')) in_.erase(0, 1);
  }
  if (!in_.empty()) {
    if (parser_ == nullptr) {
      parser_ = std::make_unique<MessageParser>(MessageParser::Kind::kRequest, core_->limits);
      deadline_us_ = core_->now_us() + int64_t{core_->options.head_timeout_ms} * 1000;
    }
    in_.erase(0, parser_->feed(in_));
    if (parser_->fault() != nullptr) return refuse(*parser_->fault());
    if (parser_->head_done()) return begin_request();
  } else if (parser_ == nullptr) {
    if (core_->stopping.load()) {
      phase_ = Phase::kClose;
      return true;
    }
    if (in_.capacity() > 64) in_ = std::string();  // idle: gives its memory back
  }
  return fill();
}

bool Connection::begin_request() {
  exchange_ = std::make_unique<Exchange>();
  Exchange& exchange = *exchange_;
  MessageHead& head = parser_->head();
  exchange.started_us = core_->now_us();
  exchange.record.started_at_ms = core_->env.now_ms();
  exchange.head_keep_alive = head.keep_alive;
  exchange.request.client = client_;
  exchange.request.peer_address = peer_address_;
  exchange.request.tls = socket_.tls();
  const Admission admission = admit(*core_, head, exchange.request);
  exchange.route = admission.route;
  exchange.expects_continue = admission.expects_continue && head.has_body();
  if (admission.refusal) return refuse(*admission.refusal, admission.allow);
  if (admission.only_options) {
    Response response = Response::no_content();
    response.headers.add("Allow", admission.allow);
    return respond(std::move(response));
  }
  if (parser_->done() || admission.route->options.streaming) return dispatch();
  if (exchange.expects_continue) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    if (socket_.write(kContinue).bytes != kContinue.size()) {
      finish_exchange("client_gone", Phase::kClose);
      return true;
    }
  }
  phase_ = Phase::kBody;
  deadline_us_ = core_->now_us() + int64_t{core_->options.body_timeout_ms} * 1000;
  return true;
}

bool Connection::read_body() {
  Exchange& exchange = *exchange_;
  if (!in_.empty()) {
    in_.erase(0, parser_->feed(in_));
    if (parser_->fault() != nullptr) return refuse(*parser_->fault());
    const uint64_t bytes = parser_->body_bytes();
    if (bytes > exchange.route->options.max_body_bytes) {
      return refuse(body_too_large(exchange.route->options.max_body_bytes));
    }
    const uint64_t added = bytes - exchange.buffered_bytes;
    exchange.buffered_bytes = bytes;
    if (core_->counters.buffered_bytes.fetch_add(added) + added >
        core_->options.max_buffered_bytes) {
      return refuse({503, "busy", "too many large requests at once; try again in a moment", {}});
    }
    deadline_us_ = core_->now_us() + int64_t{core_->options.body_timeout_ms} * 1000;
    if (parser_->done()) {
      exchange.request.body = std::move(parser_->body());
      return dispatch();
    }
  }
  return fill();
}

bool Connection::dispatch() {
  phase_ = Phase::kLent;
  lease_.store(kLentOut, std::memory_order_release);
  if (core_->workers.try_post([self = shared_from_this()] { self->run_handler(); })) return false;
  lease_.store(kWithLoop, std::memory_order_release);
  return refuse({503, "busy", "the server is busy; try again in a moment", {}});
}

bool Connection::refuse(const MessageFault& fault) {
  return refuse(ErrorInfo{fault.status, std::string(fault.code), fault.message, {}});
}

bool Connection::refuse(ErrorInfo error, const std::string& allow) {
  const bool has_request = exchange_ != nullptr;
  if (!has_request) {
    exchange_ = std::make_unique<Exchange>();
    exchange_->started_us = core_->now_us();
    exchange_->record.started_at_ms = core_->env.now_ms();
    exchange_->head_keep_alive = false;
  }
  Response response = core_->render(error, has_request ? &exchange_->request : nullptr);
  if (!allow.empty()) response.headers.set("Allow", allow);
  return respond(std::move(response));
}

bool Connection::continue_write() {
  write_out();
  return phase_ != Phase::kWrite;
}

// The response is out and more of the request may come, or lie unread: closing now would reset the
// connection and could take the response with it. So we end our side and wait for theirs.
void Connection::begin_linger() {
  socket_.finish_writing();
  phase_ = Phase::kLinger;
  deadline_us_ = core_->now_us() + kLingerMs * 1000;
  in_ = std::string();
}

bool Connection::linger() {
  const IoResult got = socket_.discard(io_.scratch.data(), io_.scratch.size());
  if (got.status == IoStatus::kWantRead) return false;
  if (got.status == IoStatus::kClosed) phase_ = Phase::kClose;
  if (core_->now_us() > deadline_us_) phase_ = Phase::kClose;
  return true;
}

bool Connection::body_too_slow(int64_t now_us) const {
  const int64_t rate = core_->options.body_bytes_per_second_min;
  const int64_t spent_us = now_us - exchange_->started_us;
  if (rate <= 0 || spent_us < kRateGraceUs) return false;
  return static_cast<int64_t>(parser_->body_bytes()) < rate * (spent_us / 1'000'000);
}

void Connection::tick(int64_t now_us) {
  if (lease_.load(std::memory_order_acquire) != kWithLoop || closed_) return;
  if (phase_ == Phase::kEvents) {
    tick_events(now_us);
  } else if (now_us > deadline_us_ || (phase_ == Phase::kBody && body_too_slow(now_us))) {
    on_deadline();
  }
}

void Connection::on_deadline() {
  if ((phase_ == Phase::kHead && parser_ != nullptr) || phase_ == Phase::kBody) {
    refuse({408, "request_timeout", "the request came too slowly; send it again", {}});
  } else {
    const Phase after = phase_ == Phase::kWrite ? Phase::kAbort : Phase::kClose;
    if (exchange_ != nullptr) finish_exchange("timeout", after);
    phase_ = after;
  }
  advance();
}

void Connection::begin_stop() {
  if (closed_ || !try_enter()) return;
  if (phase_ == Phase::kEvents && !EventChannel::outlives_stop(*exchange_->events)) {
    drop_events("ok", false);
  }
  if (phase_ == Phase::kHandshake) phase_ = Phase::kClose;
  advance();
}

void Connection::cut() {
  client_->set_gone();
  socket_.interrupt();
  if (closed_ || !try_enter()) return;
  if (phase_ == Phase::kEvents) drop_events("client_gone", true);
  if (exchange_ != nullptr) finish_exchange("client_gone", Phase::kClose);
  close();
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  io_.loop.remove(socket_.fd());
  const auto found = io_.connections.find(this);
  if (found != io_.connections.end()) {
    io_.loop.retire(std::move(found->second));  // events of this batch may still name us
    io_.connections.erase(found);
  }
  core_->counters.connections_open.fetch_sub(1);
  if (core_->stopping.load()) {
    const std::lock_guard lock(core_->closed_mutex);
    core_->closed.notify_all();
  }
}

}  // namespace hone::http
