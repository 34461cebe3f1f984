#pragma once
// The write-ahead log of an SQLite file, from outside of the writer: syncing it, and writing it back
// into the file (a checkpoint), each on a connection of its own, so that the writer waits for neither.
// https://www.sqlite.org/wal.html, and SQLITE_FCNTL_JOURNAL_POINTER in sqlite3.h.
//
// The writer commits with synchronous=NORMAL: it writes the log and syncs nothing. sync() is the sync
// that synchronous=FULL would have done in the commit, by SQLite's own file object.
//
// The checkpoint in the background begins when checkpoint_pages are new in the log, no sooner: each one
// ends in a sync of the file, which the syncs of answers have to share the disk with, and a page that
// was written a hundred times is copied once. While writers go on it never finds the end, and the log
// would grow for ever; when the log is kLongLog times as long as checkpoint_pages and little is left to
// copy, the writer copies that little itself, which lets the log start again (unless somebody reads in
// it: then once more when as little was added). Where the background does not keep up (an import), the
// writer helps at twice that length.

#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "store/sqlite_connection.h"

namespace hone::store {

inline constexpr int kLongLog = 4;
inline constexpr int kLittle = 8;  // little is left: that part of checkpoint_pages

// What is to be done after a commit, at the log's length now.
enum class LogStep { kNothing, kInBackground, kByWriter };
struct LogLength {
  int pages = 0;
  int copied = 0;  // of them are in the file
  int tried = 0;   // the length when the writer copied last, 0: never since the log began
};
LogStep log_step(const LogLength& log, int checkpoint_pages);

class SqliteLog {
 public:
  // The file is in WAL mode. checkpoint_pages: how much of the log is worth writing back.
  SqliteLog(const SqliteOpen& options, int checkpoint_pages);
  ~SqliteLog();
  SqliteLog(const SqliteLog&) = delete;
  SqliteLog& operator=(const SqliteLog&) = delete;

  // The writer calls this after each commit that wrote; `pages` is the log's length. True: the
  // writer should write the rest back itself, now.
  bool committed(int pages);
  // It did: so many pages of the log are in the file now.
  void copied(int pages) { copied_ = pages; }

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
  int last_pages_ = 0,
      tried_pages_ = 0;          // the writer's: the log's length, and when it was told to copy
  std::atomic<int> copied_ = 0;  // pages of the log that are in the file

  std::mutex mutex_;
  std::condition_variable asked_;
  bool is_asked_ = false;  // guarded by mutex_
  bool closing_ = false;   // guarded by mutex_
  std::thread thread_;     // last: it uses all above
};

}  // namespace hone::store
