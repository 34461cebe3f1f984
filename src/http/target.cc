#include "http/target.h"

#include "base/utf8.h"

namespace hone::http {
namespace {

constexpr size_t kMaxCookies = 64;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool has_control_character(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return true;
  }
  return false;
}

Result<std::string> decode_segment(std::string_view raw) {
  Result<std::string> segment = percent_decode(raw);
  if (!segment) return segment;
  if (find_invalid_utf8(*segment)) return invalid_input("the path is not valid UTF-8");
  if (has_control_character(*segment)) {
    return invalid_input("the path holds a control character");
  }
  if (*segment == "." || *segment == "..") {
    return invalid_input("the path holds '.' or '..' as a segment; send it resolved");
  }
  return segment;
}

Result<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> segments;
  if (path == "/" || path.empty()) return segments;
  std::string_view rest = path.substr(1);
  while (true) {
    if (segments.size() == kMaxPathSegments) {
      return invalid_input("the path has more than " + std::to_string(kMaxPathSegments) +
                           " segments");
    }
    const size_t slash = rest.find('/');
    Result<std::string> segment = decode_segment(rest.substr(0, slash));
    if (!segment) return segment.error();
    segments.push_back(std::move(*segment));
    if (slash == std::string_view::npos) return segments;
    rest.remove_prefix(slash + 1);
  }
}

// "http://host:1/x?y" -> authority "host:1", rest "/x?y".
Result<std::string_view> take_authority(std::string_view target, std::string& authority) {
  const size_t scheme = target.find("://");
  if (scheme == std::string_view::npos ||
      (!equals_ignoring_case(target.substr(0, scheme), "http") &&
       !equals_ignoring_case(target.substr(0, scheme), "https"))) {
    return invalid_input("the request target must begin with '/'");
  }
  std::string_view rest = target.substr(scheme + 3);
  const size_t end = std::min(rest.find('/'), rest.find('?'));
  authority = std::string(rest.substr(0, end));
  if (host_of_authority(authority).empty()) {
    return invalid_input("the request target names no host");
  }
  return end == std::string_view::npos ? std::string_view() : rest.substr(end);
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string_view without_spaces(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
  Target target;
  if (text == "*") {
    target.raw_path = "*";
    target.segments = {"*"};
    return target;
  }
  if (text.empty() || text.front() != '/') {
    const Result<std::string_view> rest = take_authority(text, target.authority);
    if (!rest) return rest.error();
    text = *rest;
  }
  text = text.substr(0, text.find('#'));  // a fragment is the client's own business
  const size_t question = text.find('?');
  target.raw_path = std::string(text.substr(0, question));
  if (target.raw_path.empty()) target.raw_path = "/";
  Result<std::vector<std::string>> segments = split_path(target.raw_path);
  if (!segments) return segments.error();
  target.segments = std::move(*segments);
  if (question != std::string_view::npos) {
    Result<Parameters> query = parse_query(text.substr(question + 1));
    if (!query) return query.error();
    target.query = std::move(*query);
  }
  return target;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return invalid_input("'%' in the address must be followed by two hexadecimal digits");
      }
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return decoded;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 15];
    }
  }
  return encoded;
}

Result<Parameters> parse_query(std::string_view query) {
  Parameters parameters;
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    if (parameters.size() == kMaxQueryParameters) {
      return invalid_input("the query has more than " + std::to_string(kMaxQueryParameters) +
                           " parameters");
    }
    const size_t equals = pair.find('=');
    Result<std::string> name = percent_decode(pair.substr(0, equals), true);
    if (!name) return name.error();
    Result<std::string> value = equals == std::string_view::npos
                                    ? std::string()
                                    : percent_decode(pair.substr(equals + 1), true);
    if (!value) return value.error();
    if (find_invalid_utf8(*name) || find_invalid_utf8(*value)) {
      return invalid_input("the query is not valid UTF-8");
    }
    if (name->find('\0') != std::string::npos || value->find('\0') != std::string::npos) {
      return invalid_input("the query holds a zero byte");
    }
    parameters.add(std::move(*name), std::move(*value));
  }
  return parameters;
}

Parameters parse_cookies(const Headers& headers) {
  Parameters cookies;
  for (std::string_view rest : headers.all("Cookie")) {
    while (!rest.empty() && cookies.size() < kMaxCookies) {
      const size_t end = rest.find(';');
      const std::string_view pair = without_spaces(rest.substr(0, end));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
      const size_t equals = pair.find('=');
      if (equals == std::string_view::npos || equals == 0) continue;
      std::string_view value = pair.substr(equals + 1);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      cookies.add(std::string(pair.substr(0, equals)), std::string(value));
    }
  }
  return cookies;
}

std::string host_of_authority(std::string_view authority) {
  std::string_view host = authority;
  std::string_view port;
  if (!host.empty() && host.front() == '[') {  // an IPv6 address
    const size_t bracket = host.find(']');
    if (bracket == std::string_view::npos) return {};
    port = host.substr(bracket + 1);
    host = host.substr(0, bracket + 1);
  } else if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  if (host.empty() || port.size() > 6 || (!port.empty() && port.front() != ':')) return {};
  for (const char c : port.substr(port.empty() ? 0 : 1)) {
    if (c < '0' || c > '9') return {};
  }
  std::string name;
  for (const char c : host) {
    if (!is_unreserved(c) && c != '[' && c != ']' && c != ':') return {};
    name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  if (name.size() > 1 && name.back() == '.') name.pop_back();  // the root of the name tree
  return name;
}

}  // namespace hone::http
