#include "label/export_rows.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "label/csv_rows.h"
#include "label/label_studio_rows.h"
#include "label/times.h"
#include "quality/aggregate.h"

namespace hone::label {
namespace {

// Six digits say all that a posterior knows, and keep lines short and equal on every machine.
double rounded(double probability) { return std::round(probability * 1e6) / 1e6; }

const Json::Array& responses_of(const Json& body) {
  static const Json::Array kNone;
  const Json* responses = body.find("responses");
  return responses != nullptr && responses->is_array() ? responses->as_array() : kNone;
}

std::string text_of(const Json& response) { return response.at("text").as_string(); }

// A completion in the form of its prompt: a text, or the message that follows the messages.
Json completion_for(const Json& prompt, const std::string& text) {
  if (!prompt.is_array()) return text;
  return Json(Json::Array{Json(Json::Object{{"role", "assistant"}, {"content", text}})});
}

std::vector<size_t> valid_indices(const ExportTask& task) {
  std::vector<size_t> from;
  for (size_t i = 0; i < task.annotations.size(); ++i) {
    if (task.annotations[i].status == "valid") from.push_back(i);
  }
  return from;
}

Json ids_of(const ExportTask& task, const std::vector<size_t>& from) {
  Json ids = Json::array();
  for (const size_t i : from) ids.push_back(task.annotations[i].public_id);
  return ids;
}

// Two responses of a task, with what the labels say of them.
struct Pair {
  size_t first = 0, second = 0;  // places in the import
  double p_first = 0, p_second = 0, p_tie = 0, p_both_bad = 0;

