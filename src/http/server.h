#pragma once
// An HTTP/1.1 server. Connections live on I/O threads that never block and cost memory only while
// idle; handlers are plain functions on worker threads and may block.
//
//   Server server(env, options, std::move(router));
//   server.start();
//   ... server.port() ...
//   server.stop(10'000);
//
// Refused before a handler sees it, the connection closed where its framing is in doubt: a target
// that does not parse (400), conflicting lengths and encodings (400), heads over the bounds (431),
// long targets (414), bodies over the route's bound (413), a Host that is not ours (421), an Origin
// that is not the Host (403), an unknown path or method (404, 405), full queues (503 with
// Retry-After), heads and bodies that come too slowly (408).

#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/error.h"
#include "http/router.h"

namespace hone::http {

// What went wrong, for the body of an error response.
struct ErrorInfo {
  int status = 500;
  // "not_found", "too_large", ... (error_code_name), or "method_not_allowed", "request_timeout",
  // "headers_too_large", "target_too_long", "misdirected_request", "not_implemented",
  // "version_not_supported".
  std::string code = {};
  std::string message = {};  // for the person who asked
  std::string detail = {};   // for the log, never for the client
};
// Makes the response to an error. The request is null when the head could not be read. Any thread,
// I/O threads too: it must not block. The server sets Allow, Retry-After and closes by itself.
using ErrorRenderer = std::function<Response(const ErrorInfo& error, const Request* request)>;

// One finished request (or one that never became a request: method is empty then).
struct AccessRecord {
  int64_t started_at_ms = 0;
  std::string method = {};
  std::string target = {};
  std::string_view route_name = {};
  std::string peer_address = {};
  int status = 0;
  uint64_t request_bytes = 0;   // of the body
  uint64_t response_bytes = 0;  // head and body, as sent
  int64_t duration_us = 0;      // from the head's last byte to the response's last byte
  // "ok"; "client_gone" (before the response was whole), "timeout", "aborted" (a stream threw)
  std::string_view outcome = "ok";
  std::string detail = {};  // of the error, if there was one
};
using AccessLog = std::function<void(const AccessRecord& record)>;  // any thread; must not throw

struct ServerOptions {
  std::string address = "127.0.0.1";  // a numeric address, or a name that resolves to one
  uint16_t port = 0;                  // 0 = the system chooses; see port()
  // PEM files; both or none. TLS 1.2 and later.
  std::string tls_certificate_file = {};
  std::string tls_key_file = {};
  // Names under which clients may call us, without port. The listening address is always one;
  // on a loopback address so are localhost, 127.0.0.1 and [::1]. "*" = any (behind a proxy only).
  std::vector<std::string> allowed_hosts = {};
  // Origins beside the Host itself ("http://localhost:5173" of a development server).
  std::vector<std::string> allowed_origins = {};

  size_t max_head_bytes = size_t{16} * 1024;
  size_t max_headers = 100;
  size_t max_target_bytes = size_t{8} * 1024;
  size_t max_connections = 10'000;             // more are answered 503 and closed
  uint64_t max_buffered_bytes = 256ull << 20;  // request bodies waiting in memory, all together

  int head_timeout_ms = 10'000;         // from the first byte of a head to its last
  int body_timeout_ms = 20'000;         // without a byte of the body
  int body_bytes_per_second_min = 256;  // below it over the body's life so far: 408; 0 = any rate
  int idle_timeout_ms = 75'000;         // between requests
  int write_timeout_ms = 20'000;        // without the client taking a byte

  size_t io_threads = 1;
  size_t worker_threads = 32;
  size_t max_queue = 1024;         // requests that wait for a worker
  size_t max_stream_threads = 64;  // streaming responses at once; twice as many may wait

  ErrorRenderer render_error = {};  // none = "404 not_found: message" as text
  AccessLog access_log = {};        // none = no log
};

// Upper bounds of the buckets of a latency histogram, in microseconds; one more is open.
inline constexpr int64_t kLatencyBoundsUs[] = {100,     250,     500,       1'000,     2'500,
                                               5'000,   10'000,  25'000,    50'000,    100'000,
                                               250'000, 500'000, 1'000'000, 2'500'000, 10'000'000};
inline constexpr size_t kLatencyBuckets = std::size(kLatencyBoundsUs) + 1;

struct RouteMetrics {
  uint64_t requests = 0;
  uint64_t sum_us = 0;                     // of the handler alone, without queue and socket
  uint64_t buckets[kLatencyBuckets] = {};  // not cumulative
};

// Counters since start, read without stopping anything.
struct ServerMetrics {
  uint64_t connections_open = 0;
  uint64_t connections_total = 0;
  uint64_t connections_refused = 0;
  uint64_t requests_by_class[6] = {};  // [2] = 2xx, ...
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
  uint64_t queue_length = 0;
  uint64_t workers_busy = 0;
  uint64_t streams_open = 0;  // streamed responses and event streams
  uint64_t buffered_bytes = 0;
  std::map<std::string, RouteMetrics> routes;  // by RouteOptions::name
};

class Server {
 public:
  // env must outlive the server and every LaterResponse given to it. Throws invalid_input for options that cannot be.
  Server(Env& env, ServerOptions options, Router router);
  ~Server();  // stops at once when stop() was not called
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens and returns. Throws unavailable (address in use, not ours) and invalid_input (a
  // certificate that cannot be read) with the next step. Once.
  void start();
  uint16_t port() const;    // after start()
  std::string url() const;  // "http://127.0.0.1:8080"
  // Takes no new connections, closes idle ones, lets requests finish with "Connection: close",
  // ends event streams. After deadline_ms what still runs loses its connection (its handler sees
  // cancelled()); then waits for the handlers. Returns how many connections had to be cut. From
  // any thread but the server's own.
  size_t stop(int deadline_ms);

  ServerMetrics metrics() const;  // any thread
  const Router& router() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone::http
