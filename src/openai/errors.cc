#include "openai/errors.h"

#include <algorithm>
#include <array>

namespace hone::openai {
namespace {

int status_of(const Error& error) {
  return error.code() == ErrorCode::kBusy ? 429 : http::status_of(error.code());
}

std::string_view type_of(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403:
    case 421: return "permission_error";
    case 429: return "rate_limit_error";
    case 503: return "unavailable_error";
    default: return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

std::string_view usual_reason(int status) {
  switch (status) {
    case 401: return "invalid_api_key";
    case 413: return "request_too_large";
    case 429: return "rate_limit_exceeded";
    case 503: return "unavailable";
    default: return {};
  }
}

Json object_of(int status, std::string_view message, std::string_view param,
               std::string_view reason) {
  Json inner = Json::object();
  inner["message"] = message;
  inner["type"] = reason == kInsufficientQuota ? reason : type_of(status);
  inner["param"] = param.empty() ? Json() : Json(param);
  inner["code"] = reason.empty() ? Json() : Json(reason);
  Json body = Json::object();
  body["error"] = std::move(inner);
  return body;
}

http::Response response_of(int status, const Json& body, int retry_after_seconds) {
  http::Response response = http::Response::json(status, body.dump());
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Content-Type-Options", "nosniff");
  if (status == 429 || status == 503) {
    response.headers.set("Retry-After", std::to_string(std::max(1, retry_after_seconds)));
  }
  if (status == 401) response.headers.set("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr size_t kShown = 100;
  if (text.size() <= kShown) return std::string(text);
  size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

Json error_json(const Error& error) {
  const int status = status_of(error);
  std::string_view param, reason = usual_reason(status);
  if (const auto* more = dynamic_cast<const RequestError*>(&error)) {
    param = more->param();
    if (!more->reason().empty()) reason = more->reason();
  }
  // What went wrong inside is for the log; the client learns that it did.
  return object_of(status,
                   error.code() == ErrorCode::kInternal
                       ? "the server failed on this request; its log says why"
                       : std::string_view(error.message()),
                   param, reason);
}

http::Response error_response(const Error& error) {
  const auto* more = dynamic_cast<const RequestError*>(&error);
  http::Response response = response_of(status_of(error), error_json(error),
                                        more == nullptr ? 1 : more->retry_after_seconds());
  response.log_detail =
      error.detail().empty() ? error.message() : error.message() + ": " + error.detail();
  return response;
}

http::Response render_server_error(const http::ErrorInfo& error) {
  std::string_view reason = usual_reason(error.status);
  if (reason.empty()) reason = error.code;
  http::Response response =
      response_of(error.status, object_of(error.status, error.message, {}, reason), 1);
  response.log_detail = error.detail;
  return response;
}

bool is_our_path(std::string_view target) {
  target = target.substr(0, target.find_first_of("?#"));
  constexpr std::array<std::string_view, 4> kOurs = {"/tokenize", "/detokenize", "/tokenizer_info",
                                                     "/apply-template"};
  return target == "/v1" || target.starts_with("/v1/") ||
         std::find(kOurs.begin(), kOurs.end(), target) != kOurs.end();
}

}  // namespace hone::openai
