#include "label/runs.h"

#include "base/error.h"
#include "label/events.h"
#include "label/organisation.h"
#include "label/projects.h"
#include "label/public_id.h"

namespace hone::label {
namespace {

constexpr std::string_view kColumns =
    "SELECT run.id, run.project_id, run.public_id, project.public_id, snapshot.public_id, "
    "run.name, "
    "run.method, run.model, run.settings, run.state, run.phase, run.error, run.job_id, run.result, "
    "run.created_by, run.created_at_ms, run.finished_at_ms FROM run "
    "JOIN project ON project.id = run.project_id JOIN snapshot ON snapshot.id = run.snapshot_id ";
constexpr std::string_view kInsert =
    "INSERT INTO run (public_id, project_id, snapshot_id, name, method, settings, model, state, "
    "created_by, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', $8, $9)";
constexpr std::string_view kMove =
    "UPDATE run SET state = $1, phase = $2, result = coalesce($3, result), error = $4, "
    "finished_at_ms = $5 WHERE id = $6";

Json parsed(std::string_view text) {
  Result<Json> json = Json::parse(text);
  return json ? *json : Json::object();
}

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
  run.settings = parsed(row.text(8));
  run.state = row.string(9);
  run.phase = row.string(10);
  run.error = row.string(11);
  run.job_id = row.string(12);
  run.result = parsed(row.text(13));
  run.created_by = row.string(14);
  run.created_at_ms = row.int64(15);
  run.finished_at_ms = row.optional_int64(16);
  return run;
}

void record(store::Transaction& tx, Organisation& organisation, const Actor& actor, const Run& run,
            std::string_view kind, std::string_view from, std::string_view to) {
  NewEvent event;
  event.kind = kind;
  event.object = run.public_id;
  event.project_id = run.project;
  event.from = from;
  event.to = to;
  event.data["method"] = run.method;
  event.data["snapshot"] = run.snapshot_id;
  record_event(tx, organisation.env().now_ms(), actor, event);
}

}  // namespace

Run create_run(Organisation& organisation, store::Transaction& tx, const Actor& actor,
               const NewRun& wanted) {
  if (wanted.method != "dpo" && wanted.method != "sft") {
    throw invalid_input("method \"" + wanted.method + "\" is none: dpo or sft");
  }
  const Project project = get_project(tx, wanted.project);
  const std::optional<int64_t> snapshot = tx.query_int64(
      "SELECT id FROM snapshot WHERE public_id = $1 AND project_id = $2 AND state = 'ready'",
      {wanted.snapshot, project.id});
  if (!snapshot) {
    throw not_found("this project has no finished snapshot \"" + wanted.snapshot + "\"");
  }
  const std::string settings = wanted.settings.dump();
  if (settings.size() > kRunSettingsBytesMax) {
    throw Error(ErrorCode::kTooLarge,
                "settings may have " + std::to_string(kRunSettingsBytesMax) + " bytes");
  }
  std::string name = wanted.name;
  if (name.empty()) {
    const int64_t runs =
        tx.query_int64("SELECT count(*) FROM run WHERE project_id = $1", {project.id}).value_or(0);
    name = (wanted.method == "dpo" ? "DPO " : "SFT ") + std::to_string(runs + 1);
  }
  if (name.size() > kRunNameChars * 4) {
    throw invalid_input("name: at most " + std::to_string(kRunNameChars) + " characters");
  }
  const std::string public_id = make_public_id(organisation.env(), "run");
  tx.execute(kInsert, {public_id, project.id, *snapshot, name, wanted.method, settings,
                       wanted.model, actor.id, organisation.env().now_ms()});
  Run run = get_run(tx, public_id);
  record(tx, organisation, actor, run, "run.created", "", "queued");
  return run;
}

void set_run_job(store::Transaction& tx, std::string_view run_id, std::string_view job_id) {
  tx.execute("UPDATE run SET job_id = $1 WHERE public_id = $2", {job_id, run_id});
}

Run get_run(store::Connection& db, std::string_view run_id) {
  const std::string sql = std::string(kColumns) + "WHERE run.public_id = $1";
  std::optional<Run> run = db.query_one(sql, {run_id}, read_run);
  if (!run) throw not_found("there is no such run");
  return *std::move(run);
}

std::vector<Run> list_runs(store::Connection& db, int64_t project, std::optional<int64_t> before_id,
                           size_t limit) {
  const std::string sql = std::string(kColumns) +
                          "WHERE run.project_id = $1 AND run.id < $2 ORDER BY run.id DESC LIMIT $3";
  return db.query_all(sql, {project, before_id.value_or(INT64_MAX), static_cast<int64_t>(limit)},
                      read_run);
}

void move_run(Organisation& organisation, store::Transaction& tx, const Actor& actor,
              std::string_view run_id, const RunMove& move) {
  const Run run = get_run(tx, run_id);
  if (run.has_ended()) return;
  const bool ends = move.state != "running";
  tx.execute(kMove, {move.state, move.phase,
                     move.result ? store::Value(move.result->dump()) : store::Value(), move.error,
                     ends ? store::Value(organisation.env().now_ms()) : store::Value(), run.id});
  if (run.state != move.state) {
    record(tx, organisation, actor, run, "run.changed", run.state, move.state);
  }
}

std::string run_folder(const Organisation& organisation, std::string_view run_id) {
  return organisation.folder() + "/runs/" + std::string(run_id);
}

}  // namespace hone::label
