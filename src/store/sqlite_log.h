#pragma once
// The write-ahead log of an SQLite file, from outside of the writer: syncing it, and writing it back
// into the file (a checkpoint), each on a connection of its own, so that the writer waits for neither.
// https://www.sqlite.org/wal.html, and SQLITE_FCNTL_JOURNAL_POINTER in sqlite3.h.
//
// The writer commits with synchronous=NORMAL: it writes the log and syncs nothing. sync() is the sync
// that synchronous=FULL would have done in the commit, by SQLite's own file object.
//
// The checkpoint in the background copies what it finds, but while writers go on it never finds the
// end, and the log would grow for ever; when it is kLongLog times as long as wanted, the writer does
// the rest of the work itself, which lets the log start again.

#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "store/sqlite_connection.h"

namespace hone::store {

class SqliteLog {
 public:
  static constexpr int kLongLog = 4;

  // The file is in WAL mode. checkpoint_pages: the length of log that is worth writing back.
  SqliteLog(const SqliteOpen& options, int checkpoint_pages);
  ~SqliteLog();
  SqliteLog(const SqliteLog&) = delete;
  SqliteLog& operator=(const SqliteLog&) = delete;

  // The writer calls this after each commit that wrote; `pages` is the log's length. True: the log
  // is so long that the writer should write it back itself, now.
  bool committed(int pages);

  // What was committed before the call is on the disk after it. One thread at a time. Throws
  // unavailable when the disk refuses.
  void sync();

 private:
  void checkpoint_when_asked();

  SqliteConnection sync_connection_;        // of whoever calls sync()
  SqliteConnection checkpoint_connection_;  // of thread_
  const int checkpoint_pages_;
  std::atomic<uint64_t> commits_ = 0;
  uint64_t synced_commits_ = 0;  // of whoever calls sync()

  std::mutex mutex_;
  std::condition_variable asked_;
  bool is_asked_ = false;  // guarded by mutex_
  bool closing_ = false;   // guarded by mutex_
  std::thread thread_;     // last: it uses all above
};

}  // namespace hone::store
