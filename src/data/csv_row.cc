#include "data/csv_row.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/utf8.h"

namespace hone::data {
namespace {

constexpr JsonLimits kCellLimits = {.max_depth = 64};

template <size_t n>
bool one_of(std::string_view name, const std::array<std::string_view, n>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr std::array<std::string_view, 4> kTexts = {"prompt", "completion", "chosen", "rejected"};
constexpr std::array<std::string_view, 8> kArrays = {"messages",     "labels",         "input_ids",
                                                     "prompt_ids",   "completion_ids", "chosen_ids",
                                                     "rejected_ids", "completions"};
constexpr std::array<std::string_view, 3> kNumbers = {"weight", "probability", "margin"};

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Json text_or_messages(std::string& cell) {
  if (cell.starts_with("[")) {
    Result<Json> parsed = Json::parse(cell, kCellLimits);
    const auto is_message = [](const Json& element) { return element.find("role") != nullptr; };
    if (parsed && parsed->is_array() && parsed->size() > 0 &&
        std::all_of(parsed->as_array().begin(), parsed->as_array().end(), is_message)) {
      return std::move(*parsed);
    }
  }
  return std::move(cell);
}

Result<Json> array_cell(const std::string& name, const std::string& cell) {
  Result<Json> parsed = Json::parse(cell, kCellLimits);
  if (!parsed) {
    return invalid_input("column \"" + name +
                         "\" must hold a JSON array: " + parsed.error().message());
  }
  if (!parsed->is_array()) {
    return invalid_input("column \"" + name + "\" must hold a JSON array, found a " +
                         std::string(parsed->kind_name()));
  }
  return parsed;
}

Result<Json> number_cell(const std::string& name, const std::string& cell) {
  Result<Json> parsed = Json::parse(trim(cell), kCellLimits);
  if (parsed && parsed->is_number()) return parsed;
  return invalid_input("column \"" + name + "\" must hold a number, found \"" + cell.substr(0, 40) +
                       "\"");
}

Result<Json> label_cell(const std::string& cell) {
  std::string word(trim(cell));
  for (char& c : word) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  if (word == "true" || word == "1") return Json(true);
  if (word == "false" || word == "0") return Json(false);
  return invalid_input("column \"label\" must hold true or false, found \"" + cell.substr(0, 40) +
                       "\"");
}

Result<Json> cell_value(const std::string& name, std::string& cell) {
  if (name == "text") return Json(std::move(cell));
  if (one_of(name, kTexts)) return text_or_messages(cell);
  if (cell.empty()) return Json();  // null: the row has no such key
  if (one_of(name, kArrays)) return array_cell(name, cell);
  if (one_of(name, kNumbers)) return number_cell(name, cell);
  if (name == "label") return label_cell(cell);
  return Json(std::move(cell));
}

}  // namespace

Result<CsvHeader> CsvHeader::read(const CsvRecord& record) {
  if (!record.fault.empty()) return invalid_input("the header: " + record.fault);
  CsvHeader header;
  std::set<std::string_view> seen;
  bool any_content = false;
  for (const CsvCell& cell : record.cells) {
    const std::string place = "column " + std::to_string(header.names_.size() + 1);
    if (find_invalid_utf8(cell.text))
      return invalid_input("the header's " + place + " is not valid UTF-8");
    if (cell.text.empty()) return invalid_input("the header's " + place + " has no name");
    if (!seen.insert(cell.text).second) {
      return invalid_input("the header names \"" + cell.text + "\" twice");
    }
    any_content = any_content || cell.text == "text" || one_of(cell.text, kTexts) ||
                  one_of(cell.text, kArrays);
    header.names_.push_back(cell.text);
  }
  if (!any_content) {
    return invalid_input(
        "the first line must name the columns (text, messages, prompt, completion, chosen, "
        "rejected, ...); it names none of them");
  }
  return header;
}

Result<Json> CsvHeader::object_from(CsvRecord& record) const {
  if (record.cells.size() != names_.size()) {
    return invalid_input("the header has " + std::to_string(names_.size()) +
                         " columns, the record has " + std::to_string(record.cells.size()));
  }
  Json::Object object;
  object.reserve(names_.size());
  for (size_t i = 0; i < names_.size(); ++i) {
    if (const auto at = find_invalid_utf8(record.cells[i].text)) {
      return invalid_input("column \"" + names_[i] + "\": not valid UTF-8 at byte " +
                           std::to_string(*at + 1) + " of the cell; save the file as UTF-8");
    }
    Result<Json> value = cell_value(names_[i], record.cells[i].text);
    if (!value) return value;
    object.emplace_back(names_[i], std::move(*value));
  }
  return Json(std::move(object));
}

}  // namespace hone::data
