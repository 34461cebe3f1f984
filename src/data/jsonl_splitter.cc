#include "data/jsonl_splitter.h"

#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace hone::data {

namespace {

constexpr JsonLimits kLineLimits = {.max_depth = 64};

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

void JsonlSplitter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    take_piece(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    end_line();
    bytes.remove_prefix(end + 1);
  }
}

void JsonlSplitter::finish() {
  if (!line_.empty() || too_long_) end_line();
}

void JsonlSplitter::take_piece(std::string_view piece) {
  if (too_long_) return;
  if (piece.size() > max_line_bytes_ - line_.size()) {
    too_long_ = true;
    line_.clear();
    return;
  }
  line_ += piece;
}

void JsonlSplitter::end_line() {
  if (too_long_) {
    on_value_(invalid_input("the line is longer than " + std::to_string(max_line_bytes_) +
                            " bytes; --max-line-bytes moves the bound"),
              line_number_);
  } else if (!is_blank(line_)) {
    on_value_(read_line(), line_number_);
  }
  line_.clear();
  too_long_ = false;
  ++line_number_;
}

Result<Json> JsonlSplitter::read_line() const {
  if (const auto at = find_invalid_utf8(line_)) {
    return invalid_input("not valid UTF-8 at byte " + std::to_string(*at + 1) +
                         " of the line; save the file as UTF-8");
  }
  Result<Json> parsed = Json::parse(line_, kLineLimits);
  if (parsed) return parsed;
  const bool whole_array = line_number_ == 1 && line_.front() == '[';
  return invalid_input("not a JSON value: " + parsed.error().message() +
                       (whole_array ? "; JSONL has one object a line, no array around them" : ""));
}

}  // namespace hone::data
