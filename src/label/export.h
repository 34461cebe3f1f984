#pragma once
// Labels out of a project, as a stream (docs/formats/exports.md): rows for training with what the
// labels say together (posterior, weight, provenance), every annotation as it was given (as JSON or as
// a table), or Label Studio's JSON.
//
// Sides are those of the import, never those that somebody was shown. Gold tasks, cancelled and erased
// ones and withdrawn, rejected or surplus annotations are in no training row.
//
// Tasks without a valid annotation are passed over unless min_annotations is 0: an export costs by its
// labels. Tasks are read in pages, each a snapshot of its own, so that a slow reader holds up nobody; labels
// given after the start are left out. The posterior is that of `project_quality` at the start. Memory:
// one page, and the fit of the whole project. Rows come by task in the order of import; the same
// labels give the same bytes.
//
// Errors: invalid_input (a format that is none, or that the task type has no rows for), what `out`
// throws. Any thread.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "label/organisation.h"
#include "label/projects.h"

namespace hone::label {

enum class ExportFormat { kPreferences, kSft, kUnpaired, kAnnotations, kCsv, kLabelStudio };
std::string_view export_format_name(ExportFormat format);  // "label-studio"
ExportFormat export_format_from_name(std::string_view name);
bool is_training_format(ExportFormat format);  // has rows that `hone train` reads

struct ExportRequest {
  ExportFormat format = ExportFormat::kPreferences;
  std::string split;             // train, heldout; empty = all
  double min_probability = 0.5;  // training rows: [0, 1]
  int64_t min_annotations = 1;   // valid ones of a task; 0 = tasks without any too (label-studio)

  // {format?, split?, min_probability?, min_annotations?}, or throws invalid_input.
  static ExportRequest from_json(const Json& json);
  Json to_json() const;
};

// What became of the tasks that were looked at: those with a valid annotation (all of them when
// min_annotations is 0). count_unlabelled adds the others.
struct ExportCounts {
  uint64_t tasks = 0, rows = 0;
  uint64_t unlabelled = 0;  // under min_annotations
  uint64_t uncertain = 0;   // rows under min_probability
  uint64_t both_bad = 0;    // no answer is worth learning
  uint64_t equal = 0;       // the two texts are the same
  uint64_t unusable = 0;    // erased, or no answer that the format can use
  Json to_json() const;
};

struct ExportedRow {
  std::string line;                             // JSON or a record of CSV, no line break behind it
  std::string_view split;                       // of its task: "", train, heldout
  const Json* prompt = nullptr;                 // text or messages; null when it has none
  std::span<const int64_t> annotations;         // annotation.id of what it came from
  std::span<const std::string> annotation_ids;  // their public ids
};
// Valid during the call.
using OnExportedRow = std::function<void(const ExportedRow&)>;
ExportCounts for_each_exported_row(Organisation& organisation, const Project& project,
                                   const ExportRequest& request, const OnExportedRow& on_row);

// Adds the tasks that nobody labelled, by a look at every task: for counts that somebody reads.
void count_unlabelled(Organisation& organisation, const Project& project,
                      const ExportRequest& request, ExportCounts& counts);

// Throws what export_project would throw before its first byte.
void check_export(Organisation& organisation, const Project& project, const ExportRequest& request);
// The whole file in pieces of about 64 KiB: JSONL, CSV with a header, or one array for label-studio.
ExportCounts export_project(Organisation& organisation, const Project& project,
                            const ExportRequest& request,
                            const std::function<void(std::string_view)>& out);
std::string_view export_media_type(ExportFormat format);   // "application/jsonl"
std::string_view export_file_ending(ExportFormat format);  // "jsonl"

}  // namespace hone::label
