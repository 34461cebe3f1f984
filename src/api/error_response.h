#pragma once
// From hone::Error to what a client reads: problem details (RFC 9457), docs/api.md "Errors". The one
// place of the server where an Error ends.

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "http/response.h"
#include "http/server.h"

namespace hone::api {

// An Error that knows more about its answer than its code says.
class ApiError : public Error {
 public:
  ApiError(ErrorCode code, std::string message, std::string field)
      : Error(code, std::move(message)), field_(std::move(field)) {}

  // Which field of the body or which parameter; empty = none.
  const std::string& field() const { return field_; }
  // 0 = what the code says.
  int status() const { return status_; }
  int retry_after_seconds() const { return retry_after_seconds_; }

  ApiError& with_status(int status) {
    status_ = status;
    return *this;
  }
  ApiError& with_retry_after(int seconds) {
    retry_after_seconds_ = seconds;
    return *this;
  }

 private:
  std::string field_;
  int status_ = 0;
  int retry_after_seconds_ = 0;
};

// invalid_input that names a field.
inline ApiError bad_field(std::string field, std::string message) {
  return {ErrorCode::kInvalidInput, std::move(message), std::move(field)};
}
// 412: the caller's copy is old.
ApiError precondition_failed(std::string message);
// 422: an idempotency key used again for something else.
ApiError key_reused();
// 429 with Retry-After.
ApiError too_many(std::string message, int retry_after_seconds);

http::Response error_response(const Error& error);
// For the server's own refusals (404 of an unknown path, 405, 408, 413, 421, …).
http::Response render_server_error(const http::ErrorInfo& error, const http::Request* request);

}  // namespace hone::api
