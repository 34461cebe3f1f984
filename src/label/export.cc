#include "label/export.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "data/data_check.h"
#include "data/label_fields.h"
#include "label/export_rows.h"

namespace hone::label {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"preferences", "sft", "unpaired",
                                                    "annotations", "csv", "label-studio"};
constexpr size_t kPageTasks = 500;
constexpr size_t kPageBytes = size_t{16} << 20;  // of bodies: then the page ends
constexpr size_t kChunkBytes = size_t{64} << 10;

constexpr std::string_view kTasks =
    "SELECT t.id, t.public_id, t.external_id, t.language, t.split, t.is_gold, b.body,"
    " b.erased_at_ms FROM task t JOIN task_body b ON b.task_id = t.id"
    " WHERE t.project_id = $1 AND t.id > $2 AND t.state <> 'cancelled' ORDER BY t.id LIMIT $3";
// The same of those with a valid annotation, by an index that has no other (migration 0002).
constexpr std::string_view kLabelledTasks =
    "SELECT t.id, t.public_id, t.external_id, t.language, t.split, t.is_gold, b.body,"
    " b.erased_at_ms FROM task t INDEXED BY task_labelled JOIN task_body b ON b.task_id = t.id"
    " WHERE t.project_id = $1 AND t.id > $2 AND t.valid > 0 AND t.state <> 'cancelled'"
    " ORDER BY t.id LIMIT $3";
constexpr std::string_view kUnlabelled =
    "SELECT count(*), COALESCE(sum(is_gold), 0) FROM task WHERE project_id = $1 AND valid = 0"
    " AND state <> 'cancelled' AND ($2 = '' OR split = $2)";
constexpr std::string_view kValidIds =
    "SELECT id, task_id, public_id FROM annotation INDEXED BY annotation_by_task"
    " WHERE task_id >= $2 AND task_id <= $3 AND project_id = $1 AND id <= $4 AND status = 'valid'"
    " ORDER BY task_id, id";
constexpr std::string_view kAnnotations =
    "SELECT a.id, a.task_id, a.public_id, m.pseudonym, a.status, a.choice, a.shown_order, b.answer,"
    " b.rationale, a.schema_version, a.guideline_version, a.active_ms, a.wall_ms, a.created_at_ms,"
    " b.erased_at_ms FROM annotation a INDEXED BY annotation_by_task"
    " JOIN member m ON m.id = a.member_id JOIN annotation_body b ON b.annotation_id = a.id"
    " WHERE a.task_id >= $2 AND a.task_id <= $3 AND a.project_id = $1 AND a.id <= $4"
    " ORDER BY a.task_id, a.id";

ExportTask read_task(const store::Row& row) {
  ExportTask task;
  task.id = row.int64(0);
  task.public_id = row.string(1);
  task.external_id = row.optional_string(2).value_or("");
  task.language = row.string(3);
  task.split = row.string(4);
  task.is_gold = row.boolean(5);
  if (row.is_null(7)) {
    task.body = Json::parse(row.text(6)).value();
  } else {
    task.body = Json(Json::Object{{"erased", true}});
  }
  return task;
}

ExportAnnotation read_valid_id(const store::Row& row) {
  ExportAnnotation annotation;
  annotation.id = row.int64(0);
  annotation.task = row.int64(1);
  annotation.public_id = row.string(2);
  annotation.status = "valid";
  return annotation;
}

ExportAnnotation read_annotation(const store::Row& row) {
  ExportAnnotation annotation;
  annotation.id = row.int64(0);
  annotation.task = row.int64(1);
  annotation.public_id = row.string(2);
  annotation.worker = row.string(3);
  annotation.status = row.string(4);
  annotation.choice = row.string(5);
  annotation.shown_order = row.string(6);
  annotation.answer = row.string(7);
  annotation.rationale = row.string(8);
  annotation.schema_version = row.int64(9);
  annotation.guideline_version = row.int64(10);
  annotation.active_ms = row.int64(11);
  annotation.wall_ms = row.int64(12);
  annotation.created_at_ms = row.int64(13);
  annotation.erased = !row.is_null(14);
  return annotation;
}

