#include "label/label_studio_rows.h"

#include <utility>

#include "label/times.h"

namespace hone::label {
namespace {

Json result(const Question& question, const char* type, const char* key, Json value) {
  Json out = Json::object();
  out["from_name"] = question.name;
  out["to_name"] = "prompt";
  out["type"] = type;
  out["value"][key] = std::move(value);
  return out;
}

Json result_of(const Question& question, const Json& value) {
  if (question.kind == QuestionKind::kComparison && value.is_string()) {
    const std::string& said = value.as_string();
    if (said == "left" || said == "right") return result(question, "pairwise", "selected", said);
    return result(question, "choices", "choices", Json(Json::Array{said}));
  }
  if (question.kind == QuestionKind::kChoice && value.is_string()) {
    return result(question, "choices", "choices", Json(Json::Array{value}));
  }
  if (question.kind == QuestionKind::kFlags && value.is_array()) {
    return result(question, "choices", "choices", value);
  }
  if (question.kind == QuestionKind::kRating && value.is_number()) {
    return result(question, "number", "number", value);
  }
  const std::string text = value.is_string() ? value.as_string() : value.dump();
  return result(question, "textarea", "text", Json(Json::Array{text}));
}

Json annotation_of(const ExportAnnotation& annotation, const TaskSchema& schema,
                   const std::vector<std::string>& response_ids) {
  Json out = Json::object();
  out["id"] = annotation.public_id;
  out["completed_by"] = annotation.worker;
  out["was_cancelled"] = false;
  out["created_at"] = format_time(annotation.created_at_ms);
  out["lead_time"] = static_cast<double>(annotation.active_ms) / 1000.0;
  Json results = Json::array();
  const Json answer = answer_in_import_order(Json::parse(annotation.answer).value(), response_ids);
  for (const Question& question : schema.questions) {
    if (const Json* value = answer.find(question.name)) {
      results.push_back(result_of(question, *value));
    }
  }
  out["result"] = std::move(results);
  return out;
}

}  // namespace

Json label_studio_task(const ExportTask& task, const TaskSchema& schema) {
  Json out = Json::object();
  out["id"] = task.external_id.empty() ? task.public_id : task.external_id;
  Json& data = out["data"];
  data = Json::object();
  for (const char* key : {"prompt", "messages"}) {
    if (const Json* value = task.body.find(key)) data[key] = *value;
  }
  std::vector<std::string> response_ids;
  if (const Json* responses = task.body.find("responses")) {
    for (const Json& response : responses->as_array()) {
      response_ids.push_back(response.at("response_id").as_string());
      data["response" + std::to_string(response_ids.size())] = response.at("text");
      if (const Json* model = response.find("model")) {
        data["model" + std::to_string(response_ids.size())] = *model;
      }
    }
  }
  Json annotations = Json::array();
  for (const ExportAnnotation& annotation : task.annotations) {
    if (annotation.status != "valid" || annotation.erased) continue;
    annotations.push_back(annotation_of(annotation, schema, response_ids));
  }
  out["annotations"] = std::move(annotations);
  if (const Json* meta = task.body.find("meta")) out["meta"] = *meta;
  return out;
}

}  // namespace hone::label
