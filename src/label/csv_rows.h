#pragma once
// Annotations as a table (docs/formats/exports.md, csv): one line a label, with what it is about and
// one column a question, for people with a spreadsheet. Internal to this room; pure.

#include <string>

#include "label/export_rows.h"
#include "label/task_schema.h"

namespace hone::label {

// The names of the columns, without a line break.
std::string csv_header(const TaskSchema& schema);

// Appends one record, without a line break: `annotation` is the row of the format `annotations`.
void append_csv_record(const TaskSchema& schema, const ExportTask& task, const Json& annotation,
                       std::string& out);

}  // namespace hone::label
