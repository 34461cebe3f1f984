#pragma once
// Training rows out of bytes that come in any pieces: JSONL, or CSV with the same column names
// (docs/formats/training_rows.md). UTF-8 with or without a byte order mark, LF or CRLF, blank lines
// left out.
//
// A bad line is named "file:line: reason". kFail: the first one is thrown (invalid_input). kSkip:
// it is counted, the first few are kept word for word, and reading goes on. A CSV header that
// cannot be used, and a file without one good row, are errors either way.
// Memory: one line of at most max_line_bytes (CSV: one record). Used by one thread at a time.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/rows.h"

namespace hone::data {

enum class RowFormat { kJsonl, kCsv };
RowFormat row_format_of(std::string_view path);  // ".csv", in any case, is CSV

enum class OnBadRow { kFail, kSkip };

struct ReadOptions {
  OnBadRow on_bad_row = OnBadRow::kFail;
  size_t max_line_bytes = size_t{16} << 20;  // --max-line-bytes
  std::vector<RowKind> accepted = {};        // row_from_json; empty: any kind
};

struct ReadCounts {
  static constexpr size_t kMostKept = 10;
  uint64_t rows = 0;
  uint64_t skipped = 0;
  std::vector<std::string> first_skipped;  // "file:line: reason", at most kMostKept

  // Throws invalid_input, or counts and keeps the message.
  void add_bad_row(OnBadRow on_bad_row, const std::string& name, uint64_t line,
                   const std::string& reason);
  // Throws invalid_input when no row came.
  void require_rows(const std::string& name) const;
};

class RowReader {
 public:
  // name is the file's name in messages.
  RowReader(std::string name, RowFormat format, ReadOptions options,
            std::function<void(Row&&)> on_row);
  ~RowReader();
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

  void feed(std::string_view bytes);
  void finish();  // throws invalid_input when there was no row
  const ReadCounts& counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hone::data
