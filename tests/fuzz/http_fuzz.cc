// A request as strangers send it: head, body, target, query, Host, cookies. The first byte says into
// pieces of what size the bytes are cut: no cut makes another message of them, or a good one of a bad.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/message_parser.h"
#include "http/target.h"

namespace {

using hone::http::MessageParser;

void note(std::string& text, const hone::http::Parameters& parameters) {
  for (const auto& [name, value] : parameters) text += name + "=" + value + ";";
}

// What was understood: "fault", or the parts of a whole message; empty when it has no end.
std::string read(std::string_view bytes, size_t piece, MessageParser::Kind kind) {
  MessageParser parser(kind, {.max_head_bytes = 4096, .max_headers = 30, .max_target_bytes = 1024});
  std::string waiting;
  std::string seen;
  for (size_t i = 0; i < bytes.size(); i += piece) {
    waiting += bytes.substr(i, piece);
    size_t taken = 1;
    while (taken > 0 && !waiting.empty() && !parser.done() && parser.fault() == nullptr) {
      taken = parser.feed(waiting);
      if (taken > waiting.size()) std::abort();
      waiting.erase(0, taken);
    }
    if (parser.fault() == nullptr && !parser.done() && waiting.size() > 4096) std::abort();
  }
  if (parser.fault() != nullptr) {
    if (parser.fault()->message.empty()) std::abort();
    return "fault";
  }
  if (!parser.done()) return {};
  const auto& head = parser.head();
  seen = head.method + " " + head.target + "\n";
  for (const auto& [name, value] : head.headers) seen += name + ":" + value + "\n";
  seen += parser.body();
  if (head.headers.size() > 30 || parser.body_bytes() != parser.body().size()) std::abort();
  const auto target = hone::http::parse_target(head.target);
  if (target) {
    for (const std::string& segment : target->segments) {
      if (segment == ".." || segment.find('\0') != std::string::npos) std::abort();
      if (hone::http::percent_decode(hone::http::percent_encode(segment)).value() != segment) {
        std::abort();
      }
    }
    note(seen, target->query);
  }
  note(seen, hone::http::parse_cookies(head.headers));
  seen += hone::http::host_of_authority(head.headers.get("Host"));
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 64 * 1024) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t piece = data[0] % 64 + 1u;
  using Kind = MessageParser::Kind;
  if (data[0] >= 128) {
    read(bytes, piece, data[0] >= 192 ? Kind::kResponse : Kind::kResponseToHead);
    return 0;
  }
  const std::string whole = read(bytes, bytes.size(), Kind::kRequest);
  const std::string cut = read(bytes, piece, Kind::kRequest);
  // A line that has not ended may be found broken in one piece and be waited for in another.
  if (!whole.empty() && !cut.empty() && whole != cut) std::abort();
  return 0;
}