// The project's tasks in order, page by page; those with a valid annotation, or all.
class TaskPages {
 public:
  TaskPages(Organisation& organisation, int64_t project, bool labelled, bool with_bodies)
      : organisation_(organisation),
        project_(project),
        tasks_(labelled ? kLabelledTasks : kTasks),
        with_bodies_(with_bodies) {
    last_annotation_ = organisation.read([&](store::Connection& db) {
      return db.query_int64("SELECT max(id) FROM annotation WHERE project_id = $1", {project})
          .value_or(0);
    });
  }

  // Empty at the end.
  std::vector<ExportTask> next() {
    return organisation_.read([&](store::Connection& db) {
      std::vector<ExportTask> tasks;
      size_t bytes = 0;
      for (const store::Row& row : db.query(tasks_, {project_, after_, kPageTasks})) {
        bytes += row.text(6).size();
        tasks.push_back(read_task(row));
        if (bytes >= kPageBytes) break;
      }
      if (!tasks.empty()) add_annotations(db, tasks);
      return tasks;
    });
  }

 private:
  void add_annotations(store::Connection& db, std::vector<ExportTask>& tasks) {
    after_ = tasks.back().id;
    auto task = tasks.begin();
    const std::string_view sql = with_bodies_ ? kAnnotations : kValidIds;
    for (const store::Row& row :
         db.query(sql, {project_, tasks.front().id, after_, last_annotation_})) {
      ExportAnnotation annotation = with_bodies_ ? read_annotation(row) : read_valid_id(row);
      while (task != tasks.end() && task->id < annotation.task) ++task;
      if (task == tasks.end()) break;
      if (task->id == annotation.task) task->annotations.push_back(std::move(annotation));
    }
  }

  Organisation& organisation_;
  const int64_t project_;
  const std::string_view tasks_;
  const bool with_bodies_;
  int64_t last_annotation_ = 0;
  int64_t after_ = 0;
};

double number_from(const Json& value, const char* field, double most) {
  if (!value.is_number() || !(value.as_double() >= 0.0) || value.as_double() > most) {
    throw invalid_input(std::string(field) + " must be a number from 0 to " +
                        number_to_string(most));
  }
  return value.as_double();
}

}  // namespace

std::string_view export_format_name(ExportFormat format) {
  return kNames[static_cast<size_t>(format)];
}

ExportFormat export_format_from_name(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    throw invalid_input(
        "format must be preferences, sft, unpaired, annotations, csv or label-studio, found " +
        data::quoted_for_message(name));
  }
  return static_cast<ExportFormat>(found - kNames.begin());
}

bool is_training_format(ExportFormat format) {
  return format == ExportFormat::kPreferences || format == ExportFormat::kSft ||
         format == ExportFormat::kUnpaired;
}

std::string_view export_media_type(ExportFormat format) {
  if (format == ExportFormat::kCsv) return "text/csv; charset=utf-8; header=present";
  return format == ExportFormat::kLabelStudio ? "application/json" : "application/jsonl";
}

std::string_view export_file_ending(ExportFormat format) {
  if (format == ExportFormat::kCsv) return "csv";
  return format == ExportFormat::kLabelStudio ? "json" : "jsonl";
}

ExportRequest ExportRequest::from_json(const Json& json) {
  ExportRequest request;
  if (!json.is_object()) throw invalid_input("an export is described by an object");
  for (const auto& [key, value] : json.as_object()) {
    if (key == "format") {
      request.format = export_format_from_name(value.as_string());
    } else if (key == "split") {
      request.split = value.as_string();
      if (request.split != "" && request.split != "train" && request.split != "heldout") {
        throw invalid_input("split must be train or heldout");
      }
    } else if (key == "min_probability") {
      request.min_probability = number_from(value, "min_probability", 1.0);
    } else if (key == "min_annotations") {
      request.min_annotations = static_cast<int64_t>(number_from(value, "min_annotations", 1000));
    } else {
      throw invalid_input("an export has no field " + data::quoted_for_message(key));
    }
  }
  return request;
}

