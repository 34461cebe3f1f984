#pragma once
// Decides from the head alone whether a request is served, and by which route. Pure but for what it
// moves into the request: no sockets, no clock.

#include <optional>
#include <string>
#include <string_view>

#include "http/core.h"
#include "http/message_parser.h"
#include "http/request.h"

namespace hone::http {

struct Admission {
  const Route* route = nullptr;
  std::optional<ErrorInfo> refusal;
  std::string allow;          // for 405 and for OPTIONS
  bool only_options = false;  // the path exists and OPTIONS asked for its methods
  bool expects_continue = false;
};

// Takes the head apart into the request. Order: target, Host, Origin, route, Expect, body's size.
Admission admit(const ServerCore& core, MessageHead& head, Request& request);

// "the body is larger than the 65536 bytes that this route takes"
ErrorInfo body_too_large(uint64_t max_body_bytes);

}  // namespace hone::http
