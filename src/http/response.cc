#include "http/response.h"

namespace hone::http {
namespace {

bool is_cookie_text(std::string_view text) {  // RFC 6265 section 4.1.1
  for (const char c : text) {
    if (c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\') return false;
  }
  return true;
}

}  // namespace

Response Response::text(int status, std::string body) {
  return bytes(status, "text/plain; charset=utf-8", std::move(body));
}

Response Response::json(int status, std::string body) {
  return bytes(status, "application/json", std::move(body));
}

Response Response::bytes(int status, std::string_view content_type, std::string body) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", content_type);
  response.body = std::move(body);
  return response;
}

Response Response::no_content() {
  Response response;
  response.status = 204;
  return response;
}

Response Response::redirect(int status, std::string_view location) {
  Response response;
  response.status = status;
  response.headers.add("Location", location);
  return response;
}

Response Response::static_file(std::shared_ptr<const StaticFile> file) {
  Response response;
  response.file = std::move(file);
  return response;
}

Response Response::streamed(std::string_view content_type,
                            std::function<void(StreamWriter&)> write) {
  Response response;
  response.headers.add("Content-Type", content_type);
  response.stream = std::move(write);
  return response;
}

Response Response::event_stream(std::shared_ptr<EventStream> events) {
  Response response;
  response.headers.add("Content-Type", "text/event-stream");
  response.headers.add("Cache-Control", "no-cache");
  response.headers.add("X-Accel-Buffering", "no");  // a proxy in front must not wait for more
  response.events = std::move(events);
  return response;
}

Response Response::completed_later(std::shared_ptr<LaterResponse> later) {
  Response response;
  response.later = std::move(later);
  return response;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 425: return "Too Early";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidInput: return 400;
    case ErrorCode::kUnauthenticated: return 401;
    case ErrorCode::kForbidden: return 403;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kConflict: return 409;
    case ErrorCode::kTooLarge: return 413;
    case ErrorCode::kBusy: return 503;
    case ErrorCode::kCorruptData: return 400;
    case ErrorCode::kUnavailable: return 503;
    case ErrorCode::kInternal: return 500;
  }
  return 500;
}

std::string set_cookie(const Cookie& cookie) {
  if (cookie.name.empty() || cookie.name.find('=') != std::string::npos ||
      !is_cookie_text(cookie.name) || !is_cookie_text(cookie.value) ||
      !is_cookie_text(cookie.path)) {
    throw Error(ErrorCode::kInternal, "a cookie could not be written",
                "cookie '" + cookie.name + "' holds a character that may not be in a cookie");
  }
  std::string text = cookie.name + "=" + cookie.value + "; Path=" + cookie.path;
  if (cookie.max_age_seconds >= 0) text += "; Max-Age=" + std::to_string(cookie.max_age_seconds);
  if (cookie.http_only) text += "; HttpOnly";
  if (cookie.secure) text += "; Secure";
  if (!cookie.same_site.empty()) text += "; SameSite=" + cookie.same_site;
  return text;
}

}  // namespace hone::http
