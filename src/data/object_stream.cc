#include "data/object_stream.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "data/label_fields.h"

namespace hone::data {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kWhite = " \t\r\n";

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == text.npos; }
bool is_white(char byte) { return kWhite.find(byte) != kWhite.npos; }

std::string too_long_message(size_t most) {
  return "the row is longer than " + std::to_string(most) + " bytes";
}

}  // namespace

ObjectFormat guess_object_format(std::string_view first_bytes) {
  if (first_bytes.starts_with(kByteOrderMark)) first_bytes.remove_prefix(kByteOrderMark.size());
  const size_t first = first_bytes.find_first_not_of(kWhite);
  if (first == first_bytes.npos) return ObjectFormat::kJsonl;
  if (first_bytes[first] == '[') return ObjectFormat::kJsonArray;
  return first_bytes[first] == '{' ? ObjectFormat::kJsonl : ObjectFormat::kCsv;
}

ObjectStream::ObjectStream(ObjectFormat format, Options options,
                           std::function<void(ObjectRow&&)> on_row)
    : format_(format),
      options_(options),
      on_row_(std::move(on_row)),
      splitter_(options.max_row_bytes, [this](CsvRecord& record) { take_record(record); }) {}

void ObjectStream::feed(std::string_view bytes) {
  while (!mark_done_ && !bytes.empty()) {
    mark_ += bytes.front();
    bytes.remove_prefix(1);
    if (mark_ == kByteOrderMark) {
      mark_done_ = true;
      offset_ += mark_.size();
    } else if (!kByteOrderMark.starts_with(mark_)) {
      mark_done_ = true;
      take(mark_);
    }
  }
  take(bytes);
}

void ObjectStream::finish() {
  if (!mark_done_) take(mark_);
  mark_done_ = true;
  if (format_ == ObjectFormat::kCsv) {
    splitter_.finish();
  } else if (format_ == ObjectFormat::kJsonl) {
    row_line_ = line_;
    if (!held_.empty() || too_long_) end_text({});
  } else if (array_ == ArrayState::kInside) {
    held_.clear();
    emit({}, "the file ends inside this row: it was cut off", row_line_);
  } else if (array_ == ArrayState::kBetween) {
    emit({}, "the file ends before the closing ]: it was cut off", line_);
  }
}

void ObjectStream::take(std::string_view bytes) {
  switch (format_) {
    case ObjectFormat::kJsonl: return take_jsonl(bytes);
    case ObjectFormat::kCsv: return take_csv(bytes);
    case ObjectFormat::kJsonArray: return take_array(bytes);
  }
}

// ---- rows of text ----

void ObjectStream::hold(std::string_view piece) {
  if (too_long_) return;
  if (piece.size() > options_.max_row_bytes - held_.size()) {
    too_long_ = true;
    held_ = std::string();
    return;
  }
  held_ += piece;
}

// The row is what was held and this. A row that came in one piece is not copied.
void ObjectStream::end_text(std::string_view last_piece) {
  if (held_.empty() && !too_long_ && last_piece.size() <= options_.max_row_bytes) {
    return parse_row(last_piece);
  }
  hold(last_piece);
  if (std::exchange(too_long_, false)) {
    return emit({}, too_long_message(options_.max_row_bytes), row_line_);
  }
  const std::string text = std::exchange(held_, {});
  parse_row(text);
}

void ObjectStream::parse_row(std::string_view text) {
  if (is_blank(text)) return;
  if (const auto at = find_invalid_utf8(text)) {
    return emit({},
                "not valid UTF-8 at byte " + std::to_string(*at + 1) +
                    " of the row; save the file as UTF-8",
                row_line_);
  }
  const JsonLimits limits = {.max_depth = options_.max_depth, .max_bytes = options_.max_row_bytes};
  Result<Json> parsed = Json::parse(text, limits);
  if (!parsed) return emit({}, "not a JSON value: " + parsed.error().message(), row_line_);
  if (!parsed->is_object()) {
    return emit(
        {},
        "a row must be a JSON object, found " +
            std::string(parsed->is_array() ? "an array" : "a " + std::string(parsed->kind_name())),
        row_line_);
  }
  emit(std::move(*parsed), {}, row_line_);
}

void ObjectStream::emit(Json object, std::string fault, uint64_t line) {
  ObjectRow row;
  row.object = std::move(object);
  row.fault = std::move(fault);
  row.line = line;
  row.end = offset_;
  on_row_(std::move(row));
}

void ObjectStream::take_jsonl(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    if (end == bytes.npos) {
      hold(bytes);
      offset_ += bytes.size();
      return;
    }
    offset_ += end + 1;
    row_line_ = line_++;
    end_text(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
  }
}

// ---- the elements of an array ----

