#pragma once
// From a row of an import to a task, and tasks into the database (docs/formats/import.md).
//
// A row is the object of docs/formats/task_schema.md, "Rows of an import": prompt or messages;
// left and right, responses, or response; optional models (or model, model_left, model_right), id,
// language, priority, gold. Whatever else it has is kept as meta.
//
// Two digests, each the first 16 bytes of a SHA-256. Text is taken byte for byte (no Unicode
// normalisation: "é" as one code point and as two are two texts).
//   content  of the canonical JSON (RFC 8785) of {"messages", "prompt", "responses"}, the responses
//            as [text, model] in ascending order: so the same comparison with its sides exchanged
//            is a duplicate, and the same texts by other models are not. A conversation's messages
//            keep their order. Ids, priority, language, gold and meta do not count.
//   group    of data::normalised_text of the prompt (of a conversation: up to its first user
//            message): letter case and white space do not make another group, so a split by group
//            never has a prompt on both sides.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "label/public_id.h"
#include "label/task_schema.h"

namespace hone::store {
class Connection;
class Transaction;
}  // namespace hone::store

namespace hone::label {

struct NewTask {
  static constexpr size_t kMostBodyBytes = size_t{1} << 20;

  std::string public_id;
  std::string
      body;  // of task_body: {prompt, responses: [{response_id, text, model}], messages, meta}
  std::vector<std::string> response_ids;  // in import order
  std::string content_digest;             // 16 bytes
  std::string group_digest;               // 16 bytes
  std::optional<std::string> external_id;
  std::string language;
  int64_t priority = 0;
  std::optional<Json> gold;  // the right answer, checked against the schema, with response ids
};

// The error is one clause that fits behind "line 7: ". At most 4,096 keys a row.
Result<NewTask> row_to_task(const TaskSchema& schema, const Json& row, PublicIds& ids);
// With the built-in schema of the type.
Result<NewTask> row_to_task(std::string_view task_type, const Json& row, PublicIds& ids);

// What every task of one project starts with; read once a transaction.
struct TaskDefaults {
  int64_t project = 0;  // project.id
  int64_t overlap = 1;
  std::string split_seed;  // empty: not frozen
  double heldout_fraction = 0.0;
};
// Throws not_found.
TaskDefaults task_defaults(store::Connection& db, int64_t project);

// The task of the project that has this content, if any: by the index of its first bytes.
std::optional<int64_t> task_of_content(store::Connection& db, int64_t project,
                                       std::string_view content_digest);

struct InsertedTasks {
  int64_t created = 0;
  int64_t duplicates = 0;
  std::vector<int64_t> task_ids;  // task.id for each task; 0: a duplicate of one that was there
};

// Inserts tasks and their bodies and gold, and moves the project's counters, inside a write. What the
// project has already (same content digest) is counted and left alone. Writes no event: whoever
// brought the tasks says so once for all of them. At most 10,000 a call, since all writers wait.
InsertedTasks insert_tasks(store::Transaction& tx, const TaskDefaults& defaults,
                           std::span<const NewTask> tasks, std::optional<int64_t> import_id,
                           std::string_view created_by, int64_t now_ms);

}  // namespace hone::label