  double worth() const { return p_first + p_second + p_tie; }
  bool is_both_bad() const {
    return p_both_bad > std::max(p_first, std::max(p_second, p_tie)) || worth() <= 0;
  }
  // That first is better, given that one of the two is worth anything; a tie speaks for both.
  double first_better() const { return (p_first + p_tie / 2) / worth(); }
};

void add_class(Pair& pair, const std::string& name, double probability) {
  if (name == "first") pair.p_first = probability;
  if (name == "second") pair.p_second = probability;
  if (name == "tie") pair.p_tie = probability;
  if (name == "both_bad") pair.p_both_bad = probability;
}

// The pairs of a comparison (one) or a ranking, in the order of its parts; empty without labels.
std::vector<Pair> pairs_of(const ProjectQuality& quality, int64_t task, size_t responses) {
  std::vector<Pair> pairs;
  if (!quality.table) return pairs;
  const auto classes = quality.table->classes();
  uint32_t part = 0;
  for (size_t first = 0; first < responses; ++first) {
    for (size_t second = first + 1; second < responses; ++second) {
      const std::vector<double> posterior = quality.posterior({task, part++});
      if (posterior.empty()) return {};
      Pair pair{first, second};
      for (size_t c = 0; c < posterior.size(); ++c) add_class(pair, classes[c], posterior[c]);
      pairs.push_back(pair);
    }
  }
  return pairs;
}

Json posterior_json(const Pair& pair) {
  return Json(Json::Object{{"first", rounded(pair.p_first)},
                           {"second", rounded(pair.p_second)},
                           {"tie", rounded(pair.p_tie)},
                           {"both_bad", rounded(pair.p_both_bad)}});
}

void add_model(Json& models, const Json& response) {
  const Json* model = response.find("model");
  models.push_back(model != nullptr ? *model : Json());
}

bool is_pairs(const TaskSchema& schema) {
  return schema.main().kind == QuestionKind::kComparison ||
         schema.main().kind == QuestionKind::kRanking;
}

Error no_rows(ExportFormat format, const TaskSchema& schema, const char* instead) {
  return invalid_input("a project of the type " + schema.task_type + " has no " +
                       std::string(export_format_name(format)) + " rows; " + instead);
}

// The text that a person wrote: of the first text question that has one.
std::optional<std::string> text_answer(const TaskSchema& schema, const Json& answer) {
  for (const Question& question : schema.questions) {
    if (question.kind != QuestionKind::kText) continue;
    const Json* value = answer.find(question.name);
    if (value == nullptr) continue;
    if (value->is_object() && value->size() > 0) value = &value->as_object()[0].second;
    if (value->is_string() && !value->as_string().empty()) return value->as_string();
  }
  return std::nullopt;
}

void check_format(ExportFormat format, const TaskSchema& schema) {
  const QuestionKind kind = schema.main().kind;
  const bool text = kind == QuestionKind::kText;
  const bool rating = kind == QuestionKind::kRating && schema.main().subject != Subject::kTurn;
  switch (format) {
    case ExportFormat::kPreferences:
      if (!is_pairs(schema)) throw no_rows(format, schema, "export annotations instead");
      break;
    case ExportFormat::kSft:
      if (!is_pairs(schema) && !text) throw no_rows(format, schema, "export annotations instead");
      break;
    case ExportFormat::kUnpaired:
      if (kind != QuestionKind::kComparison && !rating) {
        throw no_rows(format, schema, "export annotations instead");
      }
      break;
    case ExportFormat::kAnnotations:
    case ExportFormat::kCsv:
    case ExportFormat::kLabelStudio: break;
  }
}

}  // namespace

size_t ExportTask::valid() const {
  return static_cast<size_t>(std::count_if(annotations.begin(), annotations.end(),
                                           [](const auto& a) { return a.status == "valid"; }));
}

RowMaker::RowMaker(const Project& project, const ExportRequest& request,
                   std::shared_ptr<const ProjectQuality> quality)
    : project_(project),
      request_(request),
      quality_(std::move(quality)),
      schema_(*quality_->schema) {
  check_format(request.format, schema_);
}

Json RowMaker::provenance(const ExportTask& task) const {
  Json out = Json::object();
  out["project"] = project_.public_id;
  out["task"] = task.public_id;
  if (!task.external_id.empty()) out["external_id"] = task.external_id;
  if (!task.language.empty()) out["language"] = task.language;
  return out;
}

std::vector<RowMaker::Row> RowMaker::rows_of(const ExportTask& task, ExportCounts& counts) const {
  ++counts.tasks;
  if (is_training_format(request_.format) &&
      (task.is_gold || task.body.find("erased") != nullptr)) {
    ++counts.unusable;
    return {};
  }
  if (static_cast<int64_t>(task.valid()) < request_.min_annotations) {
    ++counts.unlabelled;
    return {};
  }
  std::vector<Row> rows;
  switch (request_.format) {
    case ExportFormat::kPreferences: rows = preferences(task, counts); break;
    case ExportFormat::kSft:
      rows = is_pairs(schema_) ? sft(task, counts) : corrections(task, counts);
      break;
    case ExportFormat::kUnpaired: rows = unpaired(task, counts); break;
    case ExportFormat::kAnnotations:
    case ExportFormat::kCsv: rows = annotations(task); break;
    case ExportFormat::kLabelStudio: rows = label_studio(task); break;
  }
  counts.rows += rows.size();
  return rows;
}

void RowMaker::append(const ExportTask& task, const Row& row, std::string& out) const {
  if (request_.format == ExportFormat::kCsv) {
    append_csv_record(schema_, task, row.json, out);
  } else {
    row.json.dump_to(out);
  }
}

std::string RowMaker::header() const {
  return request_.format == ExportFormat::kCsv ? csv_header(schema_) : std::string();
}

std::vector<RowMaker::Row> RowMaker::preferences(const ExportTask& task,
                                                 ExportCounts& counts) const {
  const Json::Array& responses = responses_of(task.body);
  const std::vector<Pair> pairs = pairs_of(*quality_, task.id, responses.size());
  if (pairs.empty()) ++counts.unlabelled;
  const Json& prompt = task.body.at("prompt");
  std::vector<Row> rows;
  for (const Pair& pair : pairs) {
    if (pair.is_both_bad()) {
      ++counts.both_bad;
      continue;
    }
    const double better = pair.first_better();
    const bool first = better >= 0.5;
    const double probability = std::max(better, 1.0 - better);
    if (probability < request_.min_probability) {
      ++counts.uncertain;
      continue;
    }
    const Json& chosen = responses[first ? pair.first : pair.second];
    const Json& rejected = responses[first ? pair.second : pair.first];
    if (text_of(chosen) == text_of(rejected)) {
      ++counts.equal;
      continue;
    }
    Row row;
    row.from = valid_indices(task);
    row.json["id"] = pairs.size() == 1 ? task.public_id
                                       : task.public_id + ":" + std::to_string(pair.first) + "-" +
                                             std::to_string(pair.second);
    row.json["prompt"] = prompt;
    row.json["chosen"] = completion_for(prompt, text_of(chosen));
    row.json["rejected"] = completion_for(prompt, text_of(rejected));
    row.json["probability"] = rounded(probability);
    row.json["weight"] = rounded(pair.worth());
    row.json["labels"] = ids_of(task, row.from);
    if (chosen.find("model") != nullptr || rejected.find("model") != nullptr) {
      Json models = Json::array();
      add_model(models, chosen);
      add_model(models, rejected);
      row.json["models"] = std::move(models);
    }
    Json origin = provenance(task);
    origin["method"] = quality::method_name(quality_->fit.method);
    origin["posterior"] = posterior_json(pair);
    row.json["provenance"] = std::move(origin);
    rows.push_back(std::move(row));
  }
  return rows;
}

// The response that is at least as good as each other one, with the doubt as its weight.
std::vector<RowMaker::Row> RowMaker::sft(const ExportTask& task, ExportCounts& counts) const {
  const Json::Array& responses = responses_of(task.body);
  const std::vector<Pair> pairs = pairs_of(*quality_, task.id, responses.size());
  if (pairs.empty()) {
    ++counts.unlabelled;
    return {};
  }
  std::vector<double> wins(responses.size(), 0.0), least(responses.size(), 1.0);
  for (const Pair& pair : pairs) {
    wins[pair.first] += pair.p_first + pair.p_tie / 2;
    wins[pair.second] += pair.p_second + pair.p_tie / 2;
    least[pair.first] = std::min(least[pair.first], pair.p_first + pair.p_tie);
    least[pair.second] = std::min(least[pair.second], pair.p_second + pair.p_tie);
  }
  const bool bad =
      std::all_of(pairs.begin(), pairs.end(), [](const Pair& p) { return p.is_both_bad(); });
  if (bad) {
    ++counts.both_bad;
    return {};
  }
  const auto best = static_cast<size_t>(std::max_element(wins.begin(), wins.end()) - wins.begin());
  if (least[best] < request_.min_probability) {
    ++counts.uncertain;
    return {};
  }
  if (text_of(responses[best]).empty()) {
    ++counts.unusable;
    return {};
  }
  const Json& prompt = task.body.at("prompt");
  Row row;
  row.from = valid_indices(task);
  row.json["id"] = task.public_id;
  row.json["prompt"] = prompt;
  row.json["completion"] = completion_for(prompt, text_of(responses[best]));
  row.json["weight"] = rounded(least[best]);
  row.json["labels"] = ids_of(task, row.from);
  Json origin = provenance(task);
  origin["method"] = quality::method_name(quality_->fit.method);
  if (const Json* model = responses[best].find("model")) origin["model"] = *model;
  row.json["provenance"] = std::move(origin);
  return {std::move(row)};
}

// What people wrote: each valid text is a row; those of one task share its weight.
std::vector<RowMaker::Row> RowMaker::corrections(const ExportTask& task,
                                                 ExportCounts& counts) const {
  const Json& prompt = task.body.at("prompt");
  std::vector<Row> rows;
  for (const size_t i : valid_indices(task)) {
    const ExportAnnotation& annotation = task.annotations[i];
    const Json answer = Json::parse(annotation.answer).value();
    const auto text = annotation.erased ? std::nullopt : text_answer(schema_, answer);
    if (!text) continue;
    Row row;
    row.from = {i};
    row.json["id"] = annotation.public_id;
    row.json["prompt"] = prompt;
    row.json["completion"] = completion_for(prompt, *text);
    row.json["labels"] = ids_of(task, row.from);
    Json origin = provenance(task);
    origin["worker"] = annotation.worker;
    row.json["provenance"] = std::move(origin);
    rows.push_back(std::move(row));
  }
  if (rows.empty()) ++counts.unusable;
  for (Row& row : rows) row.json["weight"] = rounded(1.0 / static_cast<double>(rows.size()));
  return rows;
}

namespace {

// That a response is good, by the labels of its task: of a comparison, that it wins (a tie is half
// a win, both bad none); of a rating, that it lies above the middle of the scale (on it: half).
std::vector<double> goodness(const ProjectQuality& quality, const Question& question, int64_t task,
                             size_t responses) {
  if (question.kind == QuestionKind::kComparison) {
    const std::vector<Pair> pairs = pairs_of(quality, task, responses);
    if (pairs.size() != 1) return {};
    return {pairs[0].p_first + pairs[0].p_tie / 2, pairs[0].p_second + pairs[0].p_tie / 2};
  }
  if (!quality.table) return {};
  const auto values = quality.table->class_values();
  const double middle = static_cast<double>(question.min + question.max) / 2;
  std::vector<double> good;
  for (uint32_t part = 0; part < responses; ++part) {
    const std::vector<double> posterior = quality.posterior({task, part});
    if (posterior.empty()) break;
    double sum = 0;
    for (size_t c = 0; c < posterior.size(); ++c) {
      if (values[c] > middle) sum += posterior[c];
      if (values[c] == middle) sum += posterior[c] / 2;
    }
    good.push_back(sum);
  }
  return good;
}

}  // namespace

std::vector<RowMaker::Row> RowMaker::unpaired(const ExportTask& task, ExportCounts& counts) const {
  const Json::Array& responses = responses_of(task.body);
  const std::vector<double> good = goodness(*quality_, schema_.main(), task.id, responses.size());
  if (good.empty()) ++counts.unlabelled;
  const Json& prompt = task.body.at("prompt");
  std::vector<Row> rows;
  for (size_t i = 0; i < good.size() && i < responses.size(); ++i) {
    const double probability = std::max(good[i], 1.0 - good[i]);
    if (probability < request_.min_probability) {
      ++counts.uncertain;
      continue;
    }
    Row row;
    row.from = valid_indices(task);
    row.json["id"] = task.public_id + ":" + std::to_string(i);
    row.json["prompt"] = prompt;
    row.json["completion"] = completion_for(prompt, text_of(responses[i]));
    row.json["label"] = good[i] >= 0.5;
    row.json["probability"] = rounded(probability);
    row.json["labels"] = ids_of(task, row.from);
    Json origin = provenance(task);
    origin["method"] = quality::method_name(quality_->fit.method);
    if (const Json* model = responses[i].find("model")) origin["model"] = *model;
    row.json["provenance"] = std::move(origin);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<RowMaker::Row> RowMaker::annotations(const ExportTask& task) const {
  std::vector<std::string> response_ids;
  for (const Json& response : responses_of(task.body)) {
    response_ids.push_back(response.at("response_id").as_string());
  }
  std::vector<Row> rows;
  for (size_t i = 0; i < task.annotations.size(); ++i) {
    const ExportAnnotation& annotation = task.annotations[i];
    Row row;
    row.from = {i};
    Json& json = row.json;
    json["annotation_id"] = annotation.public_id;
    json["task_id"] = task.public_id;
    if (!task.external_id.empty()) json["external_id"] = task.external_id;
    json["worker"] = annotation.worker;
    json["status"] = annotation.status;
    if (annotation.erased) json["erased"] = true;
    json["answer"] = answer_in_import_order(Json::parse(annotation.answer).value(), response_ids);
    if (!annotation.choice.empty()) json["choice"] = annotation.choice;
    json["rationale"] = annotation.rationale;
    json["shown_order"] = annotation.shown_order;
    json["active_ms"] = annotation.active_ms;
    json["wall_ms"] = annotation.wall_ms;
    json["created_at"] = format_time(annotation.created_at_ms);
    json["guideline_version"] = annotation.guideline_version;
    json["schema_version"] = annotation.schema_version;
    if (task.is_gold) json["gold"] = true;
    if (!task.split.empty()) json["split"] = task.split;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<RowMaker::Row> RowMaker::label_studio(const ExportTask& task) const {
  Row row;
  row.json = label_studio_task(task, schema_);
  row.from = valid_indices(task);
  return {std::move(row)};
}

Json answer_in_import_order(const Json& answer, const std::vector<std::string>& response_ids) {
  const auto place_of = [&](const std::string& id) -> std::optional<size_t> {
    const auto found = std::find(response_ids.begin(), response_ids.end(), id);
    if (found == response_ids.end()) return std::nullopt;
    return static_cast<size_t>(found - response_ids.begin());
  };
  if (answer.is_string()) {
    const auto place = place_of(answer.as_string());
    if (!place) return answer;
    if (response_ids.size() == 2) return *place == 0 ? "left" : "right";
    return static_cast<int64_t>(*place);
  }
  if (answer.is_array()) {
    Json out = Json::array();
    for (const Json& element : answer.as_array()) {
      const bool is_id = element.is_string() && place_of(element.as_string()).has_value();
      out.push_back(is_id ? Json(static_cast<int64_t>(*place_of(element.as_string())))
                          : answer_in_import_order(element, response_ids));
    }
    return out;
  }
  if (!answer.is_object()) return answer;
  Json out = Json::object();
  for (const auto& [key, value] : answer.as_object()) {
    const auto place = place_of(key);
    out[place ? std::to_string(*place) : key] = answer_in_import_order(value, response_ids);
  }
  return out;
}

}  // namespace hone::label
