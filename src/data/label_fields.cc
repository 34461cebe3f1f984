#include "data/label_fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include "base/check.h"
#include "base/env.h"
#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "data/csv_splitter.h"
#include "data/jsonl_splitter.h"

namespace hone::data {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kPieceBytes = size_t{1} << 20;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

enum class Format { kUnknown, kCsv, kJsonl };

Format format_by_name(const std::string& name) {
  const std::string ending = lower(name);
  if (ending.ends_with(".csv")) return Format::kCsv;
  for (const char* known : {".jsonl", ".ndjson", ".json"}) {
    if (ending.ends_with(known)) return Format::kJsonl;
  }
  return Format::kUnknown;
}

std::string listed(const std::vector<std::string>& names, const char* last_word) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? std::string(" ") + last_word + " " : ", ";
    out += "\"" + names[i] + "\"";
  }
  return out;
}

}  // namespace

std::string quoted_for_message(std::string_view text) {
  constexpr size_t kMost = 40;
  std::string_view shown = text.substr(0, kMost);
  if (shown.size() < text.size()) {
    while (!shown.empty() && find_invalid_utf8(shown)) shown.remove_suffix(1);
  }
  std::string out = "\"";
  for (const char c : shown) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out + (shown.size() < text.size() ? "…\"" : "\"");
}

double number_of_field(std::string_view field_name, std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  std::string_view digits = first == std::string_view::npos ? std::string_view() : text;
  if (!digits.empty()) digits = text.substr(first, text.find_last_not_of(" \t") - first + 1);
  double number = 0;
  const auto [stop, status] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (status != std::errc() || stop != digits.data() + digits.size() || !std::isfinite(number)) {
    throw invalid_input("\"" + std::string(field_name) + "\" must be a number, found " +
                        quoted_for_message(text));
  }
  return number;
}

struct FieldReader::State {
  State(std::string name_in, std::vector<FieldSpec> specs_in, FieldOptions options_in,
        std::function<void(const FieldRow&)> on_row_in)
      : name(std::move(name_in)),
        options(std::move(options_in)),
        specs(std::move(specs_in)),
        on_row(std::move(on_row_in)),
        format(format_by_name(name)),
        columns_of(specs.size(), kNone),
        seen(specs.size(), false),
        texts(specs.size()),
        views(specs.size()),
        lines(options.max_line_bytes,
              [this](const Result<Json>& value, uint64_t at) { take_value(value, at); }),
        records(options.max_line_bytes, [this](CsvRecord& record) { take_record(record); }) {
    for (const auto& [field, column] : options.columns) {
      const auto spec =
          std::find_if(specs.begin(), specs.end(),
                       [&wanted = field](const FieldSpec& s) { return s.names[0] == wanted; });
      if (spec == specs.end()) {
        std::vector<std::string> known;
        for (const FieldSpec& s : specs) known.push_back(s.names[0]);
        throw invalid_input("--columns " + field + "=" + column + ": " + name +
                            " has no field of that name; it has " + listed(known, "and"));
      }
      spec->names = {field};
      chosen.emplace_back(static_cast<size_t>(spec - specs.begin()), column);
    }
  }

  static constexpr size_t kNone = SIZE_MAX;

  void feed(std::string_view bytes);
  void finish();
  void take_bytes(std::string_view bytes);
  void take_value(const Result<Json>& value, uint64_t at);
  void take_header(const CsvRecord& record);
  void take_record(CsvRecord& record);
  void take_object(const Json& object, uint64_t at);
  void take_row(uint64_t at);
  void bad_row(uint64_t at, const std::string& reason);

  // The names that a column of this field may have.
  std::vector<std::string> names_of(size_t field) const {
    for (const auto& [index, column] : chosen) {
      if (index == field) return {column};
    }
    return specs[field].names;
  }
  std::string missing_message(size_t field, const std::vector<std::string>& found) const;

  const std::string name;
  const FieldOptions options;
  std::vector<FieldSpec> specs;
  const std::function<void(const FieldRow&)> on_row;
  std::vector<std::pair<size_t, std::string>> chosen;  // field -> column, from --columns
  Format format;
  ReadCounts counts;

  std::string start;  // bytes that may be a byte order mark, or white space before the first sign
  bool started = false;
  bool mark_done = false;

  size_t header_size = 0;  // CSV; 0: no header yet
  std::vector<size_t> columns_of;
  std::vector<bool> seen;
  std::vector<std::vector<std::string>> keys_of;  // JSONL: names_of each field, made once
  std::vector<std::string> texts;                 // JSONL: numbers and truth values as text
  std::vector<std::string_view> views;
  JsonlSplitter lines;
  CsvSplitter records;
};

