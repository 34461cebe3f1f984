#pragma once
// A copy of an SQLite file while it is in use, and the proof that a copy is whole.
//
// The copy is one snapshot: what was answered before it began is in it, what is written meanwhile is
// not, and writers do not wait for it (the write-ahead log only grows until it ends). It appears
// under its name whole or not at all, as a single file, synced. Restoring is the same call the other
// way round, after a check.
//
// Any thread; each call uses connections of its own.

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/env.h"
#include "store/migrate.h"

namespace hone::store {

struct BackupOptions {
  int pages_at_once = 512;               // between two calls of progress
  std::function<bool(double)> progress;  // fraction so far; false stops the copy
};

// Copies source to target, which must not exist. Throws not_found, conflict (target exists),
// unavailable (the disk is full; stopped by progress), corrupt_data (the source is no database).
void copy_sqlite(Env& env, const std::string& source, const std::string& target,
                 const BackupOptions& options = {});

struct SqliteCheck {
  size_t migrations = 0;  // that the file has had, all of them this program's
  uint64_t bytes = 0;
};

// Reads every page, index and reference of a file that nobody writes. Throws not_found, or
// corrupt_data with the first thing that is wrong: a damaged page, a row that refers to nothing, a
// form that is not one of this program's (migrate.h; an older one is fine).
SqliteCheck check_sqlite(Env& env, const std::string& path, std::span<const Migration> migrations);

}  // namespace hone::store
