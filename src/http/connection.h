#pragma once
// One connection and the request that it is at.
//
// Who may touch it: whoever holds its lease. The I/O thread holds it while the connection reads a
// head or a buffered body, writes what did not fit at once, or sends events. It lends it to a worker
// (or stream) thread for the time of a handler: that thread reads a streamed body and writes the
// response itself, so that an answer does not wait for the I/O thread, and hands it back. Events
// that come meanwhile are remembered in the lease and looked at then. client_ alone is free to all.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/core.h"
#include "http/socket.h"

namespace hone::http {

// What a request needs while it lasts; an idle connection has none.
struct Exchange {
  Request request;
  const Route* route = nullptr;
  AccessRecord record;
  int64_t started_us = 0;
  bool head_keep_alive = true;
  bool keep_alive = false;  // decided with the response
  bool expects_continue = false;
  uint64_t buffered_bytes = 0;          // what counters.buffered_bytes holds for it
  std::optional<ErrorInfo> body_fault;  // why reading the body failed, if the handler passes it on
  // What is being sent.
  std::string head;
  std::string body;
  std::shared_ptr<const StaticFile> file;  // keeps content alive
  std::string_view content;                // of body or file
  size_t head_sent = 0;
  size_t content_sent = 0;
  bool chunked = false;
  std::function<void(StreamWriter&)> stream;
  std::shared_ptr<EventStream> events;  // shared with its producers
  bool last_chunk_queued = false;
  int64_t last_event_us = 0;
};

class Connection final : public EventLoop::Listener,
                         public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ServerCore> core, IoThread& io, int fd, std::string peer_address);
  ~Connection() override;

  // On the I/O thread.
  bool start();  // false: the system refuses to watch it
  void on_events(uint32_t epoll_events) override;
  void tick(int64_t now_us);  // deadlines
  void begin_stop();          // closes when idle
  void cut();                 // by force

 private:
  friend class ConnectionBody;
  friend class ConnectionWriter;

  enum class Phase { kHandshake, kHead, kBody, kLent, kWrite, kEvents, kLinger, kAbort, kClose };
  enum Lease { kWithLoop, kLentOut, kLentWithEvents };

  // connection.cc: the I/O thread's side. Each step returns whether there is more to do at once.
  bool try_enter();
  void resume();
  void advance();
  bool step();
  bool handshake();
  bool read_head();
  bool begin_request();
  bool read_body();
  bool fill();
  bool dispatch();
  bool continue_write();
  bool refuse(ErrorInfo error, const std::string& allow = {});
  bool refuse(const MessageFault& fault);
  bool linger();
  void begin_linger();
  void on_deadline();
  bool body_too_slow(int64_t now_us) const;
  void close();

  // connection_respond.cc: whoever holds the lease. respond() and those it calls return
  // whether the caller still does.
  void run_handler();
  Response call_handler();
  bool respond(Response response);
  bool respond_plain(Response response);
  bool respond_later(std::shared_ptr<LaterResponse> later);
  bool start_stream(Response response);
  bool start_events(Response response);
  void make_head(const Response& response, std::optional<uint64_t> content_length, bool chunked);
  void write_out();
  IoStatus flush();
  void finish_exchange(std::string_view outcome, Phase otherwise = Phase::kLinger);
  void release();

  // connection_streams.cc
  void run_stream();
  bool pump_events();
  bool take_events();
  void drop_events(std::string_view outcome, bool abort);
  void tick_events(int64_t now_us);

  const std::shared_ptr<ServerCore> core_;  // shared by all connections
  IoThread& io_;
  const std::string peer_address_;
  const std::shared_ptr<Client> client_;  // shared with work that outlives a handler
  std::atomic<int> lease_{kWithLoop};

  // Touched by the holder of the lease.
  Socket socket_;
  Phase phase_ = Phase::kHead;
  bool drained_ = false;  // the last read found all that the kernel had
  bool closed_ = false;
  int64_t deadline_us_ = 0;
  std::string in_;  // read and not parsed
  std::unique_ptr<MessageParser> parser_;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace hone::http
