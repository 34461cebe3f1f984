#pragma once
// The writer thread of a database: takes the jobs that wait and commits them as one group. It knows
// nothing of SQL; an implementation hands it a GroupBackend. What it promises is said in database.h.
//
// A group: begin, then each job, then one commit, then the answers. A job that throws is undone by a
// savepoint; while nothing stands in the transaction none is needed: undoing it is undoing the whole. A group
// takes jobs until the queue is empty or a bound is met; one that began without a sync of the disk
// stops before the first job that wants one.

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

// All calls come from the writer thread. Each but rollback may throw Error.
class GroupBackend {
 public:
  virtual ~GroupBackend() = default;
  virtual void begin(Durability durability) = 0;
  virtual void commit() = 0;
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
  size_t queue_jobs_max = 4096;  // beyond it: busy
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
  bool on_writer_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  WriteStatistics statistics() const;

 private:
  struct Member {
    std::unique_ptr<WriteJob> job;
    std::exception_ptr error;
  };

  void run();
  std::unique_ptr<WriteJob> wait_for_job();
  // The next job that may join a group of this durability; null when none waits.
  std::unique_ptr<WriteJob> take_job(Durability durability);
  std::unique_ptr<WriteJob> pop();  // mutex_ is held
  Durability durability_with(const WriteJob& first) const;
  void run_group(std::unique_ptr<WriteJob> first);
  // False when the whole group is lost. `clean`: nothing stands in the transaction yet, so that it
  // may be undone as a whole.
  bool run_job(Member& member, bool clean, Durability durability);
  void answer(std::vector<Member>& group, Durability durability, const std::exception_ptr& error);

  GroupBackend& backend_;  // writer thread only
  const GroupLimits limits_;
  Env& env_;

  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::unique_ptr<WriteJob>> queue_;  // guarded by mutex_
  size_t disk_jobs_waiting_ = 0;                 // guarded by mutex_
  bool closing_ = false;                         // guarded by mutex_
  WriteStatistics statistics_;                   // guarded by mutex_

  std::thread thread_;  // last: it uses all above
};

}  // namespace hone::store
