#pragma once
// Work that is too long for a request (training, large imports) waits in the durable queue of
// control.db (store/job_queue.h); the roof runs it in child processes (decisions 4.1). This is what the
// api asks of the roof beside that. Calls come from any thread and must not block for long.
//
// Jobs that the api enqueues, `organisation` set to the org_… and `created_by` to who asked:
//   kind "run"     payload {run_id}                   the row of label/runs.h says all of it; unique a run
//   kind "import"  payload {import_id, project_id, path, votes}: the row is there; label::Importer::resume
//                  with the stored bytes at `path`, relative to the organisation's folder; the job
//                  deletes the file when it is done
//   kind "gate"    payload {alias, model_id, expected_version, reason}: measures the model and what
//                  the alias answers with on the gate's sets, then promotes or not; its result is
//                  the decision. Unique an alias
// A job of a run keeps {phase, step, steps, rate, seconds_left} as its progress; GET /runs/{run_id}
// shows it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hone::api {

// A model that the operator offers.
struct OfferedModel {
  std::string name;
  std::string path;  // never shown
  std::string file;  // its last part
  int64_t parameters = 0;
  std::string fits;  // fits, tight, too_big
};

class JobRunner {
 public:
  virtual ~JobRunner() = default;

  // Something was enqueued, or a running job was asked to stop.
  virtual void wake() = 0;

  // What a run would take (docs/api.md, runs/plan), without rows and ready: {steps, tokens,
  // memory_bytes, memory_limit_bytes, seconds, writes, config_digest, missing}. snapshot_folder holds
  // train.jsonl and heldout.jsonl. Throws invalid_input that names a setting. May take some seconds.
  virtual Json plan_run(const OfferedModel& model, std::string_view method, const Json& settings,
                        const std::string& snapshot_folder) = 0;
};

}  // namespace hone::api
