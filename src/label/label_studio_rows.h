#pragma once
// A task with its annotations as Label Studio's export has it. Internal to this room.

#include "base/json.h"
#include "label/export_rows.h"

namespace hone::label {

// {"id", "data": {prompt, response1, …}, "annotations": [{"completed_by", "result": […]}], "meta"}.
// A comparison is a result of type pairwise (left, right) or choices (tie, both_bad); a rating of the
// task a number; a text a textarea; any other answer a textarea with the answer as JSON.
Json label_studio_task(const ExportTask& task, const TaskSchema& schema);

}  // namespace hone::label
