#pragma once
// A file layer of SQLite that knows what a disk may forget: it passes everything on to the system's,
// and keeps beside it what each file held at its last sync and every write since. lose_power() makes
// of that a folder as it may look after the power went: each write that was not synced is there, is
// not, or is there in part (torn at sectors of 512 bytes), whatever its order; what was synced is there.
// The shared memory of the write-ahead log is memory: nothing of it survives.
//
// Names are as durable as what they name: a file that was never synced is absent. May be used from
// several threads; files must be closed before the layer goes.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/rng.h"

namespace hone::store {

class ForgetfulVfs {
 public:
  explicit ForgetfulVfs(const std::string& name);  // registered under this name
  ~ForgetfulVfs();
  ForgetfulVfs(const ForgetfulVfs&) = delete;
  ForgetfulVfs& operator=(const ForgetfulVfs&) = delete;

  // Writes the files below `folder` into `target` as a power cut at this moment may leave them.
  void lose_power(const std::string& folder, const std::string& target, Rng& rng);

  // From now on every sync fails, or every write finds the disk full.
  void refuse_syncs(bool refuse) { refuse_syncs_ = refuse; }
  void refuse_writes(bool refuse) { refuse_writes_ = refuse; }

  uint64_t syncs() const;
  uint64_t unsynced_writes() const;  // that a power cut now could forget

 private:
  friend struct ForgetfulCalls;
  struct Change {
    uint64_t offset = 0;
    std::string bytes;
    bool is_truncation = false;  // to `offset` bytes
  };
  struct File {
    std::string durable;
    std::vector<Change> pending;
    bool was_synced = false;
  };
  struct Registration;

  static void apply(const Change& change, std::string& image);

  std::atomic<bool> refuse_syncs_ = false, refuse_writes_ = false;
  mutable std::mutex mutex_;
  std::map<std::string, File> files_;  // by path; guarded by mutex_
  uint64_t syncs_ = 0;                 // guarded by mutex_
  std::unique_ptr<Registration> registration_;
};

}  // namespace hone::store
