#pragma once
// SQLite as a Database (database.h): a file in WAL mode, one writer connection with its thread, and
// a pool of read connections. The file may be used by other processes beside this one; a write then
// waits for theirs up to lock_wait_ms.
//
// Commits write the log without a sync (synchronous=NORMAL); kDisk jobs are answered after a sync of
// the log that began behind their commit, which is what synchronous=FULL means, on a thread of its own
// (sqlite_log.h). Neither can damage the file (https://www.sqlite.org/pragma.html#pragma_synchronous).

#include <cstdint>
#include <memory>
#include <string>

#include "base/env.h"
#include "store/database.h"

namespace hone::store {

struct SqliteOptions {
  std::string path;
  bool create = true;  // false: not_found when the file is absent
  size_t queue_jobs_max = 4096;
  size_t group_jobs_max = 256;
  int64_t group_time_ms = 20;
  size_t readers_max = 32;       // reads at once; more wait
  size_t readers_kept = 4;       // read connections that stay open when idle
  int reader_wait_ms = 5000;     // then busy
  int lock_wait_ms = 5000;       // for another process, then unavailable
  int writer_cache_kib = 32768;  // memory for pages, taken as it fills
  int reader_cache_kib = 2048;
  int checkpoint_pages = 8000;  // the log is written back into the file when it has as many new
  std::string vfs;              // SQLite's name of a file layer; the operating system's when empty
};

std::unique_ptr<Database> open_sqlite(const SqliteOptions& options, Env& env);

}  // namespace hone::store