void FieldReader::State::feed(std::string_view bytes) {
  if (started) return take_bytes(bytes);
  start += bytes;
  if (!mark_done && start.size() < kByteOrderMark.size() && kByteOrderMark.starts_with(start)) {
    return;
  }
  if (!mark_done && start.starts_with(kByteOrderMark)) start.erase(0, kByteOrderMark.size());
  mark_done = true;
  if (format == Format::kUnknown) {
    const size_t first =
        std::string_view(start).substr(0, options.max_line_bytes).find_first_not_of(" \t\r\n");
    if (first == std::string::npos && start.size() < options.max_line_bytes) return;
    const char sign = first == std::string::npos ? ' ' : start[first];
    format = sign == '{' || sign == '[' ? Format::kJsonl : Format::kCsv;
  }
  started = true;
  const std::string begin = std::exchange(start, {});
  take_bytes(begin);
}

void FieldReader::State::take_bytes(std::string_view bytes) {
  format == Format::kCsv ? records.feed(bytes) : lines.feed(bytes);
}

void FieldReader::State::take_value(const Result<Json>& value, uint64_t at) {
  if (!value) return bad_row(at, value.error().message());
  if (!value->is_object()) {
    return bad_row(at, "a line must be a JSON object such as {\"" + specs[0].names[0] +
                           "\": …}, found a " + std::string(value->kind_name()));
  }
  take_object(*value, at);
}

std::string FieldReader::State::missing_message(size_t field,
                                                const std::vector<std::string>& found) const {
  const std::string& wanted = specs[field].names[0];
  std::string message = "there is no column " + listed(names_of(field), "or");
  if (found.size() == 1 && found[0].find_first_of(";\t") != std::string::npos) {
    return message + ": the header is one column, " + quoted_for_message(found[0]) +
           "; columns are separated by commas, save the file so";
  }
  std::vector<std::string> shown(
      found.begin(), found.begin() + static_cast<ptrdiff_t>(std::min<size_t>(found.size(), 12)));
  message += "; the header has " + listed(shown, "and");
  if (shown.size() < found.size()) message += " and more";
  return message + "; rename one, or say which it is: --columns " + wanted + "=NAME";
}

void FieldReader::State::take_header(const CsvRecord& record) {
  const auto refuse = [&](const std::string& reason) -> Error {
    return invalid_input(name + ":" + std::to_string(record.line) + ": " + reason);
  };
  if (!record.fault.empty()) throw refuse("the header: " + record.fault);
  std::vector<std::string> found;
  for (const CsvCell& cell : record.cells) {
    if (find_invalid_utf8(cell.text)) {
      throw refuse("the header's column " + std::to_string(found.size() + 1) +
                   " is not valid UTF-8; save the file as UTF-8");
    }
    found.push_back(cell.text);
  }
  for (size_t field = 0; field < specs.size(); ++field) {
    for (const std::string& wanted : names_of(field)) {
      for (size_t i = 0; i < found.size(); ++i) {
        if (found[i] != wanted) continue;
        const size_t earlier = columns_of[field];
        if (earlier == kNone) {
          columns_of[field] = i;
          seen[field] = true;
        } else if (found[earlier] == wanted) {
          throw refuse("the header names " + quoted_for_message(wanted) + " twice; keep one");
        } else {
          throw refuse("the header has both " + quoted_for_message(found[earlier]) + " and " +
                       quoted_for_message(wanted) +
                       ", which mean the same; keep one, or say which: --columns " +
                       specs[field].names[0] + "=NAME");
        }
      }
    }
    const bool asked_for = names_of(field) != specs[field].names;
    if (columns_of[field] == kNone && (specs[field].needed || asked_for)) {
      throw refuse(missing_message(field, found));
    }
  }
  header_size = found.size();
}

