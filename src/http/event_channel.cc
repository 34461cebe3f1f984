#include "http/event_channel.h"

#include <utility>

namespace hone::http {

void EventChannel::attach(EventStream& stream, std::function<void()> wake) {
  const std::lock_guard lock(stream.mutex_);
  stream.wake_ = std::move(wake);
}

EventChannel::Taken EventChannel::take(EventStream& stream) {
  const std::lock_guard lock(stream.mutex_);
  stream.wake_pending_ = false;
  Taken taken{std::exchange(stream.queue_, {}), stream.closed_, stream.dropped_};
  return taken;
}

bool EventChannel::overflowed(const EventStream& stream) {
  const std::lock_guard lock(stream.mutex_);
  return stream.dropped_;
}

void EventChannel::drop(EventStream& stream) {
  std::function<void()> tell;
  {
    const std::lock_guard lock(stream.mutex_);
    stream.wake_ = nullptr;
    stream.queue_ = {};
    if (stream.drop_told_) return;
    stream.dropped_ = true;
    stream.drop_told_ = true;
    tell = std::move(stream.on_drop_);
    stream.on_drop_ = nullptr;
  }
  if (tell) tell();
}

std::optional<Response> LaterChannel::attach(LaterResponse& later,
                                             std::function<void(Response)> deliver) {
  const std::lock_guard lock(later.mutex_);
  if (later.response_ != nullptr) {
    std::optional<Response> ready(std::move(*later.response_));
    later.response_ = nullptr;
    return ready;
  }
  // Completed and taken: the same object was returned twice.
  if (later.completed_ || later.deliver_) {
    return Response::text(500, "internal: an answer that came late was given twice\n");
  }
  later.deliver_ = std::move(deliver);
  return std::nullopt;
}

}  // namespace hone::http
