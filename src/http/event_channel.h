#pragma once
// The server's ends of EventStream and LaterResponse.

#include <functional>
#include <optional>
#include <string>

#include "http/event_stream.h"
#include "http/response.h"

namespace hone::http {

class EventChannel {
 public:
  struct Taken {
    std::string bytes;
    bool closed = false;
    bool dropped = false;
  };
  // wake is called, from any thread, when there is something to take; at once if there is already.
  static void attach(EventStream& stream, std::function<void()> wake);
  static Taken take(EventStream& stream);
  // The client left more unread than the stream's bound.
  static bool overflowed(const EventStream& stream);
  // The other side is gone, or the server stops: tells the producer once.
  static void drop(EventStream& stream);
  static bool outlives_stop(const EventStream& stream) { return stream.options_.outlives_stop; }
  static int keep_alive_ms(const EventStream& stream) { return stream.options_.keep_alive_ms; }
};

class LaterChannel {
 public:
  // The response when it is there already; otherwise deliver will be called with it, once.
  static std::optional<Response> attach(LaterResponse& later,
                                        std::function<void(Response)> deliver);
};

}  // namespace hone::http