void FieldReader::State::take_record(CsvRecord& record) {
  if (record.fault.empty() && record.blank()) return;
  if (header_size == 0) return take_header(record);
  if (!record.fault.empty()) return bad_row(record.line, record.fault);
  if (record.cells.size() != header_size) {
    return bad_row(record.line, "the header has " + std::to_string(header_size) +
                                    " columns, this row has " +
                                    std::to_string(record.cells.size()) +
                                    (record.cells.size() > header_size
                                         ? " (a comma inside a text needs quotes around the text)"
                                         : ""));
  }
  for (size_t field = 0; field < specs.size(); ++field) {
    if (columns_of[field] == kNone) continue;
    const std::string& text = record.cells[columns_of[field]].text;
    if (const auto at = find_invalid_utf8(text)) {
      return bad_row(record.line, "\"" + specs[field].names[0] + "\" is not valid UTF-8 at byte " +
                                      std::to_string(*at + 1) + "; save the file as UTF-8");
    }
    views[field] = text;
  }
  take_row(record.line);
}

void FieldReader::State::take_object(const Json& object, uint64_t at) {
  if (keys_of.empty()) {
    for (size_t field = 0; field < specs.size(); ++field) keys_of.push_back(names_of(field));
  }
  for (size_t field = 0; field < specs.size(); ++field) {
    views[field] = {};
    const Json* value = nullptr;
    for (const std::string& key : keys_of[field]) {
      const Json* member = object.find(key);
      if (member == nullptr) continue;
      if (value != nullptr) {
        return bad_row(at, "the row has both " + listed(keys_of[field], "and") +
                               ", which mean the same; keep one");
      }
      value = member;
    }
    if (value == nullptr || value->is_null()) continue;
    seen[field] = true;
    if (value->is_string()) {
      views[field] = value->as_string();
      continue;
    }
    if (value->is_bool()) {
      texts[field] = value->as_bool() ? "true" : "false";
    } else if (value->is_number()) {
      texts[field] = value->is_integer() ? value->dump() : number_to_string(value->as_double());
    } else {
      return bad_row(at, "\"" + specs[field].names[0] + "\" must be a text or a number, found an " +
                             std::string(value->kind_name()));
    }
    views[field] = texts[field];
  }
  take_row(at);
}

void FieldReader::State::take_row(uint64_t at) {
  for (size_t field = 0; field < specs.size(); ++field) {
    if (specs[field].needed && views[field].empty()) {
      return bad_row(at, format == Format::kCsv
                             ? "\"" + specs[field].names[0] + "\" is empty"
                             : "the row has no " + listed(names_of(field), "or"));
    }
  }
  try {
    on_row({views, at});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidInput) throw;
    return bad_row(at, error.message());
  }
  ++counts.rows;
}

void FieldReader::State::bad_row(uint64_t at, const std::string& reason) {
  counts.add_bad_row(options.on_bad_row, name, at, reason);
}

void FieldReader::State::finish() {
  if (!started) {
    started = true;
    if (format == Format::kUnknown) format = Format::kCsv;
    const std::string rest = std::exchange(start, {});
    take_bytes(rest);
  }
  format == Format::kCsv ? records.finish() : lines.finish();
  counts.require_rows(name);
}

FieldReader::FieldReader(std::string name, std::vector<FieldSpec> specs, FieldOptions options,
                         std::function<void(const FieldRow&)> on_row)
    : state_(std::make_unique<State>(std::move(name), std::move(specs), std::move(options),
                                     std::move(on_row))) {}
FieldReader::~FieldReader() = default;
void FieldReader::feed(std::string_view bytes) { state_->feed(bytes); }
void FieldReader::finish() { state_->finish(); }
const ReadCounts& FieldReader::counts() const { return state_->counts; }
bool FieldReader::has_field(size_t field) const {
  HONE_CHECK(field < state_->seen.size());
  return state_->seen[field];
}

void feed_file(const std::string& path, const std::function<void(std::string_view)>& feed) {
  const bool standard_input = path == "-";
  if (!standard_input) {
    if (!real_env().exists(path)) {
      throw not_found(path + ": there is no such file; check the name");
    }
    if (real_env().is_directory(path)) {
      throw invalid_input(path + " is a folder; name a .csv or .jsonl file in it");
    }
  }
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };
  const std::unique_ptr<std::FILE, Close> file(standard_input ? stdin
                                                              : std::fopen(path.c_str(), "rb"));
  if (!file) {
    throw Error(ErrorCode::kInvalidInput, path + " cannot be read; check its permissions");
  }
  std::string piece(kPieceBytes, '\0');
  while (true) {
    const size_t got = std::fread(piece.data(), 1, piece.size(), file.get());
    if (got > 0) feed(std::string_view(piece).substr(0, got));
    if (got < piece.size()) break;
  }
  if (std::ferror(file.get())) {
    throw Error(ErrorCode::kUnavailable, path + ": reading failed; check the disk and try again");
  }
}

}  // namespace hone::data
