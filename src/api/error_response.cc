#include "api/error_response.h"

#include <algorithm>

#include "label/identity.h"
#include "label/task_schema.h"

namespace hone::api {
namespace {

http::Response problem(int status, std::string_view code, std::string_view message,
                       std::string_view field) {
  Json body = Json::object();
  body["type"] = "about:blank";
  body["title"] = http::reason_phrase(status);
  body["status"] = status;
  body["detail"] = message;
  body["code"] = code;
  if (!field.empty()) body["field"] = field;
  http::Response response = http::Response::bytes(status, "application/problem+json", body.dump());
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace

ApiError precondition_failed(std::string message) {
  return ApiError(ErrorCode::kConflict, std::move(message), {}).with_status(412);
}

ApiError key_reused() {
  return ApiError(ErrorCode::kInvalidInput,
                  "this Idempotency-Key was used for another request within the last 24 hours; "
                  "send a new key",
                  {})
      .with_status(422);
}

ApiError too_many(std::string message, int retry_after_seconds) {
  return ApiError(ErrorCode::kBusy, std::move(message), {})
      .with_status(429)
      .with_retry_after(retry_after_seconds);
}

http::Response error_response(const Error& error) {
  int status = http::status_of(error.code());
  std::string field;
  int retry_after_seconds = 0;
  if (const auto* more = dynamic_cast<const ApiError*>(&error)) {
    if (more->status() != 0) status = more->status();
    field = more->field();
    retry_after_seconds = more->retry_after_seconds();
  } else if (const auto* wait = dynamic_cast<const label::TooManyFailures*>(&error)) {
    status = 429;
    retry_after_seconds = wait->retry_after_seconds();
  } else if (const auto* place = dynamic_cast<const label::FieldError*>(&error)) {
    field = place->field();
  }
  // What went wrong inside is for the log; the client learns that it did.
  const bool ours = error.code() == ErrorCode::kInternal;
  http::Response response = problem(
      status, error_code_name(error.code()),
      ours ? "the server failed on this request; its log says why" : error.message(), field);
  if (status == 503 || status == 429) {
    response.headers.set("Retry-After", std::to_string(std::max(1, retry_after_seconds)));
  }
  if (status == 401) response.headers.set("WWW-Authenticate", "Bearer");
  response.log_detail =
      error.detail().empty() ? error.message() : error.message() + ": " + error.detail();
  return response;
}

http::Response render_server_error(const http::ErrorInfo& error, const http::Request*) {
  http::Response response = problem(error.status, error.code, error.message, {});
  response.log_detail = error.detail;
  return response;
}

}  // namespace hone::api
