#include "http/connection_streams.h"

#include <algorithm>

#include "http/admission.h"
#include "http/event_channel.h"
#include "http/response_head.h"

namespace hone::http {
namespace {

constexpr size_t kPieceBytes = 64 * 1024;
constexpr size_t kGatheredBytes = 32 * 1024;

}  // namespace

void ConnectionBody::fail(ErrorCode code, int status, std::string message) {
  static constexpr std::string_view kTimeout = "request_timeout";
  connection_.exchange_->body_fault =
      ErrorInfo{status, std::string(status == 408 ? kTimeout : error_code_name(code)), message, {}};
  throw Error(code, std::move(message));
}

// Takes what was received apart; leaves the body's bytes in piece_.
void ConnectionBody::parse() {
  std::string& in = connection_.in_;
  MessageParser& parser = *connection_.parser_;
  in.erase(0, parser.feed(std::string_view(in).substr(0, kPieceBytes)));
  if (parser.fault() != nullptr) {
    fail(ErrorCode::kInvalidInput, parser.fault()->status, parser.fault()->message);
  }
  piece_.swap(parser.body());
  parser.body().clear();
  bytes_read_ = parser.body_bytes();
  const uint64_t most = connection_.exchange_->route->options.max_body_bytes;
  if (bytes_read_ > most) {
    fail(ErrorCode::kTooLarge, 413, body_too_large(most).message);
  }
}

void ConnectionBody::receive() {
  Connection& c = connection_;
  const auto& options = c.core_->options;
  buffer_.resize(kPieceBytes);
  while (true) {
    const IoResult got = c.socket_.read(buffer_.data(), buffer_.size());
    if (got.status == IoStatus::kOk) {
      c.in_.append(buffer_, 0, got.bytes);
      c.drained_ = false;
      c.core_->counters.bytes_received.fetch_add(got.bytes, std::memory_order_relaxed);
      return;
    }
    if (got.status == IoStatus::kClosed) {
      c.client_->set_gone();
      fail(ErrorCode::kUnavailable, 400, "the client left before the end of the body");
    }
    if (!c.socket_.wait(got.status, options.body_timeout_ms) ||
        c.body_too_slow(c.core_->now_us())) {
      fail(ErrorCode::kUnavailable, 408, "the body came too slowly; send it again");
    }
  }
}

std::string_view ConnectionBody::read() {
  Connection& c = connection_;
  if (c.exchange_->expects_continue) {
    c.exchange_->expects_continue = false;
    c.socket_.write("HTTP/1.1 100 Continue\r\n\r\n");
  }
  piece_.clear();
  while (piece_.empty()) {
    // What came with the head, first: a body that ends there must not wait for more.
    if (c.parser_->fault() != nullptr) {
      fail(ErrorCode::kInvalidInput, c.parser_->fault()->status, c.parser_->fault()->message);
    }
    if (c.parser_->done()) return {};
    if (!c.in_.empty()) parse();
    if (piece_.empty() && !c.parser_->done()) receive();
  }
  return piece_;
}

ConnectionWriter::ConnectionWriter(Connection& connection) : connection_(connection) {
  ready_ = std::move(connection.exchange_->head);
}

void ConnectionWriter::frame() {
  if (connection_.exchange_->chunked) {
    append_chunk(ready_, gathered_);
  } else {
    ready_ += gathered_;
  }
  gathered_.clear();
}

bool ConnectionWriter::send(std::string_view bytes) {
  Connection& c = connection_;
  while (!bytes.empty() && !failed_) {
    const IoResult sent = c.socket_.write(bytes);
    if (sent.status == IoStatus::kOk) {
      bytes.remove_prefix(sent.bytes);
      c.exchange_->record.response_bytes += sent.bytes;
      c.core_->counters.bytes_sent.fetch_add(sent.bytes, std::memory_order_relaxed);
    } else if (sent.status == IoStatus::kClosed) {
      failed_ = true;
    } else if (!c.socket_.wait(sent.status, c.core_->options.write_timeout_ms)) {
      failed_ = timed_out_ = true;
    }
  }
  return !failed_;
}

bool ConnectionWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kGatheredBytes - gathered_.size());
    gathered_ += part;
    bytes.remove_prefix(part.size());
    if (gathered_.size() == kGatheredBytes && !flush()) return false;
  }
  return !gone();
}

bool ConnectionWriter::flush() {
  if (gone()) return false;
  frame();
  const bool sent = send(ready_);
  ready_.clear();
  return sent;
}

