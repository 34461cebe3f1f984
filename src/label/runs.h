#pragma once
// Training runs of a project: the row of each, and where its files lie. What runs it is a job
// (store/job_queue.h); the row says what was asked, how it went and what came of it.
//
// States: queued -> running -> done, failed or cancelled; a queued run may be cancelled at once.
// Errors: not_found, conflict (a run that has ended). Writing functions are called inside
// Organisation::write.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "label/permissions.h"
#include "store/database.h"

namespace hone::label {

class Organisation;

struct Run {
  int64_t id = 0, project = 0;
  std::string public_id, project_id, snapshot_id, name, method, model;
  Json settings = Json::object();
  std::string state, phase, error, job_id;
  // What the proof says, once it is done (docs/api.md, runs): {verdict, before: {accuracy, interval},
  // after: {accuracy, interval}, p_value, smallest_detectable, steps}.
  Json result = Json::object();
  std::string created_by;
  int64_t created_at_ms = 0;
  std::optional<int64_t> finished_at_ms;

  bool ended() const { return state == "done" || state == "failed" || state == "cancelled"; }
};

struct NewRun {
  std::string name, method, model;
  Json settings = Json::object();
};
Run create_run(Organisation& organisation, store::Transaction& tx, const Actor& actor,
               std::string_view snapshot_id, const NewRun& wanted);
void set_run_job(store::Transaction& tx, std::string_view run_id, std::string_view job_id);

// By the job. Only phase and error may change without the state; what is nothing stays as it is.
struct RunChange {
  std::optional<std::string> state, phase, error;
  std::optional<Json> result;
};
Run change_run(Organisation& organisation, store::Transaction& tx, const Actor& actor,
               std::string_view run_id, const RunChange& change);

Run get_run(store::Connection& db, std::string_view run_id);
std::vector<Run> list_runs(store::Connection& db, int64_t project, std::optional<int64_t> before_id,
                           size_t limit);
// Which labels the run saw, by the snapshot that it trained on: ids, and people by their pseudonym.
struct RunLabel {
  int64_t id = 0;
  std::string annotation_id, task_id, pseudonym;
  bool is_held_out = false;  // measured on, not trained on
  int64_t created_at_ms = 0;
};
std::vector<RunLabel> list_run_labels(store::Connection& db, const Run& run,
                                      std::optional<int64_t> after_id, size_t limit);
struct RunPerson {
  std::string pseudonym;
  int64_t trained = 0, held_out = 0;  // labels
};
// Who has most labels first; at most `most` of them.
std::vector<RunPerson> list_run_people(store::Connection& db, const Run& run, size_t most);

// Runs that say queued or running: what a server looks through when it starts.
std::vector<Run> unfinished_runs(store::Connection& db);

// runs/<run_…>/ in the organisation's folder: docs/formats/run.md.
std::string run_folder(const Organisation& organisation, std::string_view run_id);

}  // namespace hone::label
