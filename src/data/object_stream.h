#pragma once
// Objects out of bytes that come in any pieces, whatever they mean: one JSON object a line (JSONL),
// the elements of one JSON array, or the records of a CSV file as objects of texts under the names
// of its header. UTF-8 with or without a byte order mark, LF or CRLF, blank lines left out. Unlike
// RowReader and FieldReader it knows no keys: for importers that learn the columns from the file.
//
// A bad row is said with its line and the reason, and reading goes on; what ends the reading (a CSV
// header that cannot be used, an array that is none) throws invalid_input.
// Memory: one row of at most max_row_bytes. An array is never held whole.
// Used by one thread at a time.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "data/csv_splitter.h"

namespace hone::data {

enum class ObjectFormat { kJsonl, kJsonArray, kCsv };

// By the first byte that is no white space and no byte order mark: '[' an array, '{' JSONL, any
// other CSV. A line that begins with '[' and closes before its end is JSONL of arrays, which are no
// objects: it is taken for an array too, and refused there.
ObjectFormat guess_object_format(std::string_view first_bytes);

struct ObjectRow {
  Json object;        // of texts only in CSV
  std::string fault;  // not empty: this row cannot be used, and object is null
  uint64_t line = 1;  // of its first byte
  uint64_t end = 0;   // bytes of the file up to and with this row's end
};

class ObjectStream {
 public:
  struct Options {
    size_t max_row_bytes = size_t{16} << 20;
    size_t max_depth = 64;
  };

  ObjectStream(ObjectFormat format, Options options, std::function<void(ObjectRow&&)> on_row);
  ObjectStream(const ObjectStream&) = delete;
  ObjectStream& operator=(const ObjectStream&) = delete;

  void feed(std::string_view bytes);
  void finish();  // the last row needs no line break

  // The header's names, in order; empty before it came and in JSON.
  const std::vector<std::string>& columns() const { return columns_; }

 private:
  enum class ArrayState { kBefore, kBetween, kInside, kAfter };

  void take(std::string_view bytes);
  void take_jsonl(std::string_view bytes);
  void take_csv(std::string_view bytes);
  void take_array(std::string_view bytes);
  size_t skip_between(std::string_view bytes, size_t at);
  size_t take_element(std::string_view bytes, size_t at);
  void hold(std::string_view piece);
  void end_text(std::string_view last_piece);
  void parse_row(std::string_view text);
  void take_record(CsvRecord& record);
  void take_header(CsvRecord& record);
  void emit(Json object, std::string fault, uint64_t line);

  const ObjectFormat format_;
  const Options options_;
  const std::function<void(ObjectRow&&)> on_row_;

  std::string mark_;  // bytes at the start that may be a byte order mark
  bool mark_done_ = false;
  uint64_t offset_ = 0;  // of what was taken, in bytes of the file
  uint64_t line_ = 1;

  std::string held_;  // of a row that came in earlier pieces
  bool too_long_ = false;
  uint64_t row_line_ = 1;

  ArrayState array_ = ArrayState::kBefore;
  bool after_comma_ = false;
  size_t depth_ = 0;
  bool in_string_ = false, escaped_ = false;

  std::vector<std::string> columns_;
  CsvSplitter splitter_;
};

}  // namespace hone::data
