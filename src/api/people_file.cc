#include "api/people_file.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "data/csv_splitter.h"
#include "label/identity.h"

namespace hone::api {
namespace {

constexpr size_t kRecordBytesMax = 64 * 1024;
constexpr size_t kNameCharsMax = 200;
constexpr size_t kListMax = 50;
constexpr size_t kEntryCharsMax = 60;

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  const size_t last = text.find_last_not_of(" \t\r");
  return std::string(text.substr(first, last - first + 1));
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// One person as texts, wherever they stood.
struct RawRow {
  std::string name, email, role;
  std::vector<std::string> skills, languages;
};

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> entries;
  while (true) {
    const size_t end = text.find(';');
    std::string entry = trimmed(text.substr(0, end));
    if (!entry.empty()) entries.push_back(std::move(entry));
    if (end == std::string_view::npos) return entries;
    text = text.substr(end + 1);
  }
}

void check_list(const std::vector<std::string>& entries, const std::string& column) {
  if (entries.size() > kListMax) {
    throw invalid_input(column + " has more than " + std::to_string(kListMax) + " entries");
  }
  for (const std::string& each : entries) {
    if (has_control(each) || count_characters(each) > kEntryCharsMax) {
      throw invalid_input(column + " has an entry with control characters or longer than " +
                          std::to_string(kEntryCharsMax) + " characters");
    }
  }
}

PeopleFile::Row check_row(const RawRow& raw, int64_t line) {
  PeopleFile::Row row;
  row.line = line;
  row.name = trimmed(raw.name);
  if (row.name.empty()) throw invalid_input("name is empty");
  if (has_control(row.name) || count_characters(row.name) > kNameCharsMax) {
    throw invalid_input("name has control characters or more than " +
                        std::to_string(kNameCharsMax) + " characters");
  }
  row.email = trimmed(raw.email);
  if (!row.email.empty()) row.email = label::Identity::normalised_email(row.email);
  const std::string role = trimmed(raw.role);
  if (!role.empty()) {
    const auto known = label::role_from_name(role);
    if (!known) {
      throw invalid_input("role '" + role.substr(0, 40) +
                          "' is none of owner, manager, reviewer, annotator, viewer");
    }
    row.role = *known;
  }
  row.skills = raw.skills;
  row.languages = raw.languages;
  check_list(row.skills, "skills");
  check_list(row.languages, "languages");
  return row;
}

class Reader {
 public:
  explicit Reader(PeopleFile& file) : file_(file) {}

  void take(const RawRow& raw, int64_t line) {
    if (file_.rows.size() + file_.bad_lines.size() >= kPeopleOfFileMax) {
      throw Error(ErrorCode::kTooLarge, "a file of people may have " +
                                            std::to_string(kPeopleOfFileMax) + " lines; split it");
    }
    try {
      file_.rows.push_back(check_row(raw, line));
    } catch (const Error& error) {
      refuse(line, error.message());
    }
  }
  void refuse(int64_t line, std::string reason) {
    if (file_.bad_lines.size() < kPeopleOfFileMax) {
      file_.bad_lines.push_back({line, std::move(reason)});
    }
  }

 private:
  PeopleFile& file_;
};

class CsvPeople {
 public:
  explicit CsvPeople(Reader& reader) : reader_(reader) {}

  void take(data::CsvRecord& record) {
    const auto line = static_cast<int64_t>(record.line);
    if (record.blank()) return;
    if (!record.fault.empty()) {
      if (!has_header_) throw invalid_input("line 1: " + record.fault);
      reader_.refuse(line, record.fault);
      return;
    }
    if (!has_header_) return read_header(record);
    if (record.cells.size() != columns_.size()) {
      reader_.refuse(line, "has " + std::to_string(record.cells.size()) +
                               " cells; the header has " + std::to_string(columns_.size()));
      return;
    }
    RawRow raw;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = record.cells[i].text;
      if (columns_[i] == "name") raw.name = cell;
      if (columns_[i] == "email") raw.email = cell;
      if (columns_[i] == "role") raw.role = cell;
      if (columns_[i] == "skills") raw.skills = split_list(cell);
      if (columns_[i] == "languages") raw.languages = split_list(cell);
    }
    reader_.take(raw, line);
  }
  bool has_header() const { return has_header_; }

