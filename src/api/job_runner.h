#pragma once
// Work that is too long for a request (training, large imports): the roof implements it as child
// processes with a durable queue (decisions 4.1), the api only asks. Calls come from any thread, may
// block for a moment, and throw hone::Error. Everything is asked within one organisation.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hone::api {

struct NewJob {
  std::string organisation_id;
  std::string kind;       // "run", "import"
  std::string object_id;  // run_…, imp_…: whose row the job moves
  std::string person_id;  // who asked
  Json arguments;         // run: {method, model, settings, snapshot_id, project_id}; import: {project_id, format, columns, path}
};

struct JobView {
  int64_t key = 0;  // order of lists
  std::string id;   // job_…
  std::string kind;
  std::string object_id;
  std::string state;  // queued, running, done, failed, cancelled
  double progress = 0;
  std::string text;
  std::string error;
  int64_t created_at_ms = 0;
  std::optional<int64_t> finished_at_ms;
};

// Where a run is now; nothing of it is durable.
struct RunProgress {
  std::string phase;
  int64_t step = 0;
  int64_t steps = 0;
  double rate = 0;  // steps a second
  std::optional<double> seconds_left;
};

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

  // The id of a job that is durable in the queue. Throws busy when the queue is full.
  virtual std::string start(const NewJob& job) = 0;
  // Newest first; before_key 0 = from the newest.
  virtual std::vector<JobView> list(std::string_view organisation_id, int64_t before_key,
                                    int limit) = 0;
  virtual std::optional<JobView> find(std::string_view organisation_id,
                                      std::string_view job_id) = 0;
  // A job that has ended is left as it is.
  virtual void cancel(std::string_view organisation_id, std::string_view job_id) = 0;

  // Nothing when the job does not run now.
  virtual std::optional<RunProgress> progress(std::string_view job_id) = 0;
  // What a run would take (docs/api.md, runs/plan): {rows, heldout_rows, steps, tokens,
  // memory_bytes, memory_limit_bytes, seconds, writes, config_digest, ready, missing}. snapshot_folder
  // holds train.jsonl and heldout.jsonl.
  virtual Json plan_run(const OfferedModel& model, std::string_view method, const Json& settings,
                        const std::string& snapshot_folder) = 0;
};

}  // namespace hone::api
