#pragma once
// A small blocking HTTP/1.1 client: for tests, load generators and child processes that report to
// their server. It follows no redirect and decodes no content; every answer is bounded.
//
// One thread at a time; the connection is kept between requests. Errors are thrown: unavailable
// (no connection, time-out, cut short), too_large (a bound), corrupt_data (not HTTP), invalid_input.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/headers.h"

namespace hone::http {

struct ClientOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  bool tls = false;
  std::string tls_ca_file = {};  // PEM to trust; empty = the system's
  bool tls_verify = true;        // name and chain
  int connect_timeout_ms = 5'000;
  int timeout_ms = 30'000;  // without a byte going or coming
  size_t max_head_bytes = 64 * 1024;
  uint64_t max_body_bytes = 64ull << 20;
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  Headers headers = {};  // Host and Content-Length are added
  std::string_view body = {};
};

struct ClientResponse {
  int status = 0;
  Headers headers = {};
  std::string body = {};  // empty when it was streamed
};

class HttpClient {
 public:
  explicit HttpClient(ClientOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // A kept connection that turned out dead is opened again once, when nothing of this request can
  // have been acted on: it was dead before the first byte, or the method is safe or idempotent.
  ClientResponse request(const ClientRequest& request);
  ClientResponse get(std::string_view target, const Headers& headers = {});
  ClientResponse post(std::string_view target, std::string_view body,
                      std::string_view content_type = "application/json");
  ClientResponse put(std::string_view target, std::string_view body,
                     std::string_view content_type = "application/json");

  // on_head (may be empty) sees status and headers, then on_bytes each piece of the body as it
  // comes (no bound on the sum); when one returns false the connection is closed and this returns.
  ClientResponse stream(const ClientRequest& request,
                        const std::function<bool(const ClientResponse&)>& on_head,
                        const std::function<bool(std::string_view)>& on_bytes);

  // A request whose body is produced piece by piece and sent chunked: next() returns the next piece,
  // empty at the end; valid until it is called again.
  ClientResponse upload(const ClientRequest& request,
                        const std::function<std::string_view()>& next);

  void close();  // the next request connects anew

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone::http
