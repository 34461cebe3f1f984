#include "http/event_stream.h"

#include "base/error.h"
#include "http/response.h"

namespace hone::http {

bool EventStream::send(std::string_view event, std::string_view data, std::string_view id) {
  std::string text;
  text.reserve(data.size() + event.size() + id.size() + 24);
  // A line end in the names would begin a field of its own.
  const auto field = [&text](std::string_view name, std::string_view value) {
    text += name;
    for (const char c : value) text += c == '\n' || c == '\r' ? ' ' : c;
    text += '\n';
  };
  if (!event.empty()) field("event: ", event);
  if (!id.empty()) field("id: ", id);
  while (true) {
    const size_t end = data.find_first_of("\r\n");
    text += "data: ";
    text += data.substr(0, end);
    text += '\n';
    if (end == std::string_view::npos) break;
    data.remove_prefix(data.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  text += '\n';
  return send_raw(text);
}

bool EventStream::send_comment(std::string_view text) {
  std::string line = ": ";
  for (const char c : text) line += c == '\n' || c == '\r' ? ' ' : c;
  line += "\n\n";
  return send_raw(line);
}

bool EventStream::send_raw(std::string_view bytes) {
  std::function<void()> call;
  bool sent = true;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || dropped_) return false;
    if (queue_.size() + bytes.size() > options_.max_queued_bytes) {
      dropped_ = true;
      sent = false;
      queue_ = {};
      wake_pending_ = false;  // the last wake may have found the socket full and looked no further
    } else {
      queue_ += bytes;
    }
    if (!wake_pending_ && wake_) {
      wake_pending_ = true;
      call = wake_;
    }
  }
  if (call) call();
  return sent;
}

void EventStream::close() {
  std::function<void()> call;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || dropped_) return;
    closed_ = true;
    on_drop_ = nullptr;
    if (!wake_pending_ && wake_) {
      wake_pending_ = true;
      call = wake_;
    }
  }
  if (call) call();
}

bool EventStream::open() const {
  const std::lock_guard lock(mutex_);
  return !closed_ && !dropped_;
}

size_t EventStream::queued_bytes() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

void EventStream::on_drop(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    if (!drop_told_) {
      on_drop_ = std::move(callback);
      return;
    }
  }
  callback();
}

LaterResponse::LaterResponse() = default;

LaterResponse::~LaterResponse() {
  if (deliver_ && !completed_) {
    deliver_(Response::text(500, "internal: the work was given up without an answer\n"));
  }
}

void LaterResponse::complete(Response response) {
  std::function<void(Response)> deliver;
  {
    const std::lock_guard lock(mutex_);
    if (completed_) return;
    completed_ = true;
    if (!deliver_) {
      response_ = std::make_unique<Response>(std::move(response));
      return;
    }
    deliver = std::move(deliver_);
    deliver_ = nullptr;
  }
  deliver(std::move(response));
}

}  // namespace hone::http
