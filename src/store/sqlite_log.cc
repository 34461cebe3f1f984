#include "store/sqlite_log.h"

namespace hone::store {

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
  if (pages < checkpoint_pages_) return false;
  if (pages >= kLongLog * checkpoint_pages_) return true;
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
    sqlite3_wal_checkpoint_v2(checkpoint_connection_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                              nullptr, nullptr);
    std::lock_guard lock(mutex_);
    is_asked_ = false;
  }
}

}  // namespace hone::store