void ObjectStream::take_array(std::string_view bytes) {
  const uint64_t begin = offset_;
  for (size_t at = 0; at < bytes.size();) {
    at = array_ == ArrayState::kInside ? take_element(bytes, at) : skip_between(bytes, at);
    offset_ = begin + at;
  }
}

size_t ObjectStream::skip_between(std::string_view bytes, size_t at) {
  const char byte = bytes[at];
  if (byte == '\n') ++line_;
  if (is_white(byte)) return at + 1;
  const auto refuse = [&](const char* wanted) {
    return invalid_input("line " + std::to_string(line_) + ": expected " + wanted +
                         ", found another character; the file must be one JSON array of objects");
  };
  if (array_ == ArrayState::kBefore) {
    if (byte != '[') throw refuse("[");
    array_ = ArrayState::kBetween;
    after_comma_ = true;
    return at + 1;
  }
  if (array_ == ArrayState::kAfter) throw refuse("nothing behind the closing ]");
  if (byte == ']') {
    array_ = ArrayState::kAfter;
    return at + 1;
  }
  if (byte == ',') {
    if (after_comma_) throw refuse("a row before the comma");
    after_comma_ = true;
    return at + 1;
  }
  if (!after_comma_) throw refuse("a comma between two rows");
  after_comma_ = false;
  array_ = ArrayState::kInside;
  row_line_ = line_;
  depth_ = 0;
  in_string_ = escaped_ = false;
  return at;
}

// Up to the end of the element, or of the piece. A scalar ends before the comma or bracket.
size_t ObjectStream::take_element(std::string_view bytes, size_t at) {
  const uint64_t begin = offset_ - at;
  const size_t first = at;
  const auto end_at = [&](size_t end) {
    offset_ = begin + end;
    array_ = ArrayState::kBetween;
    end_text(bytes.substr(first, end - first));
    return end;
  };
  for (; at < bytes.size(); ++at) {
    const char byte = bytes[at];
    if (byte == '\n') ++line_;
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (byte == '\\') {
        escaped_ = true;
      } else if (byte == '"') {
        in_string_ = false;
      }
    } else if (byte == '"') {
      in_string_ = true;
    } else if (byte == '{' || byte == '[') {
      ++depth_;
    } else if (byte == '}' || byte == ']') {
      if (depth_ == 0) return end_at(at);
      if (--depth_ == 0) return end_at(at + 1);
    } else if (byte == ',' && depth_ == 0) {
      return end_at(at);
    }
  }
  hold(bytes.substr(first));
  return at;
}

// ---- CSV ----

// Line by line: a record ends with a line break, so its end in bytes is known.
void ObjectStream::take_csv(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t found = bytes.find('\n');
    const size_t end = found == bytes.npos ? bytes.size() : found + 1;
    offset_ += end;
    splitter_.feed(bytes.substr(0, end));
    bytes.remove_prefix(end);
  }
}

void ObjectStream::take_header(CsvRecord& record) {
  const std::string place = "line " + std::to_string(record.line) + ", the header: ";
  if (!record.fault.empty()) throw invalid_input(place + record.fault);
  std::set<std::string> seen;
  for (CsvCell& cell : record.cells) {
    const std::string column = "column " + std::to_string(seen.size() + 1);
    if (find_invalid_utf8(cell.text)) {
      throw invalid_input(place + column + " is not valid UTF-8; save the file as UTF-8");
    }
    if (cell.text.find('\0') != cell.text.npos) {
      throw invalid_input(place + column + " holds a zero byte; save the file as UTF-8");
    }
    if (is_blank(cell.text)) throw invalid_input(place + column + " has no name; give it one");
    if (!seen.insert(cell.text).second) {
      throw invalid_input(place + quoted_for_message(cell.text) + " stands twice; rename one");
    }
    columns_.push_back(std::move(cell.text));
  }
}

void ObjectStream::take_record(CsvRecord& record) {
  if (record.fault.empty() && record.blank()) return;
  if (columns_.empty()) return take_header(record);
  if (!record.fault.empty()) return emit({}, record.fault, record.line);
  if (record.cells.size() != columns_.size()) {
    return emit({},
                "the header has " + std::to_string(columns_.size()) + " columns, this row has " +
                    std::to_string(record.cells.size()) +
                    (record.cells.size() > columns_.size()
                         ? " (a comma inside a text needs quotes around the text)"
                         : ""),
                record.line);
  }
  Json::Object object;
  object.reserve(columns_.size());
  for (size_t i = 0; i < columns_.size(); ++i) {
    std::string& text = record.cells[i].text;
    if (const auto at = find_invalid_utf8(text)) {
      return emit({},
                  quoted_for_message(columns_[i]) + " is not valid UTF-8 at byte " +
                      std::to_string(*at + 1) + "; save the file as UTF-8",
                  record.line);
    }
    object.emplace_back(columns_[i], Json(std::move(text)));
  }
  emit(Json(std::move(object)), {}, record.line);
}

}  // namespace hone::data
