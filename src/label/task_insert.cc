#include "base/check.h"
#include "base/error.h"
#include "label/splits.h"
#include "label/task_rows.h"
#include "store/database.h"

namespace hone::label {
namespace {

constexpr std::string_view kInsertTask =
    "INSERT INTO task (public_id, project_id, content_digest, group_digest, import_id, external_id,"
    " language, priority, state, slots, wanted, is_gold, split, created_at_ms)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $9, $10, $11, $12)";
// The index has the first bytes only (migration 0002).
constexpr std::string_view kTaskOfContent =
    "SELECT id FROM task INDEXED BY task_by_content WHERE project_id = $1"
    " AND substr(content_digest, 1, 4) = substr($2, 1, 4) AND content_digest = $2";
constexpr std::string_view kInsertBody = "INSERT INTO task_body (task_id, body) VALUES ($1, $2)";
constexpr std::string_view kInsertGold =
    "INSERT INTO gold (task_id, answer, created_by, created_at_ms) VALUES ($1, $2, $3, $4)";

// The new task's id, or 0 when the project has this content. Nobody writes between the look and the
// insert: all writes of a database are one after the other.
int64_t insert_task(store::Transaction& tx, const TaskDefaults& defaults, const NewTask& task,
                    std::optional<int64_t> import_id, int64_t now_ms) {
  if (task_of_content(tx, defaults.project, task.content_digest)) return 0;
  std::string_view split;
  if (!defaults.split_seed.empty()) {
    split = split_of_group(defaults.split_seed, defaults.heldout_fraction, task.group_digest);
  }
  tx.execute(kInsertTask,
             {task.public_id, defaults.project, store::Bytes{task.content_digest},
              store::Bytes{task.group_digest}, import_id, task.external_id, task.language,
              task.priority, defaults.overlap, task.gold.has_value(), split, now_ms});
  const int64_t id = tx.last_insert_id();
  tx.execute(kInsertBody, {id, task.body});
  return id;
}

}  // namespace

std::optional<int64_t> task_of_content(store::Connection& db, int64_t project,
                                       std::string_view content_digest) {
  return db.query_int64(kTaskOfContent, {project, store::Bytes{content_digest}});
}

TaskDefaults task_defaults(store::Connection& db, int64_t project) {
  auto found = db.query_one(
      "SELECT overlap, split_state, split_seed, heldout_fraction FROM project WHERE id = $1",
      {project}, [&](const store::Row& row) {
        TaskDefaults defaults;
        defaults.project = project;
        defaults.overlap = row.int64(0);
        if (row.text(1) == "frozen") {
          defaults.split_seed = row.string(2);
          defaults.heldout_fraction = row.real(3);
        }
        return defaults;
      });
  if (!found) throw not_found("there is no such project");
  return *found;
}

InsertedTasks insert_tasks(store::Transaction& tx, const TaskDefaults& defaults,
                           std::span<const NewTask> tasks, std::optional<int64_t> import_id,
                           std::string_view created_by, int64_t now_ms) {
  HONE_CHECK(tasks.size() <= 10'000);
  InsertedTasks inserted;
  int64_t gold = 0;
  for (const NewTask& task : tasks) {
    const int64_t id = insert_task(tx, defaults, task, import_id, now_ms);
    inserted.task_ids.push_back(id);
    if (id == 0) {
      ++inserted.duplicates;
      continue;
    }
    ++inserted.created;
    if (!task.gold) continue;
    ++gold;
    tx.execute(kInsertGold, {id, task.gold->dump(), created_by, now_ms});
  }
  // project.tasks are those of the queue: gold is given apart from it.
  tx.execute("UPDATE project SET tasks = tasks + $2 WHERE id = $1",
             {defaults.project, inserted.created - gold});
  return inserted;
}

}  // namespace hone::label
