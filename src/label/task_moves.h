#pragma once
// The counters of a task and its state, moved in one place so that they cannot disagree. Internal to
// queue, annotations, gold and tasks; all inside a write.

#include <cstdint>
#include <string>
#include <string_view>

#include "label/permissions.h"
#include "label/queue.h"
#include "store/database.h"

namespace hone::label {

struct TaskRow {
  int64_t id = 0, project = 0;
  std::string public_id, state, language;
  int64_t priority = 0, wanted = 0, valid = 0, leased = 0;
  bool is_gold = false;

  bool open() const { return state == "open"; }
  bool done() const { return state == "done" || state == "undecided"; }
  // Whether one more valid annotation has a place that nobody holds.
  bool has_place() const { return open() && !is_gold && wanted > valid + leased; }
  QueuePlace place() const { return {priority, id}; }
};
TaskRow get_task_row(store::Connection& db, int64_t id);
TaskRow get_task_row(store::Connection& db, std::string_view public_id);

// Adds to valid and leased and keeps `slots` what it should be; `task` follows.
void move_counts(store::Transaction& tx, TaskRow& task, int64_t valid, int64_t leased);
void set_wanted(store::Transaction& tx, TaskRow& task, int64_t wanted);
// With the project's counters and an event; nothing when the task is in that state.
void set_task_state(store::Transaction& tx, TaskRow& task, std::string_view state, int64_t now_ms,
                    const Actor& actor);

// Counters of a project: "annotations", "surplus", "skips", "flags_open", "tasks", "tasks_done".
void move_project(store::Transaction& tx, int64_t project, std::string_view counter, int64_t by);

}  // namespace hone::label
