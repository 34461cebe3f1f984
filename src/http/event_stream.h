#pragma once
// Server-sent events, and answers that another thread will give: a handler returns at once, no
// worker waits, and the I/O thread writes what producers push.
//
//   auto stream = std::make_shared<EventStream>();
//   scheduler.submit(job, [stream](const Token& t) { stream->send_data(t.json); });
//   return Response::event_stream(stream);
//
// Every call may come from any thread, before or after the response was returned.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace hone::http {

struct Response;

struct EventStreamOptions {
  // What a client that reads too slowly may leave waiting; beyond it the stream is dropped.
  size_t max_queued_bytes = 1 << 20;
  // A comment line is sent after so long without an event, so that nobody between closes the
  // connection and a client that vanished is noticed; 0 = none.
  int keep_alive_ms = 15'000;
  // The stream has an end of its own: a server that stops lets it finish until the deadline.
  bool outlives_stop = false;
};

class EventStream {
 public:
  explicit EventStream(const EventStreamOptions& options = {}) : options_(options) {}

  // "event:" and "id:" lines are left out when empty; each line of data becomes a "data:" line.
  // All return false, and do nothing, once the stream is closed or dropped.
  bool send(std::string_view event, std::string_view data, std::string_view id = {});
  bool send_data(std::string_view data) { return send({}, data); }
  bool send_comment(std::string_view text);
  // Bytes as they are: for callers that frame themselves.
  bool send_raw(std::string_view bytes);
  // What was sent is still delivered, then the response ends. Again: nothing happens.
  void close();
  // False once closed by either side, dropped, or the server stops.
  bool open() const;
  size_t queued_bytes() const;
  // Called once, when the stream ends for whatever reason but close() of our own side: the client
  // left, read too slowly, the server stops. On an I/O thread: be quick, do not block, do not throw.
  // At once, on the calling thread, when that has happened already.
  void on_drop(std::function<void()> callback);

 private:
  friend class EventChannel;  // connection.cc: the server's end
  const EventStreamOptions options_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::string queue_;
  bool closed_ = false;   // by us
  bool dropped_ = false;  // by the other side, or because it read too slowly
  bool drop_told_ = false;
  std::function<void()> wake_;  // tells the I/O thread that there is something; set by the server
  bool wake_pending_ = false;
  std::function<void()> on_drop_;
};

// An ordinary response that comes later, from any thread: Response::later(). Completing twice does
// nothing the second time. When the last reference goes without an answer, the client gets a 500.
class LaterResponse {
 public:
  LaterResponse();
  ~LaterResponse();
  LaterResponse(const LaterResponse&) = delete;
  LaterResponse& operator=(const LaterResponse&) = delete;

  // May hold anything but another LaterResponse.
  void complete(Response response);

 private:
  friend class LaterChannel;  // connection.cc
  std::mutex mutex_;
  // Guarded by mutex_.
  bool completed_ = false;
  std::unique_ptr<Response> response_;     // completed before the server asked
  std::function<void(Response)> deliver_;  // set by the server
};

}  // namespace hone::http
