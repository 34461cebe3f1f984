#include "data/row_reader.h"

#include <optional>

#include "base/error.h"
#include "base/utf8.h"
#include "data/csv_row.h"
#include "data/csv_splitter.h"

namespace hone::data {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr JsonLimits kRowLimits = {.max_depth = 64};

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

struct RowReader::State {
  State(std::string name_in, RowFormat format_in, ReadOptions options_in,
        std::function<void(Row&&)> on_row_in)
      : name(std::move(name_in)),
        format(format_in),
        options(std::move(options_in)),
        on_row(std::move(on_row_in)),
        splitter(options.max_line_bytes, [this](CsvRecord& record) { take_record(record); }) {}

  void feed(std::string_view bytes);
  void finish();
  void take_bytes(std::string_view bytes);
  void take_piece(std::string_view piece);
  void end_line();
  void take_line(std::string_view text);
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

  std::string line;  // JSONL: the part of a line that came in earlier pieces
  bool line_too_long = false;
  uint64_t line_number = 1;

  CsvSplitter splitter;
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
  if (format == RowFormat::kCsv) return splitter.feed(bytes);
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    take_piece(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    end_line();
    bytes.remove_prefix(end + 1);
  }
}

void RowReader::State::take_piece(std::string_view piece) {
  if (line_too_long) return;
  if (piece.size() > options.max_line_bytes - line.size()) {
    line_too_long = true;
    line.clear();
    return;
  }
  line += piece;
}

void RowReader::State::end_line() {
  if (line_too_long) {
    bad_row(line_number, "the line is longer than " + std::to_string(options.max_line_bytes) +
                             " bytes; --max-line-bytes moves the bound");
  } else if (!is_blank(line)) {
    take_line(line);
  }
  line.clear();
  line_too_long = false;
  ++line_number;
}

void RowReader::State::take_line(std::string_view text) {
  if (const auto at = find_invalid_utf8(text)) {
    return bad_row(line_number, "not valid UTF-8 at byte " + std::to_string(*at + 1) +
                                    " of the line; save the file as UTF-8");
  }
  Result<Json> parsed = Json::parse(text, kRowLimits);
  if (!parsed) {
    const bool whole_array = line_number == 1 && text.front() == '[';
    return bad_row(line_number,
                   "not a JSON value: " + parsed.error().message() +
                       (whole_array ? "; JSONL has one object a line, no array around them" : ""));
  }
  take_object(std::move(*parsed), line_number);
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
  const std::string message = name + ":" + std::to_string(at) + ": " + reason;
  if (options.on_bad_row == OnBadRow::kFail) {
    throw invalid_input(message +
                        " (correct the line, or leave such lines out with --on-bad-row skip)");
  }
  ++counts.skipped;
  if (counts.first_skipped.size() < ReadCounts::kMostKept) counts.first_skipped.push_back(message);
}

void RowReader::State::finish() {
  if (!mark_seen) take_bytes(mark);
  mark_seen = true;
  if (format == RowFormat::kCsv) {
    splitter.finish();
  } else if (!line.empty() || line_too_long) {
    end_line();
  }
  if (counts.rows > 0) return;
  if (counts.skipped > 0) {
    throw invalid_input(name + ": no usable row; " + std::to_string(counts.skipped) +
                        " were skipped, the first: " + counts.first_skipped.front());
  }
  throw invalid_input(name + ": the file has no rows; give a file with at least one");
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
