#pragma once
// A durable queue of background jobs in the table `job` (migrations/sqlite/control/0002_jobs.sql).
// Functions of a transaction: they start no process and read no clock; who runs a job, and how, is
// the caller's. Write them with Durability::kProcess while a job moves and kDisk at its two ends.
//
//   queued ──claim──> running ──finish──> done
//     ^  ^               │ ├───fail───> failed, or queued again when it may be tried later
//     │  └──the lease is over (the worker died): queued, attempts + 1 at the next claim
//     └── enqueue        └─ cancelled: at once while queued, by the worker while running
//
// A worker claims with a lease and prolongs it with every heartbeat or progress; each answer says
// whether the job is still its own and whether somebody asked it to stop. When it is no longer its
// own, the worker ends without another word: another one has it. A job that dies attempts_max times
// is failed. `progress` is kept between attempts, so that an import goes on where it was.
//
// Bounds: payload, progress and result of kJobJsonBytesMax, texts are cut to kJobTextBytesMax,
// kJobsWaitingMax unfinished jobs an organisation (then busy).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "store/database.h"

namespace hone::store {

inline constexpr size_t kJobJsonBytesMax = 1 << 20;
inline constexpr size_t kJobTextBytesMax = 1000;
inline constexpr int64_t kJobsWaitingMax = 1000;

struct NewJob {
  std::string public_id;  // job_…
  std::string kind;
  std::string organisation;
  Json payload = Json::object();
  std::optional<std::string> unique_key;  // none: any number side by side
  std::string created_by;
  int64_t priority = 0;
  int64_t attempts_max = 3;
  int64_t not_before_ms = 0;
};

enum class JobState { kQueued, kRunning, kDone, kFailed, kCancelled };
std::string_view job_state_name(JobState state);
JobState job_state_of(std::string_view name);  // invalid_input for another word

struct Job {
  int64_t id = 0;  // order of making; the key of pages
  std::string public_id, kind, organisation;
  Json payload;
  JobState state = JobState::kQueued;
  int64_t attempts = 0, attempts_max = 0;
  std::string worker;
  bool cancel_requested = false;
  double fraction = 0;
  std::string progress_text;
  Json progress, result;
  std::string error_code, error;
  std::string created_by;
  int64_t created_at_ms = 0;
  std::optional<int64_t> started_at_ms, finished_at_ms;
};

struct Enqueued {
  std::string public_id;
  bool is_new = true;  // false: a job of the same unique key is unfinished, and this is it
};
Enqueued enqueue_job(Transaction& tx, const NewJob& job, int64_t now_ms);

// The first queued job of these kinds, now running under this worker; nothing when none is due.
// kinds: at most 16; none means all.
std::optional<Job> claim_job(Transaction& tx, std::string_view worker,
                             const std::vector<std::string>& kinds, int64_t lease_ms,
                             int64_t now_ms);

struct JobStanding {
  bool is_mine = false;  // false: stop, and write nothing more
  bool cancel_requested = false;
};
JobStanding heartbeat_job(Transaction& tx, std::string_view public_id, std::string_view worker,
                          int64_t lease_ms, int64_t now_ms);

struct JobProgress {
  double fraction = 0;  // 0 to 1
  std::string text;
  std::optional<Json> state;  // none leaves what there is
};
// A heartbeat too.
JobStanding report_job(Transaction& tx, std::string_view public_id, std::string_view worker,
                       const JobProgress& progress, int64_t lease_ms, int64_t now_ms);

// The three ends, each by the worker that runs it: false when the job is not its own any more.
bool finish_job(Transaction& tx, std::string_view public_id, std::string_view worker,
                const Json& result, int64_t now_ms);
// retry_at_ms: queue it again for then, unless it has had its attempts.
bool fail_job(Transaction& tx, std::string_view public_id, std::string_view worker,
              const Error& error, std::optional<int64_t> retry_at_ms, int64_t now_ms);
bool end_cancelled_job(Transaction& tx, std::string_view public_id, std::string_view worker,
                       int64_t now_ms);

// Ends a queued job, asks a running one; nothing happens to one that has ended. Throws not_found.
JobState cancel_job(Transaction& tx, std::string_view public_id, int64_t now_ms);

// Jobs whose lease is over go back to the queue, or end when they have had their attempts or were
// asked to stop. Call it every few seconds. Returns how many.
int64_t adopt_abandoned_jobs(Transaction& tx, int64_t now_ms);
// The same for all running jobs of other workers, whatever their lease: at the start of the server
// that alone holds the data folder, after it ended the children that it found.
int64_t adopt_jobs_of_others(Transaction& tx, std::string_view worker, int64_t now_ms);

std::optional<Job> get_job(Connection& db, std::string_view public_id);

struct JobPage {
  std::string organisation;
  std::optional<std::string> kind;
  std::optional<JobState> state;
  std::optional<int64_t> before_id;  // the last id of the page before
  int64_t limit = 50;                // at most 200
};
std::vector<Job> list_jobs(Connection& db, const JobPage& page);  // newest first

// Deletes ended jobs that ended before then, at most 1000 at a call; returns how many.
int64_t prune_jobs(Transaction& tx, int64_t ended_before_ms);

}  // namespace hone::store
