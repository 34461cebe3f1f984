#pragma once
// The bytes of a response's head, and which form of a static file a client gets. Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/request.h"
#include "http/response.h"

namespace hone::http {

struct HeadFacts {
  int64_t now_ms = 0;
  std::optional<uint64_t> content_length = {};
  bool chunked = false;
  bool keep_alive = true;
  int version_minor = 1;  // of the request
};

// Content-Length, Transfer-Encoding, Connection and Date come from the facts, whatever the headers say.
std::string response_head(int status, const Headers& headers, const HeadFacts& facts);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(int64_t now_ms);

// Sets status and headers of a response with a file, and returns the bytes to send (empty for 304).
std::string_view choose_file_form(Response& response, const Request& request);

// One chunk of a chunked body; nothing for nothing, as an empty chunk would end it.
void append_chunk(std::string& out, std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace hone::http
