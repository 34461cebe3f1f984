#pragma once
// The request target (RFC 9112 section 3.2) as text in, parts out. Pure functions; every one is
// bounded by the length of its input, and all of them read strangers' bytes (tests/fuzz/http_fuzz.cc).

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/headers.h"

namespace hone::http {

struct Target {
  // Host and port of an absolute-form target ("http://name:80/x"); empty in origin form.
  std::string authority;
  // The path as it was sent, without the query.
  std::string raw_path;
  // "/a/b%20c/" is {"a", "b c", ""}; "/" is empty. A segment may hold a slash that came as %2F.
  std::vector<std::string> segments;
  Parameters query;
};

constexpr size_t kMaxPathSegments = 64;
constexpr size_t kMaxQueryParameters = 256;

// Refused (invalid_input, one sentence): neither origin nor absolute form ("*" alone is taken, for
// OPTIONS), a broken percent code, what is not UTF-8 or holds a control character once decoded,
// the segments "." and "..", too many segments or parameters.
Result<Target> parse_target(std::string_view target);

// %41 is A; in a query "+" is a space. Refuses a broken code.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
// Everything but letters, digits and -._~ as %XX: for a path segment or a query part.
std::string percent_encode(std::string_view text);
// "a=1&b=two+words&c": in order, a name without "=" has an empty value.
Result<Parameters> parse_query(std::string_view query);

// "a=1; b=2" of one or several Cookie headers. Pairs that are no cookie are left out, as browsers
// send what other programs of the same host once set; at most 64 are kept.
Parameters parse_cookies(const Headers& headers);

// "example.org:8080", "[::1]:80", "localhost" without the port and in lower case; empty when the
// text is none of them.
std::string host_of_authority(std::string_view authority);

}  // namespace hone::http
