#pragma once
// The one failure type of Hone.
//
// Three kinds of failure (docs/ARCHITECTURE.md): one that ends this command, request or job throws
// Error; an outcome that the caller handles on its next line is a Result (base/result.h); a bug of
// ours stops at HONE_CHECK (base/check.h). Error is caught in main, at the request border and by
// the job runner, nowhere else.
//
// The message is for the person who asked: what was wrong, where (file:line, field, value) and
// what to do next. The detail is for the log.

#include <exception>
#include <string>
#include <string_view>

namespace hone {

enum class ErrorCode {
  kInvalidInput,     // what was given cannot be used: fix it and ask again (exit 2)
  kUnauthenticated,  // nobody is known to be asking
  kForbidden,        // somebody is, and may not
  kNotFound,         // the thing that was named does not exist (exit 2)
  kConflict,         // it exists or changed meanwhile: say --overwrite, or look again (exit 2)
  kTooLarge,     // over a bound; the message names the bound and the option that moves it (exit 2)
  kBusy,         // come back later
  kCorruptData,  // bytes that do not mean what they claim (exit 2)
  kUnavailable,  // disk full, peer gone: the world outside failed (exit 1)
  kInternal,     // the work failed for a reason of its own (exit 1)
};

// "invalid_input", "not_found", ...: the same words in logs, JSON and HTTP.
std::string_view error_code_name(ErrorCode code);

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, std::string detail = {})
      : code_(code), message_(std::move(message)), detail_(std::move(detail)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& detail() const { return detail_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorCode code_;
  std::string message_;
  std::string detail_;
};

// The three that readers and options throw all the time.
inline Error invalid_input(std::string message) {
  return {ErrorCode::kInvalidInput, std::move(message)};
}
inline Error corrupt_data(std::string message) {
  return {ErrorCode::kCorruptData, std::move(message)};
}
inline Error not_found(std::string message) { return {ErrorCode::kNotFound, std::move(message)}; }

}  // namespace hone
