// Recounts: the slow, obvious counters beside the ones that move with every transaction.

#include "label/events.h"
#include "label/organisation.h"
#include "label/projects.h"
#include "label/queue.h"

namespace hone::label {
namespace {

// What each counter of a task should be.
constexpr std::string_view kTaskRecount =
    "SELECT t.id, t.public_id, t.wanted, t.valid, t.leased, t.slots,"
    " (SELECT count(*) FROM annotation a WHERE a.task_id = t.id AND a.status = 'valid')"
    " AS valid_is,"
    " (SELECT count(*) FROM assignment s WHERE s.task_id = t.id AND s.state = 'leased')"
    " AS leased_is"
    " FROM task t WHERE t.project_id = $1";

struct TaskCounts {
  int64_t id = 0;
  std::string public_id;
  int64_t wanted = 0, valid = 0, leased = 0, slots = 0, valid_is = 0, leased_is = 0;

  int64_t slots_should() const { return std::max<int64_t>(0, wanted - valid_is - leased_is); }
  bool agrees() const {
    return valid == valid_is && leased == leased_is && slots == slots_should();
  }
};

TaskCounts read_counts(const store::Row& row) {
  return {row.int64(0), row.string(1), row.int64(2), row.int64(3),
          row.int64(4), row.int64(5),  row.int64(6), row.int64(7)};
}

struct ProjectCounter {
  std::string_view column;
  std::string_view recount;
};
constexpr ProjectCounter kProjectCounters[] = {
    {"tasks",
     "SELECT count(*) FROM task WHERE project_id = $1 AND is_gold = 0 AND state <> 'cancelled'"},
    {"tasks_done",
     "SELECT count(*) FROM task WHERE project_id = $1 AND is_gold = 0"
     " AND state IN ('done', 'undecided')"},
    {"annotations",
     "SELECT count(*) FROM annotation a JOIN task t ON t.id = a.task_id WHERE a.project_id = $1"
     " AND a.status = 'valid' AND t.is_gold = 0"},
    {"surplus",
     "SELECT count(*) FROM annotation a JOIN task t ON t.id = a.task_id WHERE a.project_id = $1"
     " AND a.status = 'surplus' AND t.is_gold = 0"},
    {"skips",
     "SELECT count(*) FROM skip s JOIN assignment a ON a.id = s.assignment_id"
     " WHERE a.project_id = $1"},
    {"flags_open", "SELECT count(*) FROM flag WHERE project_id = $1 AND resolved_at_ms IS NULL"},
};

int64_t counter_of(store::Connection& db, std::string_view column, int64_t project) {
  return db.query_int64("SELECT " + std::string(column) + " FROM project WHERE id = $1", {project})
      .value_or(0);
}

}  // namespace

std::vector<std::string> verify_counters(store::Connection& db, int64_t project_id) {
  constexpr size_t kMost = 20;
  std::vector<std::string> wrong;
  for (const store::Row& row : db.query(kTaskRecount, {project_id})) {
    const TaskCounts counts = read_counts(row);
    if (counts.agrees()) continue;
    wrong.push_back("task " + counts.public_id + ": valid " + std::to_string(counts.valid) +
                    " of " + std::to_string(counts.valid_is) + ", leased " +
                    std::to_string(counts.leased) + " of " + std::to_string(counts.leased_is) +
                    ", slots " + std::to_string(counts.slots) + " of " +
                    std::to_string(counts.slots_should()));
    if (wrong.size() == kMost) return wrong;
  }
  for (const ProjectCounter& counter : kProjectCounters) {
    const int64_t kept = counter_of(db, counter.column, project_id);
    const int64_t is = db.query_int64(counter.recount, {project_id}).value_or(0);
    if (kept == is) continue;
    wrong.push_back("project: " + std::string(counter.column) + " " + std::to_string(kept) +
                    " of " + std::to_string(is));
  }
  return wrong;
}

void repair_counters(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                     int64_t project_id) {
  std::vector<TaskCounts> wrong;
  for (const store::Row& row : tx.query(kTaskRecount, {project_id})) {
    if (TaskCounts counts = read_counts(row); !counts.agrees()) wrong.push_back(std::move(counts));
  }
  for (const TaskCounts& counts : wrong) {
    tx.execute("UPDATE task SET valid = $2, leased = $3, slots = $4 WHERE id = $1",
               {counts.id, counts.valid_is, counts.leased_is, counts.slots_should()});
  }
  for (const ProjectCounter& counter : kProjectCounters) {
    tx.execute("UPDATE project SET " + std::string(counter.column) + " = (" +
                   std::string(counter.recount) + ") WHERE id = $1",
               {project_id});
  }
  Json data = Json::object();
  data["tasks"] = wrong.size();
  record_event(tx, organisation.env().now_ms(), actor,
               {.kind = "counters.repaired",
                .object = get_project(tx, project_id).public_id,
                .project_id = project_id,
                .data = std::move(data)});
  organisation.queue().drop_project(project_id);
}

}  // namespace hone::label
