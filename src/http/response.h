#pragma once
// One response, as a handler makes it: a status, headers and exactly one kind of content.
//
// The server adds Date, Content-Length or Transfer-Encoding, and Connection; a handler that sets
// Content-Length, Transfer-Encoding or Connection itself is overruled.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/event_stream.h"
#include "http/headers.h"

namespace hone::http {

// Bytes that live as long as the server (files embedded in the program). The server answers
// If-None-Match with 304 and sends `gzip` to clients that accept it.
struct StaticFile {
  std::string_view bytes = {};
  std::string_view gzip = {};  // the same bytes compressed; empty = there is no such form
  std::string content_type = {};
  std::string etag = {};           // quoted: "\"3f2a\""; empty = none
  std::string cache_control = {};  // "public, max-age=31536000, immutable"; empty = "no-cache"
};

// Where a streaming response writes to. One thread, of a pool of its own.
class StreamWriter {
 public:
  virtual ~StreamWriter() = default;
  // Gathers up to 32 KiB, then sends; blocks while the client is slow. False once the client is
  // gone or took nothing for ServerOptions::write_timeout_ms: stop working then.
  virtual bool write(std::string_view bytes) = 0;
  // Sends what was gathered.
  virtual bool flush() = 0;
  virtual bool gone() const = 0;
};

struct Response {
  int status = 200;
  Headers headers = {};
  // One of these.
  std::string body = {};
  std::shared_ptr<const StaticFile> file = {};  // shared: many requests send the same one
  // Runs on a thread of the stream pool after the handler returned; sent chunked. When it throws,
  // the connection is cut, so that the client does not take the part for the whole; the error goes
  // to the access log.
  std::function<void(StreamWriter&)> stream = {};
  std::shared_ptr<EventStream> events = {};   // shared with its producers
  std::shared_ptr<LaterResponse> later = {};  // shared with whoever answers

  // What the access log says beside the status; never sent.
  std::string log_detail = {};

  static Response text(int status, std::string body);
  static Response json(int status, std::string body);
  static Response bytes(int status, std::string_view content_type, std::string body);
  static Response no_content();  // 204
  static Response redirect(int status, std::string_view location);
  static Response static_file(std::shared_ptr<const StaticFile> file);
  static Response streamed(std::string_view content_type, std::function<void(StreamWriter&)> write);
  static Response event_stream(std::shared_ptr<EventStream> events);
  static Response completed_later(std::shared_ptr<LaterResponse> later);
};

// "Not Found"; "Unknown" for a code that no RFC knows.
std::string_view reason_phrase(int status);
// invalid_input, corrupt_data 400 · unauthenticated 401 · forbidden 403 · not_found 404 ·
// conflict 409 · too_large 413 · busy, unavailable 503 · internal 500.
int status_of(ErrorCode code);

// "name=value; Path=/; HttpOnly; ..." for a Set-Cookie header.
struct Cookie {
  std::string name = {};
  std::string value = {};
  std::string path = "/";
  int64_t max_age_seconds = -1;  // -1 = until the browser closes; 0 = delete it now
  bool http_only = true;
  bool secure = false;
  std::string same_site = "Lax";  // "Strict", "Lax", "None"
};
// Throws internal when name or value hold a character that a cookie may not.
std::string set_cookie(const Cookie& cookie);

}  // namespace hone::http
