#include "label/task_moves.h"

#include "label/events.h"

namespace hone::label {
namespace {

constexpr std::string_view kColumns =
    "SELECT id, project_id, public_id, state, language, priority, wanted, valid, leased, is_gold"
    " FROM task ";

TaskRow read_task_row(const store::Row& row) {
  TaskRow task;
  task.id = row.int64(0);
  task.project = row.int64(1);
  task.public_id = row.string(2);
  task.state = row.string(3);
  task.language = row.string(4);
  task.priority = row.int64(5);
  task.wanted = row.int64(6);
  task.valid = row.int64(7);
  task.leased = row.int64(8);
  task.is_gold = row.boolean(9);
  return task;
}

}  // namespace

TaskRow get_task_row(store::Connection& db, int64_t id) {
  auto task = db.query_one(std::string(kColumns) + "WHERE id = $1", {id}, read_task_row);
  if (!task) throw not_found("there is no such task");
  return *std::move(task);
}

TaskRow get_task_row(store::Connection& db, std::string_view public_id) {
  auto task = db.query_one(
      std::string(kColumns) +
          "INDEXED BY task_by_public_id WHERE substr(public_id, 5, 5) = substr($1, 5, 5)"
          " AND public_id = $1",
      {public_id}, read_task_row);
  if (!task) throw not_found("there is no such task");
  return *std::move(task);
}

void move_counts(store::Transaction& tx, TaskRow& task, int64_t valid, int64_t leased) {
  tx.execute(
      "UPDATE task SET valid = valid + $2, leased = leased + $3,"
      " slots = CASE WHEN wanted > valid + leased + $2 + $3"
      " THEN wanted - valid - leased - $2 - $3 ELSE 0 END WHERE id = $1",
      {task.id, valid, leased});
  task.valid += valid;
  task.leased += leased;
}

void set_wanted(store::Transaction& tx, TaskRow& task, int64_t wanted) {
  tx.execute(
      "UPDATE task SET wanted = $2,"
      " slots = CASE WHEN $2 > valid + leased THEN $2 - valid - leased ELSE 0 END WHERE id = $1",
      {task.id, wanted});
  task.wanted = wanted;
}

void set_task_state(store::Transaction& tx, TaskRow& task, std::string_view state, int64_t now_ms,
                    const Actor& actor) {
  if (task.state == state) return;
  const std::string before = task.state;
  const bool was_done = task.done();
  task.state = state;
  tx.execute("UPDATE task SET state = $2, done_at_ms = $3 WHERE id = $1",
             {task.id, state, task.open() ? std::optional<int64_t>() : now_ms});
  if (!task.is_gold) {
    if (was_done != task.done()) {
      move_project(tx, task.project, "tasks_done", task.done() ? 1 : -1);
    }
    if (before == "cancelled") move_project(tx, task.project, "tasks", 1);
    if (task.state == "cancelled") move_project(tx, task.project, "tasks", -1);
  }
  record_event(tx, now_ms, actor,
               {.kind = "task.state_changed",
                .object = task.public_id,
                .project_id = task.project,
                .from = before,
                .to = state});
}

void move_project(store::Transaction& tx, int64_t project, std::string_view counter, int64_t by) {
  const std::string column(counter);
  tx.execute("UPDATE project SET " + column + " = " + column + " + $2 WHERE id = $1",
             {project, by});
}

}  // namespace hone::label
