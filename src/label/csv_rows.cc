#include "label/csv_rows.h"

#include <string_view>

#include "data/csv_cell.h"

namespace hone::label {
namespace {

// A record as it grows: texts in quotes, numbers bare, anything larger as JSON.
class Record {
 public:
  explicit Record(std::string& out) : out_(out) {}

  void add_text(std::string_view text) {
    separate();
    data::append_csv_text(text, out_);
  }
  void add(const Json* value) {
    if (value == nullptr || value->is_null()) return add_text("");
    if (value->is_string()) return add_text(value->as_string());
    if (value->is_object() || value->is_array()) return add_text(value->dump());
    separate();
    out_ += value->dump();  // a number, true or false
  }

 private:
  void separate() {
    if (!is_first_) out_ += ',';
    is_first_ = false;
  }

  std::string& out_;
  bool is_first_ = true;
};

bool is_pair(const TaskSchema& schema) { return schema.main().kind == QuestionKind::kComparison; }

// One thing of each response: {"a", "b"}.
Json of_responses(const ExportTask& task, const char* what) {
  Json list = Json::array();
  const Json* responses = task.body.find("responses");
  if (responses == nullptr || !responses->is_array()) return list;
  for (const Json& response : responses->as_array()) {
    const Json* value = response.find(what);
    list.push_back(value != nullptr ? *value : Json());
  }
  return list;
}

void add_responses(const TaskSchema& schema, const ExportTask& task, const char* what,
                   Record& record) {
  const Json list = of_responses(task, what);
  if (!is_pair(schema)) return record.add(list.size() > 0 ? &list : nullptr);
  for (size_t i = 0; i < 2; ++i) record.add(i < list.size() ? &list.as_array()[i] : nullptr);
}

// What follows the answers, with the names that the format `annotations` has.
constexpr const char* kPlain[] = {
    "choice",     "rationale",         "shown_order",    "active_ms", "wall_ms",
    "created_at", "guideline_version", "schema_version", "split",     "gold",
    "erased"};

}  // namespace

std::string csv_header(const TaskSchema& schema) {
  std::string header;
  Record record(header);
  for (const char* name : {"annotation_id", "task_id", "external_id", "language", "prompt"}) {
    record.add_text(name);
  }
  if (is_pair(schema)) {
    for (const char* name : {"left", "right", "model_left", "model_right"}) record.add_text(name);
  } else {
    for (const char* name : {"responses", "models"}) record.add_text(name);
  }
  for (const char* name : {"worker", "status"}) record.add_text(name);
  for (const Question& question : schema.questions) record.add_text("answer." + question.name);
  record.add_text("answer_json");
  for (const char* name : kPlain) record.add_text(name);
  return header;
}

void append_csv_record(const TaskSchema& schema, const ExportTask& task, const Json& annotation,
                       std::string& out) {
  Record record(out);
  for (const char* name : {"annotation_id", "task_id", "external_id"}) {
    record.add(annotation.find(name));
  }
  record.add_text(task.language);
  record.add(task.body.find(task.body.find("messages") != nullptr ? "messages" : "prompt"));
  add_responses(schema, task, "text", record);
  add_responses(schema, task, "model", record);
  for (const char* name : {"worker", "status"}) record.add(annotation.find(name));
  const Json& answer = annotation.at("answer");
  for (const Question& question : schema.questions) record.add(answer.find(question.name));
  record.add(&answer);
  for (const char* name : kPlain) record.add(annotation.find(name));
}

}  // namespace hone::label
