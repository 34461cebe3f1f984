#pragma once
// The writer of a database: one thread takes the jobs that wait and commits them as one group, a
// second one syncs what was committed. It knows nothing of SQL; an implementation hands it a
// GroupBackend. What it promises is said in database.h.
//
// A group: begin, then each job, then one commit. A job that throws is undone by a savepoint; while
// nothing stands in the transaction none is needed: undoing it is undoing the whole. A group takes
// jobs until the queue is empty or a bound is met.
//
// The answers: kProcess jobs get theirs after the commit, kDisk jobs after the next sync that began
// behind their commit. Syncing has a thread of its own so that nobody waits for the disk who did not
// ask for it: the writer goes on committing, and the next sync answers all that has gathered. So a
// read may see a row before it is on the disk; nothing that was built on it can be there without it,
// since the log that survives is a prefix of what was committed.
//
// After a sync failed, what the disk holds is unknown (the kernel forgets what it could not write):
// nothing is written any more until the database is opened again.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/env.h"
#include "store/database.h"

namespace hone::store {

// All calls but sync() come from the writer thread. Each but rollback may throw Error.
class GroupBackend {
 public:
  virtual ~GroupBackend() = default;
  virtual void begin() = 0;
  // durability: the strongest that a job of the group asked for.
  virtual void commit(Durability durability) = 0;
  // On the sync thread, beside all others: what was committed before the call is on the disk after it.
  virtual void sync() = 0;
  virtual void rollback() noexcept = 0;  // whatever state the transaction is in
  virtual void savepoint() = 0;
  virtual void release() = 0;
  virtual void rollback_to_savepoint() = 0;
  // False when the database itself gave the transaction up (the disk was full in its middle).
  virtual bool in_transaction() const = 0;
  virtual Transaction& transaction() = 0;
  // Throws what the job's statement threw when it swallowed that; forgets it either way.
  virtual void check_job() = 0;
};

struct GroupLimits {
  size_t queue_jobs_max = 4096;  // waiting or not synced; beyond it: busy
  size_t group_jobs_max = 256;
  int64_t group_time_ms = 20;  // a group takes no further job after this long
};

class GroupWriter {
 public:
  GroupWriter(GroupBackend& backend, const GroupLimits& limits, Env& env);
  ~GroupWriter();  // answers what waits, then ends
  GroupWriter(const GroupWriter&) = delete;
  GroupWriter& operator=(const GroupWriter&) = delete;

  void enqueue(std::unique_ptr<WriteJob> job);
  // Whether this is one of its two threads: waiting for an answer there would never end.
  bool on_own_thread() const;
  WriteStatistics statistics() const;

 private:
  struct Member {
    std::unique_ptr<WriteJob> job;
    std::exception_ptr error;
  };
  using Group = std::vector<Member>;

  // The writer thread.
  void write();
  std::unique_ptr<WriteJob> wait_for_job();
  std::unique_ptr<WriteJob> take_job();  // null when none waits
  std::unique_ptr<WriteJob> pop();       // mutex_ is held
  void run_group(std::unique_ptr<WriteJob> first);
  void run_jobs(std::unique_ptr<WriteJob> first, Group& group, std::exception_ptr& error);
  // False when the whole group is lost. `clean`: nothing stands in the transaction yet, so that it
  // may be undone as a whole.
  bool run_job(Member& member, bool clean);
  void hand_to_sync(Group& group);

  // The sync thread.
  void sync();
  void answer(Group& group, const std::exception_ptr& error);

  GroupBackend& backend_;
  const GroupLimits limits_;
  Env& env_;

  mutable std::mutex mutex_;
  // All below is guarded by mutex_.
  std::condition_variable arrived_, committed_;
  std::deque<std::unique_ptr<WriteJob>> queue_;
  Group unsynced_;             // committed, waiting for the next sync
  size_t being_synced_ = 0;    // jobs
  bool closing_ = false;       // no job comes any more
  bool written_ = false;       // the writer thread has ended
  std::exception_ptr broken_;  // the sync that failed
  WriteStatistics statistics_;

  // Last: they use all above.
  std::thread sync_thread_;
  std::thread write_thread_;
};

}  // namespace hone::store