bool ConnectionWriter::gone() const { return failed_ || connection_.client_->gone(); }

bool ConnectionWriter::finish() {
  frame();
  if (connection_.exchange_->chunked) ready_ += kLastChunk;
  // Also to a client that has closed its own sending side: nothing more will come from us.
  return send(ready_);
}

void Connection::run_stream() {
  std::string_view outcome = "ok";
  {
    ConnectionWriter writer(*this);
    try {
      exchange_->stream(writer);
      if (!writer.finish()) outcome = writer.timed_out() ? "timeout" : "client_gone";
    } catch (...) {
      const ErrorInfo error = ServerCore::current_exception_info();
      exchange_->record.detail =
          error.message + (error.detail.empty() ? "" : " (" + error.detail + ")");
      outcome = "aborted";
    }
  }
  core_->counters.streams_open.fetch_sub(1);
  finish_exchange(outcome, outcome == "ok" ? Phase::kLinger : Phase::kAbort);
  release();
}

// Sends what producers have pushed. On the I/O thread.
bool Connection::pump_events() {
  if (client_->gone()) {
    drop_events("client_gone", true);
    return true;
  }
  const uint64_t before = exchange_->record.response_bytes;
  const IoStatus status = flush();
  const int64_t now_us = core_->now_us();
  if (exchange_->record.response_bytes > before) {
    exchange_->last_event_us = now_us;
    deadline_us_ = now_us + int64_t{core_->options.write_timeout_ms} * 1000;
  }
  if (status == IoStatus::kClosed) {
    drop_events("client_gone", true);
    return true;
  }
  if (status != IoStatus::kOk) {  // the client is slow: the queue's bound holds
    if (!EventChannel::overflowed(*exchange_->events)) return false;
    drop_events("timeout", true);
    return true;
  }
  return take_events();
}

bool Connection::take_events() {
  Exchange& exchange = *exchange_;
  if (exchange.last_chunk_queued) {
    core_->counters.streams_open.fetch_sub(1);
    EventChannel::drop(*exchange.events);
    finish_exchange("ok");
    return true;
  }
  EventChannel::Taken taken = EventChannel::take(*exchange.events);
  if (taken.dropped) {
    drop_events("timeout", true);
    return true;
  }
  if (taken.bytes.empty() && !taken.closed) return false;
  exchange.head.clear();
  exchange.body.clear();
  if (exchange.chunked) {
    append_chunk(exchange.body, taken.bytes);
    if (taken.closed) exchange.body += kLastChunk;
  } else {
    exchange.body = std::move(taken.bytes);
  }
  exchange.last_chunk_queued = taken.closed;
  exchange.content = exchange.body;
  exchange.head_sent = exchange.content_sent = 0;
  deadline_us_ = core_->now_us() + int64_t{core_->options.write_timeout_ms} * 1000;
  return true;
}

// Ends the stream from our side. Without abort what was queued is sent if it goes at once, and the
// body ends as it should.
void Connection::drop_events(std::string_view outcome, bool abort) {
  Exchange& exchange = *exchange_;
  if (!abort && flush() == IoStatus::kOk && !exchange.last_chunk_queued) {
    EventChannel::Taken taken = EventChannel::take(*exchange.events);
    exchange.head.clear();
    exchange.body.clear();
    append_chunk(exchange.body, taken.bytes);
    exchange.body += kLastChunk;
    if (!exchange.chunked) exchange.body = std::move(taken.bytes);
    exchange.content = exchange.body;
    exchange.head_sent = exchange.content_sent = 0;
    flush();
  }
  core_->counters.streams_open.fetch_sub(1);
  EventChannel::drop(*exchange.events);
  exchange.keep_alive = false;
  finish_exchange(outcome, abort ? Phase::kAbort : Phase::kLinger);
}

void Connection::tick_events(int64_t now_us) {
  Exchange& exchange = *exchange_;
  const bool waiting =
      exchange.head_sent < exchange.head.size() || exchange.content_sent < exchange.content.size();
  if (waiting && now_us > deadline_us_) {
    drop_events("timeout", true);
    advance();
    return;
  }
  const int64_t keep_alive_us = int64_t{EventChannel::keep_alive_ms(*exchange.events)} * 1000;
  if (!waiting && keep_alive_us > 0 && now_us - exchange.last_event_us > keep_alive_us) {
    exchange.last_event_us = now_us;
    exchange.events->send_comment("keep-alive");
  }
}

}  // namespace hone::http
