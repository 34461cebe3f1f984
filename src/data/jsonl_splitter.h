#pragma once
// Cuts JSONL bytes into lines and reads each as one JSON value (jsonlines.org). Bytes may come in any
// pieces; blank lines are left out; LF or CRLF.
//
// A line that is too long, not UTF-8 or no JSON comes out as an error that says so; cutting goes on
// behind it. Memory: one line, at most max_line_bytes.
// Used by one thread at a time.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace hone::data {

class JsonlSplitter {
 public:
  using OnValue = std::function<void(Result<Json> value, uint64_t line)>;

  JsonlSplitter(size_t max_line_bytes, OnValue on_value)
      : max_line_bytes_(max_line_bytes), on_value_(std::move(on_value)) {}

  void feed(std::string_view bytes);
  void finish();  // the last line needs no line break

 private:
  void take_piece(std::string_view piece);
  void end_line();
  Result<Json> read_line() const;

  const size_t max_line_bytes_;
  const OnValue on_value_;
  std::string line_;  // the part of a line that came in earlier pieces
  bool too_long_ = false;
  uint64_t line_number_ = 1;
};

}  // namespace hone::data
