#pragma once
// From hone::Error to OpenAI's error object, {"error": {message, type, param, code}}:
//
//   400 invalid_request_error   401 authentication_error (code invalid_api_key)
//   403 permission_error        404 invalid_request_error (model_not_found for models)
//   413 invalid_request_error   429 rate_limit_error, or insufficient_quota; with Retry-After
//   500 server_error            503 unavailable_error with Retry-After
//
// kBusy means that a queue is full: 429. Pure functions, any thread.

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "http/response.h"
#include "http/server.h"

namespace hone::openai {

// The code, and the type, of a key whose quota is used up.
inline constexpr std::string_view kInsufficientQuota = "insufficient_quota";

// An Error that knows which field of the request it is about.
class RequestError : public Error {
 public:
  RequestError(ErrorCode code, std::string message, std::string param, std::string reason = {})
      : Error(code, std::move(message)), param_(std::move(param)), reason_(std::move(reason)) {}

  const std::string& param() const { return param_; }    // empty = none
  const std::string& reason() const { return reason_; }  // OpenAI's code, or empty
  int retry_after_seconds() const { return retry_after_seconds_; }
  RequestError& with_retry_after(int seconds) {
    retry_after_seconds_ = seconds;
    return *this;
  }

 private:
  std::string param_, reason_;
  int retry_after_seconds_ = 0;
};

// invalid_input about a field.
inline RequestError bad_field(std::string_view field, std::string message) {
  return {ErrorCode::kInvalidInput, std::move(message), std::string(field)};
}

// Text from outside, short enough for a message and still UTF-8.
std::string shown(std::string_view text);

Json error_json(const Error& error);  // for the middle of a stream too
http::Response error_response(const Error& error);
// The server's own refusals on our paths (404, 405, 408, 413, 421, ...).
http::Response render_server_error(const http::ErrorInfo& error);
// Whether a path is one of this room's, whose errors look like this.
bool is_our_path(std::string_view target);

}  // namespace hone::openai
