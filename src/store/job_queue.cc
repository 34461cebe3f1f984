#include "store/job_queue.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"

namespace hone::store {
namespace {

constexpr std::array<std::string_view, 5> kStates = {"queued", "running", "done", "failed",
                                                     "cancelled"};

#define HONE_JOB_COLUMNS                                                                     \
  "id, public_id, kind, organisation, payload, state, attempts, attempts_max, worker,"       \
  " cancel_at_ms, fraction, progress_text, progress, result, error_code, error, created_by," \
  " created_at_ms, started_at_ms, finished_at_ms"

constexpr std::string_view kUnfinishedOfKey =
    "SELECT public_id FROM job WHERE kind = $1 AND organisation = $2 AND unique_key = $3"
    " AND state IN ('queued', 'running')";
constexpr std::string_view kCountUnfinished =
    "SELECT count(*) FROM job WHERE organisation = $1 AND state IN ('queued', 'running')";
constexpr std::string_view kInsert =
    "INSERT INTO job (public_id, kind, organisation, payload, unique_key, state, priority,"
    " attempts_max, not_before_ms, created_by, created_at_ms)"
    " VALUES ($1, $2, $3, $4, $5, 'queued', $6, $7, $8, $9, $10)";
constexpr std::string_view kNext =
    "SELECT id FROM job WHERE state = 'queued' AND not_before_ms <= $1"
    " AND ($2 = 1 OR kind IN ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
    " $18)) ORDER BY priority DESC, id LIMIT 1";
constexpr std::string_view kClaim =
    "UPDATE job SET state = 'running', worker = $2, lease_until_ms = $3, attempts = attempts + 1,"
    " started_at_ms = coalesce(started_at_ms, $4) WHERE id = $1 RETURNING " HONE_JOB_COLUMNS;
constexpr std::string_view kHeartbeat =
    "UPDATE job SET lease_until_ms = $3 WHERE public_id = $1 AND worker = $2 AND state = 'running'"
    " RETURNING cancel_at_ms";
constexpr std::string_view kReport =
    "UPDATE job SET lease_until_ms = $3, fraction = $4, progress_text = $5,"
    " progress = coalesce($6, progress)"
    " WHERE public_id = $1 AND worker = $2 AND state = 'running' RETURNING cancel_at_ms";
constexpr std::string_view kEnd =
    "UPDATE job SET state = $3, result = $4, error_code = $5, error = $6, finished_at_ms = $7,"
    " fraction = CASE WHEN $3 = 'done' THEN 1 ELSE fraction END"
    " WHERE public_id = $1 AND worker = $2 AND state = 'running'";
constexpr std::string_view kRetry =
    "UPDATE job SET state = 'queued', not_before_ms = $3, error_code = $4, error = $5"
    " WHERE public_id = $1 AND worker = $2 AND state = 'running' AND attempts < attempts_max"
    " AND cancel_at_ms IS NULL";
constexpr std::string_view kCancelQueued =
    "UPDATE job SET state = 'cancelled', cancel_at_ms = $2, finished_at_ms = $2"
    " WHERE public_id = $1 AND state = 'queued'";
constexpr std::string_view kAskToStop =
    "UPDATE job SET cancel_at_ms = coalesce(cancel_at_ms, $2)"
    " WHERE public_id = $1 AND state = 'running'";
constexpr std::string_view kStateOf = "SELECT state FROM job WHERE public_id = $1";
// $2: '' takes those whose lease is over, else those of other workers.
constexpr std::string_view kAdopt =
    "UPDATE job SET"
    " state = CASE WHEN cancel_at_ms IS NOT NULL THEN 'cancelled'"
    "              WHEN attempts >= attempts_max THEN 'failed' ELSE 'queued' END,"
    " finished_at_ms = CASE WHEN cancel_at_ms IS NOT NULL OR attempts >= attempts_max THEN $1"
    "                  ELSE NULL END,"
    " error_code = CASE WHEN cancel_at_ms IS NULL AND attempts >= attempts_max THEN 'internal'"
    "              ELSE error_code END,"
    " error = CASE WHEN cancel_at_ms IS NULL AND attempts >= attempts_max"
    "         THEN 'it stopped ' || attempts || ' times without an end; look at its log, then start"
    " it again' ELSE error END"
    " WHERE state = 'running' AND (($2 = '' AND lease_until_ms <= $1) OR ($2 <> '' AND worker <>"
    " $2))";
constexpr std::string_view kGet = "SELECT " HONE_JOB_COLUMNS " FROM job WHERE public_id = $1";
constexpr std::string_view kList =
    "SELECT " HONE_JOB_COLUMNS
    " FROM job WHERE organisation = $1 AND id < $2 AND ($3 = '' OR kind = $3)"
    " AND ($4 = '' OR state = $4) ORDER BY id DESC LIMIT $5";
constexpr std::string_view kPrune =
    "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE finished_at_ms < $1"
    " ORDER BY finished_at_ms LIMIT 1000)";

std::string bounded_json(const Json& json, std::string_view what) {
  std::string text = json.dump();
  if (text.size() > kJobJsonBytesMax) {
    throw Error(ErrorCode::kTooLarge, "the " + std::string(what) + " of a job is larger than " +
                                          std::to_string(kJobJsonBytesMax) +
                                          " bytes; put it into a file and name that");
  }
  return text;
}

std::string bounded_text(std::string_view text) {
  if (text.size() <= kJobTextBytesMax) return std::string(text);
  size_t end = kJobTextBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

Json json_of(std::string_view text) { return Json::parse(text).value(); }

Job read_job(const Row& row) {
  Job job;
  job.id = row.int64(0);
  job.public_id = row.text(1);
  job.kind = row.text(2);
  job.organisation = row.text(3);
  job.payload = json_of(row.text(4));
  job.state = job_state_of(row.text(5));
  job.attempts = row.int64(6);
  job.attempts_max = row.int64(7);
  job.worker = row.text(8);
  job.cancel_requested = !row.is_null(9);
  job.fraction = row.real(10);
  job.progress_text = row.text(11);
  job.progress = json_of(row.text(12));
  job.result = json_of(row.text(13));
  job.error_code = row.text(14);
  job.error = row.text(15);
  job.created_by = row.text(16);
  job.created_at_ms = row.int64(17);
  job.started_at_ms = row.optional_int64(18);
  job.finished_at_ms = row.optional_int64(19);
  return job;
}

JobStanding standing(Connection& db, std::string_view sql, std::initializer_list<Value> values) {
  auto cancel = db.query_one(sql, values, [](const Row& row) { return !row.is_null(0); });
  return {cancel.has_value(), cancel.value_or(false)};
}

}  // namespace

std::string_view job_state_name(JobState state) { return kStates[static_cast<size_t>(state)]; }

JobState job_state_of(std::string_view name) {
  auto found = std::find(kStates.begin(), kStates.end(), name);
  if (found == kStates.end()) {
    throw invalid_input("\"" + std::string(name) +
                        "\" is no state of a job; there are queued, running, done, failed and "
                        "cancelled");
  }
  return static_cast<JobState>(found - kStates.begin());
}

Enqueued enqueue_job(Transaction& tx, const NewJob& job, int64_t now_ms) {
  if (job.unique_key) {
    auto same = tx.query_text(kUnfinishedOfKey, {job.kind, job.organisation, *job.unique_key});
    if (same) return {std::move(*same), false};
  }
  if (*tx.query_int64(kCountUnfinished, {job.organisation}) >= kJobsWaitingMax) {
    throw Error(ErrorCode::kBusy, std::to_string(kJobsWaitingMax) +
                                      " jobs wait already; try again when some have ended");
  }
  tx.execute(kInsert,
             {job.public_id, job.kind, job.organisation, bounded_json(job.payload, "payload"),
              job.unique_key, job.priority, std::max<int64_t>(job.attempts_max, 1),
              job.not_before_ms, job.created_by, now_ms});
  return {job.public_id, true};
}

std::optional<Job> claim_job(Transaction& tx, std::string_view worker,
                             const std::vector<std::string>& kinds, int64_t lease_ms,
                             int64_t now_ms) {
  constexpr size_t kKindsMax = 16;
  HONE_CHECK(!worker.empty() && kinds.size() <= kKindsMax);
  std::vector<Value> values = {now_ms, kinds.empty()};
  for (size_t i = 0; i < kKindsMax; ++i) {
    values.push_back(i < kinds.size() ? Value(kinds[i]) : Value());
  }
  auto next = tx.query_one(kNext, values, [](const Row& row) { return row.int64(0); });
  if (!next) return std::nullopt;
  return tx.query_one(kClaim, {*next, worker, now_ms + lease_ms, now_ms}, read_job);
}

JobStanding heartbeat_job(Transaction& tx, std::string_view public_id, std::string_view worker,
                          int64_t lease_ms, int64_t now_ms) {
  return standing(tx, kHeartbeat, {public_id, worker, now_ms + lease_ms});
}

JobStanding report_job(Transaction& tx, std::string_view public_id, std::string_view worker,
                       const JobProgress& progress, int64_t lease_ms, int64_t now_ms) {
  std::optional<std::string> state;
  if (progress.state) state = bounded_json(*progress.state, "progress");
  return standing(tx, kReport,
                  {public_id, worker, now_ms + lease_ms, std::clamp(progress.fraction, 0.0, 1.0),
                   bounded_text(progress.text), state});
}

bool finish_job(Transaction& tx, std::string_view public_id, std::string_view worker,
                const Json& result, int64_t now_ms) {
  return tx.execute(kEnd, {public_id, worker, "done", bounded_json(result, "result"), "", "",
                           now_ms}) == 1;
}

bool fail_job(Transaction& tx, std::string_view public_id, std::string_view worker,
              const Error& error, std::optional<int64_t> retry_at_ms, int64_t now_ms) {
  std::string_view code = error_code_name(error.code());
  std::string text = bounded_text(error.message());
  if (retry_at_ms && tx.execute(kRetry, {public_id, worker, *retry_at_ms, code, text}) == 1) {
    return true;
  }
  return tx.execute(kEnd, {public_id, worker, "failed", "{}", code, text, now_ms}) == 1;
}

bool end_cancelled_job(Transaction& tx, std::string_view public_id, std::string_view worker,
                       int64_t now_ms) {
  return tx.execute(kEnd, {public_id, worker, "cancelled", "{}", "", "", now_ms}) == 1;
}

JobState cancel_job(Transaction& tx, std::string_view public_id, int64_t now_ms) {
  if (tx.execute(kCancelQueued, {public_id, now_ms}) == 0) {
    tx.execute(kAskToStop, {public_id, now_ms});
  }
  auto state = tx.query_text(kStateOf, {public_id});
  if (!state) throw not_found("there is no job " + std::string(public_id) + "; look at the list");
  return job_state_of(*state);
}

int64_t adopt_abandoned_jobs(Transaction& tx, int64_t now_ms) {
  return tx.execute(kAdopt, {now_ms, ""});
}

int64_t adopt_jobs_of_others(Transaction& tx, std::string_view worker, int64_t now_ms) {
  HONE_CHECK(!worker.empty());
  return tx.execute(kAdopt, {now_ms, worker});
}

std::optional<Job> get_job(Connection& db, std::string_view public_id) {
  return db.query_one(kGet, {public_id}, read_job);
}

std::vector<Job> list_jobs(Connection& db, const JobPage& page) {
  return db.query_all(
      kList,
      {page.organisation, page.before_id.value_or(std::numeric_limits<int64_t>::max()),
       page.kind.value_or(""), page.state ? job_state_name(*page.state) : "",
       std::clamp<int64_t>(page.limit, 1, 200)},
      read_job);
}

int64_t prune_jobs(Transaction& tx, int64_t ended_before_ms) {
  return tx.execute(kPrune, {ended_before_ms});
}

}  // namespace hone::store
