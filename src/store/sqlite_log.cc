#include "store/sqlite_log.h"

#include <algorithm>

namespace hone::store {

LogStep log_step(const LogLength& log, int checkpoint_pages) {
  const int left = log.pages - log.copied;
  const int little = std::max(1, checkpoint_pages / kLittle);
  const int long_log = kLongLog * checkpoint_pages;
  const bool is_long = log.pages >= long_log;
  if (is_long && log.pages >= log.tried + little && (left <= little || log.pages >= 2 * long_log)) {
    return LogStep::kByWriter;
  }
  return left >= (is_long ? little : checkpoint_pages) ? LogStep::kInBackground : LogStep::kNothing;
}

SqliteLog::SqliteLog(const SqliteOpen& options, int checkpoint_pages)
    : sync_connection_(options),
      checkpoint_connection_(options),
      checkpoint_pages_(checkpoint_pages),
      thread_([this] { checkpoint_when_asked(); }) {}

SqliteLog::~SqliteLog() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  asked_.notify_one();
  thread_.join();
}

bool SqliteLog::committed(int pages) {
  commits_.fetch_add(1, std::memory_order_release);
  if (pages < last_pages_) copied_ = tried_pages_ = 0;  // the log began again
  last_pages_ = pages;
  const LogStep step = log_step({pages, copied_, tried_pages_}, checkpoint_pages_);
  if (step == LogStep::kByWriter) tried_pages_ = pages;
  if (step != LogStep::kInBackground) return step == LogStep::kByWriter;
  {
    std::lock_guard lock(mutex_);
    if (is_asked_) return false;
    is_asked_ = true;
  }
  asked_.notify_one();
  return false;
}

void SqliteLog::sync() {
  const uint64_t commits = commits_.load(std::memory_order_acquire);
  if (commits == synced_commits_) return;
  sqlite3_file* log = nullptr;
  int code =
      sqlite3_file_control(sync_connection_.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (code == SQLITE_OK && (log == nullptr || log->pMethods == nullptr)) code = SQLITE_IOERR;
  // Its connection has read the database when it was opened, so its log is open.
  if (code == SQLITE_OK) code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK) {
    Error error = sqlite_error(code, sync_connection_.path(), "sync of the log");
    throw Error(ErrorCode::kUnavailable,
                sync_connection_.path() +
                    ": the disk refused to keep what was written; look at the disk, then start "
                    "Hone again",
                error.detail());
  }
  synced_commits_ = commits;
}

void SqliteLog::checkpoint_when_asked() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      asked_.wait(lock, [&] { return is_asked_ || closing_; });
      if (closing_) return;
    }
    // Readers and another checkpoint may keep it from going on; then the next commit asks again.
    int log_pages = 0, copied = 0;
    const int code = sqlite3_wal_checkpoint_v2(checkpoint_connection_.handle(), nullptr,
                                               SQLITE_CHECKPOINT_PASSIVE, &log_pages, &copied);
    if (code == SQLITE_OK) copied_ = copied;
    std::lock_guard lock(mutex_);
    is_asked_ = false;
  }
}

}  // namespace hone::store
