#pragma once
// One request, as a handler sees it. Plain data, so that a test can fill one in without a socket.
//
// A handler owns the request while it runs, on one thread. What it holds by reference lives as long
// as the handler's call; a Client may be kept longer.

#include <any>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace hone::http {

// The other end of the connection, for work that outlives the handler (a generation, a job).
// Any thread.
class Client {
 public:
  // True once the client closed its end or the server is being stopped by force; never false again.
  bool gone() const { return gone_.load(std::memory_order_acquire); }
  void set_gone();
  // Called once when that happens: on an I/O thread (be quick, do not block, do not throw), or at
  // once on the calling thread when it has happened already. A second callback takes the place of
  // the first; an empty one takes it away: whoever answers a request clears what they set.
  void on_gone(std::function<void()> callback);

 private:
  std::atomic<bool> gone_{false};
  std::mutex mutex_;
  std::function<void()> on_gone_;  // guarded by mutex_
};

// The body of a route with RouteOptions::streaming, read as it arrives. Reading blocks; what is not
// read stays in the socket, so a slow handler slows the sender. One thread.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // The next bytes, at most 64 KiB, valid until the next call; empty at the end of the body.
  // Throws too_large (names the route's bound), unavailable (the client left half-way, or sent
  // nothing for ServerOptions::body_timeout_ms), invalid_input (broken chunked framing).
  virtual std::string_view read() = 0;
  virtual uint64_t bytes_read() const = 0;
};

struct Request {
  std::string method;                 // as sent; HEAD stays "HEAD" although a GET route answers it
  std::string target;                 // as sent
  std::vector<std::string> segments;  // of the path, decoded (http/target.h)
  Parameters query;
  Parameters path_parameters;  // "{project_id}" of the route's pattern
  Parameters cookies;
  Headers headers;
  std::string body;          // whole, unless the route streams
  std::string peer_address;  // "127.0.0.1", "::1"; of the socket: no header is believed
  bool tls = false;
  int version_minor = 1;        // HTTP/1.x
  std::string_view route_name;  // RouteOptions::name
  std::any principal;           // who asks: the api room's, set by its filter

  // Never null for requests of a server.
  std::shared_ptr<Client> client;
  bool cancelled() const { return client != nullptr && client->gone(); }

  // For routes with RouteOptions::streaming; throws internal on others.
  BodyReader& body_reader();
  BodyReader* body_stream = nullptr;
};

}  // namespace hone::http
