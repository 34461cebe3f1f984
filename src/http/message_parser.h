#pragma once
// Turns bytes into heads and bodies of HTTP/1.1 messages: Boost.Beast's parser, made strict about
// everything two parsers could read differently (RFC 9112 section 11.2). No sockets: fuzzed as is.
//
// Not used from two threads at once. Input is never trusted; nothing here throws.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/headers.h"

namespace hone::http {

struct HeadLimits {
  size_t max_head_bytes = 16 * 1024;
  size_t max_headers = 100;
  size_t max_target_bytes = 8 * 1024;
};

// Why a message was refused. The connection's framing is lost after any of them.
struct MessageFault {
  int status = 400;
  std::string_view code;  // ErrorInfo::code
  std::string message;
};

struct MessageHead {
  std::string method;  // of a request
  std::string target;
  int status = 0;  // of a response
  int version_minor = 1;
  Headers headers;
  bool keep_alive = true;
  bool chunked = false;
  std::optional<uint64_t> content_length;
  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

class MessageParser {
 public:
  enum class Kind { kRequest, kResponse, kResponseToHead };
  MessageParser(Kind kind, const HeadLimits& limits);
  ~MessageParser();
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  // Takes what it can of the bytes and returns how many. A call takes the head and stops there;
  // later calls take the body. What was not taken is given again, with more behind it: lines must
  // lie in one piece. At most max_head_bytes wait like that, then it is a fault.
  size_t feed(std::string_view bytes);
  // The other side has closed: ends a response without a length; a fault in the middle of a message.
  void feed_end();

  bool head_done() const;
  bool done() const;  // head and body
  const MessageFault* fault() const;
  MessageHead& head();
  // Bytes of the body so far that nobody has taken yet; the owner clears or moves them.
  std::string& body();
  uint64_t body_bytes() const;  // all, taken or not

 private:
  class Impl;
  template <bool is_request>
  class ImplOf;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone::http
