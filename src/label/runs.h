#pragma once
// Training runs of a project: what was asked, how far it is, what it proved. A run's work is a job of
// control.db (api/job_runner.h); its files lie in runs/<run_…> of the organisation's folder, and this
// row says what people see and what becomes of it when the server starts again.
//
//   queued -> running -> done | failed | cancelled
//
// Errors: not_found, conflict (a run that has ended). Writing functions are called inside
// Organisation::write; every change of state is an event.

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

inline constexpr size_t kRunNameChars = 200;
inline constexpr size_t kRunSettingsBytesMax = 64 * 1024;

struct NewRun {
  std::string project;   // prj_…
  std::string snapshot;  // snp_…, ready
  std::string name;      // empty: "DPO 3", by the number of the project's runs
  std::string method;    // dpo, sft
  std::string model;     // the operator's name for it
  Json settings = Json::object();
};

struct Run {
  int64_t id = 0, project = 0;
  std::string public_id, project_id, snapshot_id, name, method, model;
  Json settings;
  std::string state, phase, error, job_id;
  Json result;  // docs/api.md: verdict, before, after, p_value, …; {} until it is done
  std::string created_by;
  int64_t created_at_ms = 0;
  std::optional<int64_t> finished_at_ms;

  bool has_ended() const { return state != "queued" && state != "running"; }
};

Run create_run(Organisation& organisation, store::Transaction& tx, const Actor& actor,
               const NewRun& wanted);
// Which job does it; said once, after the job was enqueued.
void set_run_job(store::Transaction& tx, std::string_view run_id, std::string_view job_id);

Run get_run(store::Connection& db, std::string_view run_id);
// Newest first.
std::vector<Run> list_runs(store::Connection& db, int64_t project, std::optional<int64_t> before_id,
                           size_t limit);

// By whoever works at it. An ended run stays as it is.
struct RunMove {
  std::string state;  // running, done, failed, cancelled
  std::string phase = {};
  std::optional<Json> result = {};
  std::string error = {};
};
void move_run(Organisation& organisation, store::Transaction& tx, const Actor& actor,
              std::string_view run_id, const RunMove& move);

// The folder of its files.
std::string run_folder(const Organisation& organisation, std::string_view run_id);

}  // namespace hone::label
