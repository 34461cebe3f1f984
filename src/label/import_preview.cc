// What a file looks like before it is imported.

#include <algorithm>
#include <utility>

#include "base/env.h"
#include "base/error.h"
#include "base/utf8.h"
#include "label/import_rows.h"

namespace hone::label {
namespace {

constexpr size_t kMostRows = 5;
constexpr size_t kMostProblems = 20;
constexpr size_t kMostSamples = 3;
constexpr size_t kMostSampleBytes = 200;
constexpr size_t kMostShownColumns = 200;

std::string sample_of(const Json& value) {
  std::string text = value.is_string() ? value.as_string() : value.dump();
  if (text.size() <= kMostSampleBytes) return text;
  text.resize(kMostSampleBytes);
  while (!text.empty() && find_invalid_utf8(text)) text.pop_back();
  return text + "…";
}

// The preview as it grows row by row.
class Preview {
 public:
  Preview(const TaskSchema& schema, ImportFormat format, const Json& columns)
      : schema_(schema), format_(format), roles_(schema.task_type, columns), ids_(real_env()) {
    out_.format = import_format_name(format);
  }

  void take(data::ObjectRow&& row) {
    ++out_.rows_seen;
    if (!row.fault.empty()) return problem(row.line, row.fault);
    if (sampled_ < 50) add_samples(row.object);
    Result<ImportedRow> made =
        imported_row(schema_, format_, roles_, std::move(row.object), ids_, true);
    if (!made) return problem(row.line, made.error().message());
    ++good_;
    out_.votes_seen += made->votes.size();
    if (out_.rows.size() < kMostRows) out_.rows.push_back(shown_body(made->task.body));
  }

  void problem(uint64_t line, const std::string& reason) {
    if (out_.problems.size() < kMostProblems) out_.problems.push_back({line, reason});
  }

  ImportPreview finish(bool whole) {
    for (const ColumnRoles::Column& column : roles_.columns()) {
      if (out_.columns.size() == kMostShownColumns) break;
      ImportPreview::Column shown{column.name, column.role, guessed_from(column), {}};
      const auto found = std::find_if(samples_.begin(), samples_.end(), [&](const auto& entry) {
        return entry.first == column.name;
      });
      if (found != samples_.end()) shown.samples = found->second;
      out_.columns.push_back(std::move(shown));
    }
    out_.message = message(whole);
    return std::move(out_);
  }

 private:
  void add_samples(const Json& object) {
    ++sampled_;
    const Json* inner = format_ == ImportFormat::kLabelStudio ? object.find("data") : &object;
    if (inner == nullptr || !inner->is_object()) return;
    for (const Json::Member& member : inner->as_object()) {
      const std::string& name = member.first;
      const Json& value = member.second;
      if (value.is_null()) continue;
      auto found = std::find_if(samples_.begin(), samples_.end(),
                                [&](const auto& entry) { return entry.first == name; });
      if (found == samples_.end()) {
        if (samples_.size() == kMostShownColumns) continue;
        found = samples_.insert(samples_.end(), {name, {}});
      }
      if (found->second.size() < kMostSamples) found->second.push_back(sample_of(value));
    }
  }

  static std::string guessed_from(const ColumnRoles::Column& column) {
    if (column.confirmed) return "confirmed";
    if (column.role == ColumnRole::kMeta) return "";
    return column_role_from_name(column.name) ? "name" : "likeness";
  }

  // The body of a task that does not exist yet: without ids that would be others next time.
  static Json shown_body(const std::string& text) {
    Json body = Json::parse(text).value();
    Json responses = Json::array();
    for (const Json& response : body.at("responses").as_array()) {
      Json shown = Json::object();
      for (const auto& [key, value] : response.as_object()) {
        if (key != "response_id") shown[key] = value;
      }
      responses.push_back(std::move(shown));
    }
    body["responses"] = std::move(responses);
    return body;
  }

  std::string message(bool whole) const {
    if (out_.rows_seen == 0 && out_.problems.empty()) {
      return "The file has no rows; choose one that has.";
    }
    if (good_ == 0) {
      const std::string first = out_.problems.empty() ? "" : ": " + out_.problems.front().reason;
      return "No row can be imported" + first + ". Say what the columns are, or change the file.";
    }
    std::string text = std::to_string(good_) + (good_ == 1 ? " row" : " rows") +
                       (whole ? "" : " of the file's beginning") + " can be imported";
    if (out_.votes_seen > 0) text += " with " + std::to_string(out_.votes_seen) + " votes";
    const uint64_t bad = out_.rows_seen - good_;
    if (bad > 0) text += "; " + std::to_string(bad) + " cannot and will be left out";
    return text + ".";
  }

  const TaskSchema& schema_;
  const ImportFormat format_;
  ColumnRoles roles_;
  PublicIds ids_;
  ImportPreview out_;
  uint64_t good_ = 0;
  size_t sampled_ = 0;
  std::vector<std::pair<std::string, std::vector<std::string>>> samples_;
};

}  // namespace

ImportPreview preview_import(const TaskSchema& schema, std::string_view first_bytes, bool whole,
                             std::string_view format, const Json& columns) {
  if (first_bytes.size() > ImportPreview::kMostBytes) {
    first_bytes = first_bytes.substr(0, ImportPreview::kMostBytes);
    whole = false;
  }
  const ImportFormat known =
      format.empty() ? guess_import_format(first_bytes) : import_format_from_name(format);
  Preview preview(schema, known, columns);
  try {
    data::ObjectStream stream(object_format_of(known, first_bytes),
                              {.max_row_bytes = ImportPreview::kMostBytes},
                              [&](data::ObjectRow&& row) { preview.take(std::move(row)); });
    stream.feed(first_bytes);
    if (whole) stream.finish();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidInput) throw;
    preview.problem(1, error.message());
  }
  return preview.finish(whole);
}

Json ImportPreview::to_json() const {
  Json out = Json::object();
  out["format"] = format;
  Json list = Json::array();
  for (const Column& column : columns) {
    Json entry = Json::object();
    entry["name"] = column.name;
    entry["role"] = column_role_name(column.role);
    entry["guessed_from"] = column.guessed_from;
    Json samples = Json::array();
    for (const std::string& sample : column.samples) samples.push_back(sample);
    entry["samples"] = std::move(samples);
    list.push_back(std::move(entry));
  }
  out["columns"] = std::move(list);
  Json shown = Json::array();
  for (const Json& row : rows) shown.push_back(row);
  out["rows"] = std::move(shown);
  out["problems"] = row_errors_json(problems);
  out["message"] = message;
  return out;
}

Json ImportState::to_json() const {
  Json out = Json::object();
  out["id"] = public_id;
  out["name"] = name;
  out["format"] = format;
  out["state"] = state;
  out["columns"] = columns;
  out["rows"] = rows;
  out["created"] = created;
  out["duplicates"] = duplicates;
  out["errors"] = errors;
  out["first_errors"] = row_errors_json(first_errors);
  out["bytes_done"] = bytes_done;
  out["created_at_ms"] = created_at_ms;
  out["finished_at_ms"] = finished_at_ms ? Json(*finished_at_ms) : Json();
  return out;
}

}  // namespace hone::label