 private:
  void read_header(const data::CsvRecord& record) {
    constexpr std::string_view kKnown[] = {"name", "email", "role", "skills", "languages"};
    for (const data::CsvCell& cell : record.cells) {
      std::string column = trimmed(cell.text);
      for (char& c : column) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      if (std::find(std::begin(kKnown), std::end(kKnown), column) == std::end(kKnown)) {
        throw invalid_input("line 1: unknown column '" + column.substr(0, 60) +
                            "'; known: name, email, role, skills, languages");
      }
      if (std::find(columns_.begin(), columns_.end(), column) != columns_.end()) {
        throw invalid_input("line 1: the column " + column + " stands twice");
      }
      columns_.push_back(std::move(column));
    }
    if (std::find(columns_.begin(), columns_.end(), "name") == columns_.end()) {
      throw invalid_input("line 1: there is no column name");
    }
    has_header_ = true;
  }

  Reader& reader_;
  std::vector<std::string> columns_;
  bool has_header_ = false;
};

std::vector<std::string> list_member(const Json& row, std::string_view name) {
  const Json* member = row.find(name);
  if (member == nullptr || member->is_null()) return {};
  if (member->is_string()) return split_list(member->as_string());
  std::vector<std::string> entries;
  for (const Json& each : member->as_array()) {
    std::string entry = trimmed(each.as_string());
    if (!entry.empty()) entries.push_back(std::move(entry));
  }
  return entries;
}

std::string text_member(const Json& row, std::string_view name) {
  const Json* member = row.find(name);
  return member == nullptr || member->is_null() ? std::string() : member->as_string();
}

void read_json_line(std::string_view text, int64_t line, Reader& reader) {
  RawRow raw;
  try {
    const Json row = Json::parse(text, {.max_depth = 8}).value();
    for (const auto& [name, value] : row.as_object()) {
      if (name != "name" && name != "email" && name != "role" && name != "skills" &&
          name != "languages") {
        throw invalid_input("unknown field '" + name.substr(0, 60) + "'");
      }
    }
    raw.name = text_member(row, "name");
    raw.email = text_member(row, "email");
    raw.role = text_member(row, "role");
    raw.skills = list_member(row, "skills");
    raw.languages = list_member(row, "languages");
  } catch (const Error& error) {
    return reader.refuse(line, error.message());
  }
  reader.take(raw, line);
}

}  // namespace

PeopleFile read_people_file(std::string_view bytes) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (bytes.substr(0, 3) == kByteOrderMark) bytes.remove_prefix(3);
  if (const auto at = find_invalid_utf8(bytes)) {
    throw invalid_input("the file is not UTF-8: byte " + std::to_string(*at));
  }
  if (bytes.find('\0') != std::string_view::npos) throw invalid_input("the file holds a zero byte");
  PeopleFile file;
  Reader reader(file);
  const size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) throw invalid_input("the file is empty");
  if (bytes[first] != '{') {
    CsvPeople people(reader);
    data::CsvSplitter splitter(kRecordBytesMax,
                               [&](data::CsvRecord& record) { people.take(record); });
    splitter.feed(bytes);
    splitter.finish();
    return file;
  }
  for (int64_t line = 1; !bytes.empty(); ++line) {
    const size_t end = bytes.find('\n');
    const std::string text = trimmed(bytes.substr(0, end));
    bytes = end == std::string_view::npos ? std::string_view() : bytes.substr(end + 1);
    if (!text.empty()) read_json_line(text, line, reader);
  }
  return file;
}

}  // namespace hone::api
