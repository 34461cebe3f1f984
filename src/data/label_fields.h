#pragma once
// Rows of a few named fields out of bytes that come in any pieces: what the readers of labels,
// truth and comparisons share (docs/formats/labels.md). CSV with a header, or JSONL with the same
// keys; UTF-8 with or without a byte order mark, LF or CRLF, blank lines left out. Columns that
// nobody asked for are passed over.
//
// A bad line is named "file:line: reason". kFail: the first one is thrown (invalid_input). kSkip:
// it is counted, the first few are kept word for word, and reading goes on. What on_row throws as
// invalid_input is a bad line too. A header that cannot be used and a file without one good row are
// errors either way.
// Memory: one line of at most max_line_bytes. Used by one thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/row_reader.h"

namespace hone::data {

// A field, and the columns that hold it: the first of `names` is what messages call it. Two of the
// names in one header are an error (which of them is meant?).
struct FieldSpec {
  std::vector<std::string> names;
  bool needed = true;
};

struct FieldOptions {
  OnBadRow on_bad_row = OnBadRow::kFail;
  size_t max_line_bytes = size_t{1} << 20;  // --max-line-bytes
  // --columns task=question,...: the column that holds a field, instead of its own names.
  std::vector<std::pair<std::string, std::string>> columns = {};
};

// One row: fields[i] belongs to specs[i]; empty when the row, or the whole file, has none. Valid
// during the call.
struct FieldRow {
  std::span<const std::string_view> fields;
  uint64_t line = 0;  // from 1; of the record's first line in CSV
};

// By the name: .csv is CSV; .jsonl, .ndjson and .json are JSONL; any other by the first byte that
// is no white space ('{' or '[' is JSONL).
class FieldReader {
 public:
  // name is the file's name in messages. Throws invalid_input when options.columns names a field
  // that is not in specs.
  FieldReader(std::string name, std::vector<FieldSpec> specs, FieldOptions options,
              std::function<void(const FieldRow&)> on_row);
  ~FieldReader();
  FieldReader(const FieldReader&) = delete;
  FieldReader& operator=(const FieldReader&) = delete;

  void feed(std::string_view bytes);
  void finish();  // throws invalid_input when there was no row
  const ReadCounts& counts() const;
  // Whether the file has a column for the field; JSONL: whether any row had the key.
  bool has_field(size_t field) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Feeds a file ("-": standard input) to `feed` in pieces of at most 1 MiB. Throws not_found,
// invalid_input (a folder) and unavailable.
void feed_file(const std::string& path, const std::function<void(std::string_view)>& feed);

// "…" around a text that came from a file, cut to 40 bytes at a character.
std::string quoted_for_message(std::string_view text);

// A finite number that fills the whole text, or invalid_input that names the field.
double number_of_field(std::string_view field_name, std::string_view text);

}  // namespace hone::data
