#include "label/runs.h"

#include <limits>

#include "label/events.h"
#include "label/organisation.h"
#include "label/public_id.h"

namespace hone::label {
namespace {

#define HONE_RUN_QUERY                                                                   \
  "SELECT r.id, r.project_id, r.public_id, p.public_id, s.public_id, r.name, r.method, " \
  "r.model, r.settings, r.state, r.phase, r.error, r.job_id, r.result, r.created_by, "   \
  "r.created_at_ms, r.finished_at_ms FROM run r JOIN project p ON p.id = r.project_id "  \
  "JOIN snapshot s ON s.id = r.snapshot_id "

Run read_run(const store::Row& row) {
  Run run;
  run.id = row.int64(0);
  run.project = row.int64(1);
  run.public_id = row.string(2);
  run.project_id = row.string(3);
  run.snapshot_id = row.string(4);
  run.name = row.string(5);
  run.method = row.string(6);
  run.model = row.string(7);
  run.settings = Json::parse(row.text(8)).value();
  run.state = row.string(9);
  run.phase = row.string(10);
  run.error = row.string(11);
  run.job_id = row.string(12);
  run.result = Json::parse(row.text(13)).value();
  run.created_by = row.string(14);
  run.created_at_ms = row.int64(15);
  run.finished_at_ms = row.optional_int64(16);
  return run;
}

}  // namespace

Run create_run(Organisation& organisation, store::Transaction& tx, const Actor& actor,
               std::string_view snapshot_id, const NewRun& wanted) {
  struct Source {
    int64_t id = 0, project = 0;
    std::string state;
  };
  const auto snapshot =
      tx.query_one("SELECT id, project_id, state FROM snapshot WHERE public_id = $1", {snapshot_id},
                   [](const store::Row& row) {
                     return Source{row.int64(0), row.int64(1), row.string(2)};
                   });
  if (!snapshot) throw not_found("there is no such snapshot");
  if (snapshot->state != "ready") {
    throw Error(ErrorCode::kConflict, "this snapshot is not ready: its files were never finished");
  }
  const std::string id = make_public_id(organisation.env(), "run");
  const int64_t now_ms = organisation.env().now_ms();
  tx.execute(
      "INSERT INTO run (public_id, project_id, snapshot_id, name, method, settings, model, state, "
      "phase, created_by, created_at_ms) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', 'queued', $8, $9)",
      {id, snapshot->project, snapshot->id, wanted.name, wanted.method, wanted.settings.dump(),
       wanted.model, actor.id, now_ms});
  Json data = Json::object();
  data["method"] = wanted.method;
  data["snapshot"] = snapshot_id;
  record_event(tx, now_ms, actor,
               {.kind = "run.started",
                .object = id,
                .project_id = snapshot->project,
                .from = "",
                .to = "queued",
                .data = std::move(data)});
  return get_run(tx, id);
}

void set_run_job(store::Transaction& tx, std::string_view run_id, std::string_view job_id) {
  tx.execute("UPDATE run SET job_id = $2 WHERE public_id = $1", {run_id, job_id});
}

Run change_run(Organisation& organisation, store::Transaction& tx, const Actor& actor,
               std::string_view run_id, const RunChange& change) {
  const Run before = get_run(tx, run_id);
  if (before.ended()) {
    throw Error(ErrorCode::kConflict, "this run has ended already: it is " + before.state);
  }
  const std::string state = change.state.value_or(before.state);
  const int64_t now_ms = organisation.env().now_ms();
  const bool ends = state == "done" || state == "failed" || state == "cancelled";
  tx.execute(
      "UPDATE run SET state = $2, phase = $3, error = $4, result = $5, finished_at_ms = $6 "
      "WHERE id = $1",
      {before.id, state, change.phase.value_or(before.phase), change.error.value_or(before.error),
       change.result.value_or(before.result).dump(),
       ends ? std::optional<int64_t>(now_ms) : std::nullopt});
  if (state != before.state) {
    const std::string kind = "run." + state;
    record_event(tx, now_ms, actor,
                 {.kind = kind,
                  .object = run_id,
                  .project_id = before.project,
                  .from = before.state,
                  .to = state});
  }
  return get_run(tx, run_id);
}

Run get_run(store::Connection& db, std::string_view run_id) {
  auto run = db.query_one(HONE_RUN_QUERY "WHERE r.public_id = $1", {run_id}, read_run);
  if (!run) throw not_found("there is no such run");
  return std::move(*run);
}

std::vector<Run> list_runs(store::Connection& db, int64_t project, std::optional<int64_t> before_id,
                           size_t limit) {
  return db.query_all(
      HONE_RUN_QUERY "WHERE r.project_id = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT $3",
      {project, before_id.value_or(std::numeric_limits<int64_t>::max()), limit}, read_run);
}

std::vector<RunLabel> list_run_labels(store::Connection& db, const Run& run,
                                      std::optional<int64_t> after_id, size_t limit) {
  return db.query_all(
      "SELECT a.id, a.public_id, t.public_id, m.pseudonym, t.split, a.created_at_ms"
      " FROM snapshot s JOIN snapshot_annotation x ON x.snapshot_id = s.id"
      " JOIN annotation a ON a.id = x.annotation_id JOIN task t ON t.id = a.task_id"
      " JOIN member m ON m.id = a.member_id"
      " WHERE s.public_id = $1 AND x.annotation_id > $2 ORDER BY x.annotation_id LIMIT $3",
      {run.snapshot_id, after_id.value_or(0), limit}, [](const store::Row& row) {
        return RunLabel{
            row.int64(0), row.string(1), row.string(2), row.string(3), row.text(4) == "heldout",
            row.int64(5)};
      });
}

std::vector<RunPerson> list_run_people(store::Connection& db, const Run& run, size_t most) {
  return db.query_all(
      "SELECT m.pseudonym, sum(CASE WHEN t.split = 'heldout' THEN 0 ELSE 1 END),"
      " sum(CASE WHEN t.split = 'heldout' THEN 1 ELSE 0 END), count(*)"
      " FROM snapshot s JOIN snapshot_annotation x ON x.snapshot_id = s.id"
      " JOIN annotation a ON a.id = x.annotation_id JOIN task t ON t.id = a.task_id"
      " JOIN member m ON m.id = a.member_id WHERE s.public_id = $1"
      " GROUP BY m.id ORDER BY 4 DESC, 1 LIMIT $2",
      {run.snapshot_id, most}, [](const store::Row& row) {
        return RunPerson{row.string(0), row.int64(1), row.int64(2)};
      });
}

std::vector<Run> unfinished_runs(store::Connection& db) {
  return db.query_all(HONE_RUN_QUERY
                      "WHERE r.state IN ('queued', 'running') ORDER BY r.id LIMIT 1000",
                      {}, read_run);
}

std::string run_folder(const Organisation& organisation, std::string_view run_id) {
  return organisation.folder() + "/runs/" + std::string(run_id);
}

}  // namespace hone::label
