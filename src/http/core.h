#pragma once
// What all connections of one server share. Shared by them, as an answer that comes late may outlive
// the Server object.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "http/event_loop.h"
#include "http/message_parser.h"
#include "http/server.h"
#include "http/tls.h"
#include "http/worker_pool.h"

namespace hone::http {

class Connection;

struct RouteCounters {
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> sum_us{0};
  std::atomic<uint64_t> buckets[kLatencyBuckets] = {};
};

struct Counters {
  std::atomic<uint64_t> connections_open{0};
  std::atomic<uint64_t> connections_total{0};
  std::atomic<uint64_t> connections_refused{0};
  std::atomic<uint64_t> requests_by_class[6] = {};
  std::atomic<uint64_t> bytes_received{0};
  std::atomic<uint64_t> bytes_sent{0};
  std::atomic<uint64_t> streams_open{0};
  std::atomic<uint64_t> buffered_bytes{0};
};

// One I/O thread and the connections that live on it.
struct IoThread {
  EventLoop loop;
  // Touched by the loop's thread.
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;  // shared with workers
  std::vector<char> scratch = std::vector<char>(64 * 1024);
  std::thread thread;
};

struct ServerCore {
  ServerCore(Env& the_env, ServerOptions the_options, Router the_router);

  Env& env;
  const ServerOptions options;
  const Router router;
  const HeadLimits limits;
  std::vector<std::string> hosts;  // lower case; constant after start, as is tls
  bool any_host = false;
  std::shared_ptr<TlsContext> tls;  // shared with the sessions

  Counters counters;
  std::unordered_map<const Route*, std::unique_ptr<RouteCounters>> routes;  // constant
  std::atomic<bool> stopping{false};
  // Told when a connection closes while the server stops.
  std::mutex closed_mutex;
  std::condition_variable closed;
  // Held by answers that come late; whoever finishes the server waits for those under way.
  std::shared_mutex late_gate;
  bool finished = false;  // guarded by late_gate

  WorkerPool workers;
  WorkerPool streams;
  std::vector<std::unique_ptr<IoThread>> io;

  int64_t now_us() const { return static_cast<int64_t>(env.steady_seconds() * 1e6); }
  // The renderer's response, or a plain text when there is none or it throws. Never a stream.
  Response render(const ErrorInfo& error, const Request* request) const;
  // What a handler threw, as an error for the client: called within a catch block.
  static ErrorInfo current_exception_info();
  void count_handler(const Route& route, int64_t duration_us) const;
};

}  // namespace hone::http
