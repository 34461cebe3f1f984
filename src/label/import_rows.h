#pragma once
// Pieces that the importer and its preview share. Internal to this room.

#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "label/import.h"

namespace hone::label {

struct ImportedRow {
  NewTask task;
  std::vector<Vote> votes;  // that the schema has a place for
};
// One object of a file as a task. The error is one clause that fits behind "line 7: ".
Result<ImportedRow> imported_row(const TaskSchema& schema, ImportFormat format, ColumnRoles& roles,
                                 Json&& object, PublicIds& ids, bool votes);

// Adds to import.first_errors, inside a write; the caller has counted them.
void append_first_errors(store::Transaction& tx, int64_t import_id,
                         const std::vector<RowError>& errors);

Json row_errors_json(const std::vector<RowError>& errors);

}  // namespace hone::label
