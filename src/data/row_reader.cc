#include "data/row_reader.h"

#include <optional>

#include "base/error.h"
#include "data/csv_row.h"
#include "data/csv_splitter.h"
#include "data/jsonl_splitter.h"

namespace hone::data {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

void ReadCounts::add_bad_row(OnBadRow on_bad_row, const std::string& name, uint64_t line,
                             const std::string& reason) {
  const std::string message = name + ":" + std::to_string(line) + ": " + reason;
  if (on_bad_row == OnBadRow::kFail) {
    throw invalid_input(message +
                        " (correct the line, or leave such lines out with --on-bad-row skip)");
  }
  ++skipped;
  if (first_skipped.size() < kMostKept) first_skipped.push_back(message);
}

void ReadCounts::require_rows(const std::string& name) const {
  if (rows > 0) return;
  if (skipped > 0) {
    throw invalid_input(name + ": no usable row; " + std::to_string(skipped) +
                        " were skipped, the first: " + first_skipped.front());
  }
  throw invalid_input(name + ": the file has no rows; give a file with at least one");
}

struct RowReader::State {
  State(std::string name_in, RowFormat format_in, ReadOptions options_in,
        std::function<void(Row&&)> on_row_in)
      : name(std::move(name_in)),
        format(format_in),
        options(std::move(options_in)),
        on_row(std::move(on_row_in)),
        lines(options.max_line_bytes,
              [this](Result<Json> value, uint64_t at) { take_value(std::move(value), at); }),
        records(options.max_line_bytes, [this](CsvRecord& record) { take_record(record); }) {}

  void feed(std::string_view bytes);
  void finish();
  void take_bytes(std::string_view bytes);
  void take_value(Result<Json> value, uint64_t at);
  void take_record(CsvRecord& record);
  void take_object(Json object, uint64_t at);
  void bad_row(uint64_t at, const std::string& reason);

  const std::string name;
  const RowFormat format;
  const ReadOptions options;
  const std::function<void(Row&&)> on_row;
  ReadCounts counts;

  std::string mark;  // bytes at the start that may be a byte order mark
  bool mark_seen = false;

  JsonlSplitter lines;
  CsvSplitter records;
  std::optional<CsvHeader> header;
};

void RowReader::State::feed(std::string_view bytes) {
  while (!mark_seen && !bytes.empty()) {
    mark += bytes.front();
    bytes.remove_prefix(1);
    if (mark == kByteOrderMark) {
      mark_seen = true;
    } else if (!kByteOrderMark.starts_with(mark)) {
      mark_seen = true;
      take_bytes(mark);
    }
  }
  take_bytes(bytes);
}

void RowReader::State::take_bytes(std::string_view bytes) {
  format == RowFormat::kCsv ? records.feed(bytes) : lines.feed(bytes);
}

void RowReader::State::take_value(Result<Json> value, uint64_t at) {
  if (!value) return bad_row(at, value.error().message());
  take_object(std::move(*value), at);
}

void RowReader::State::take_record(CsvRecord& record) {
  if (record.fault.empty() && record.blank()) return;
  if (!header) {
    Result<CsvHeader> read = CsvHeader::read(record);
    if (!read) {
      throw invalid_input(name + ":" + std::to_string(record.line) + ": " + read.error().message());
    }
    header = std::move(*read);
    return;
  }
  if (!record.fault.empty()) return bad_row(record.line, record.fault);
  Result<Json> object = header->object_from(record);
  if (!object) return bad_row(record.line, object.error().message());
  take_object(std::move(*object), record.line);
}

void RowReader::State::take_object(Json object, uint64_t at) {
  Result<Row> row = row_from_json(std::move(object), options.accepted);
  if (!row) return bad_row(at, row.error().message());
  row->file = name;
  row->line = at;
  ++counts.rows;
  on_row(std::move(*row));
}

void RowReader::State::bad_row(uint64_t at, const std::string& reason) {
  counts.add_bad_row(options.on_bad_row, name, at, reason);
}

void RowReader::State::finish() {
  if (!mark_seen) take_bytes(mark);
  mark_seen = true;
  format == RowFormat::kCsv ? records.finish() : lines.finish();
  counts.require_rows(name);
}

RowReader::RowReader(std::string name, RowFormat format, ReadOptions options,
                     std::function<void(Row&&)> on_row)
    : state_(std::make_unique<State>(std::move(name), format, std::move(options),
                                     std::move(on_row))) {}
RowReader::~RowReader() = default;
void RowReader::feed(std::string_view bytes) { state_->feed(bytes); }
void RowReader::finish() { state_->finish(); }
const ReadCounts& RowReader::counts() const { return state_->counts; }

RowFormat row_format_of(std::string_view path) {
  constexpr std::string_view kEnding = ".csv";
  if (path.size() < kEnding.size()) return RowFormat::kJsonl;
  std::string ending(path.substr(path.size() - kEnding.size()));
  for (char& c : ending) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  return ending == kEnding ? RowFormat::kCsv : RowFormat::kJsonl;
}

}  // namespace hone::data