Json ExportRequest::to_json() const {
  return Json(Json::Object{{"format", export_format_name(format)},
                           {"split", split},
                           {"min_probability", min_probability},
                           {"min_annotations", min_annotations}});
}

Json ExportCounts::to_json() const {
  return Json(Json::Object{{"tasks", tasks},
                           {"rows", rows},
                           {"unlabelled", unlabelled},
                           {"uncertain", uncertain},
                           {"both_bad", both_bad},
                           {"equal", equal},
                           {"unusable", unusable}});
}

void check_export(Organisation& organisation, const Project& project,
                  const ExportRequest& request) {
  const RowMaker maker(project, request, project_quality(organisation, project));
}

namespace {

ExportCounts walk(Organisation& organisation, const Project& project, const ExportRequest& request,
                  const RowMaker& maker, const OnExportedRow& on_row) {
  ExportCounts counts;
  const bool preferences =
      request.format == ExportFormat::kPreferences || request.format == ExportFormat::kUnpaired;
  TaskPages pages(organisation, project.id, request.min_annotations > 0, !preferences);
  std::vector<int64_t> annotations;
  std::vector<std::string> annotation_ids;
  ExportedRow out;
  for (auto tasks = pages.next(); !tasks.empty(); tasks = pages.next()) {
    for (const ExportTask& task : tasks) {
      if (!request.split.empty() && task.split != request.split) continue;
      for (const RowMaker::Row& row : maker.rows_of(task, counts)) {
        annotations.clear();
        annotation_ids.clear();
        for (const size_t i : row.from) {
          annotations.push_back(task.annotations[i].id);
          annotation_ids.push_back(task.annotations[i].public_id);
        }
        out.line.clear();
        maker.append(task, row, out.line);
        out.split = task.split;
        out.annotations = annotations;
        out.annotation_ids = annotation_ids;
        out.prompt = task.body.find(task.body.find("messages") ? "messages" : "prompt");
        on_row(out);
      }
    }
  }
  return counts;
}

}  // namespace

ExportCounts for_each_exported_row(Organisation& organisation, const Project& project,
                                   const ExportRequest& request, const OnExportedRow& on_row) {
  const RowMaker maker(project, request, project_quality(organisation, project));
  return walk(organisation, project, request, maker, on_row);
}

void count_unlabelled(Organisation& organisation, const Project& project,
                      const ExportRequest& request, ExportCounts& counts) {
  if (request.min_annotations == 0) return;  // all were looked at
  organisation.read([&](store::Connection& db) {
    return db.query_one(kUnlabelled, {project.id, request.split}, [&](const store::Row& row) {
      const auto tasks = static_cast<uint64_t>(row.int64(0));
      const auto gold =
          is_training_format(request.format) ? static_cast<uint64_t>(row.int64(1)) : 0;
      counts.tasks += tasks;
      counts.unlabelled += tasks - gold;
      counts.unusable += gold;
      return 0;
    });
  });
}

ExportCounts export_project(Organisation& organisation, const Project& project,
                            const ExportRequest& request,
                            const std::function<void(std::string_view)>& out) {
  const RowMaker maker(project, request, project_quality(organisation, project));
  const bool array = request.format == ExportFormat::kLabelStudio;
  const std::string_view line_end = request.format == ExportFormat::kCsv ? "\r\n" : "\n";
  std::string chunk = maker.header();
  if (!chunk.empty()) chunk += line_end;
  bool first = true;
  const ExportCounts counts =
      walk(organisation, project, request, maker, [&](const ExportedRow& row) {
        if (array) {
          chunk += first ? "[\n" : ",\n";
          chunk += row.line;
        } else {
          chunk += row.line;
          chunk += line_end;
        }
        first = false;
        if (chunk.size() < kChunkBytes) return;
        out(chunk);
        chunk.clear();
      });
  if (array) chunk += first ? "[]\n" : "\n]\n";
  if (!chunk.empty()) out(chunk);
  return counts;
}

}  // namespace hone::label
