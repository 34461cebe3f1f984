#pragma once
// From one task with its labels to the rows of an export. Internal to this room; pure but for the
// counts.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "label/export.h"
#include "label/project_quality.h"
#include "label/task_schema.h"

namespace hone::label {

struct ExportAnnotation {
  int64_t id = 0, task = 0;
  std::string public_id, worker, status, choice, shown_order;
  std::string answer, rationale;  // empty where the format needs none
  int64_t schema_version = 0, guideline_version = 0;
  int64_t active_ms = 0, wall_ms = 0, created_at_ms = 0;
  bool erased = false;
};

struct ExportTask {
  int64_t id = 0;
  std::string public_id, external_id, language, split;
  bool is_gold = false;
  Json body;
  std::vector<ExportAnnotation> annotations;  // by id

  size_t valid() const;
};

class RowMaker {
 public:
  RowMaker(const Project& project, const ExportRequest& request,
           std::shared_ptr<const ProjectQuality> quality);

  struct Row {
    Json json;
    std::vector<size_t> from;  // indices of the task's annotations
  };
  // The task's rows; counts what it leaves out.
  std::vector<Row> rows_of(const ExportTask& task, ExportCounts& counts) const;
  // Appends the row as it stands in the file, without a line break: JSON, or a record of CSV.
  void append(const ExportTask& task, const Row& row, std::string& out) const;
  std::string header() const;  // of CSV, else empty

 private:
  std::vector<Row> preferences(const ExportTask& task, ExportCounts& counts) const;
  std::vector<Row> sft(const ExportTask& task, ExportCounts& counts) const;
  std::vector<Row> corrections(const ExportTask& task, ExportCounts& counts) const;
  std::vector<Row> unpaired(const ExportTask& task, ExportCounts& counts) const;
  std::vector<Row> annotations(const ExportTask& task) const;
  std::vector<Row> label_studio(const ExportTask& task) const;
  Json provenance(const ExportTask& task) const;

  const Project& project_;
  const ExportRequest& request_;
  const std::shared_ptr<const ProjectQuality> quality_;
  const TaskSchema& schema_;
};

// The answer of a person with the task's responses by their place in the import in place of ids: left,
// right for a comparison, numbers from 0 elsewhere. What an import takes as gold.
Json answer_in_import_order(const Json& answer, const std::vector<std::string>& response_ids);

}  // namespace hone::label
