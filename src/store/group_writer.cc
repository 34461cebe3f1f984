#include "store/group_writer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace hone::store {

GroupWriter::GroupWriter(GroupBackend& backend, const GroupLimits& limits, Env& env)
    : backend_(backend),
      limits_(limits),
      env_(env),
      sync_thread_([this] { sync(); }),
      write_thread_([this] { write(); }) {}

GroupWriter::~GroupWriter() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  arrived_.notify_one();
  write_thread_.join();
  {
    std::lock_guard lock(mutex_);
    written_ = true;
  }
  committed_.notify_one();
  sync_thread_.join();
}

bool GroupWriter::on_own_thread() const {
  const auto here = std::this_thread::get_id();
  return here == write_thread_.get_id() || here == sync_thread_.get_id();
}

void GroupWriter::enqueue(std::unique_ptr<WriteJob> job) {
  {
    std::lock_guard lock(mutex_);
    if (closing_) throw Error(ErrorCode::kUnavailable, "the database is being closed");
    if (broken_) std::rethrow_exception(broken_);
    const size_t waiting = queue_.size() + unsynced_.size() + being_synced_;
    if (waiting >= limits_.queue_jobs_max) {
      throw Error(ErrorCode::kBusy, "too many changes wait to be saved; try again in a moment",
                  std::to_string(waiting) + " write jobs wait");
    }
    queue_.push_back(std::move(job));
  }
  arrived_.notify_one();
}

WriteStatistics GroupWriter::statistics() const {
  std::lock_guard lock(mutex_);
  WriteStatistics now = statistics_;
  now.waiting = queue_.size() + unsynced_.size() + being_synced_;
  return now;
}

void GroupWriter::write() {
  while (std::unique_ptr<WriteJob> first = wait_for_job()) run_group(std::move(first));
}

std::unique_ptr<WriteJob> GroupWriter::pop() {
  std::unique_ptr<WriteJob> job = std::move(queue_.front());
  queue_.pop_front();
  return job;
}

std::unique_ptr<WriteJob> GroupWriter::wait_for_job() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [&] { return closing_ || !queue_.empty(); });
  return queue_.empty() ? nullptr : pop();
}

std::unique_ptr<WriteJob> GroupWriter::take_job() {
  std::lock_guard lock(mutex_);
  return queue_.empty() ? nullptr : pop();
}

void GroupWriter::run_group(std::unique_ptr<WriteJob> first) {
  Group group;
  std::exception_ptr error;
  {
    std::lock_guard lock(mutex_);
    error = broken_;
  }
  run_jobs(std::move(first), group, error);
  if (!error) {
    try {
      const bool disk = std::any_of(group.begin(), group.end(), [](const Member& member) {
        return member.job->durability() == Durability::kDisk;
      });
      backend_.commit(disk ? Durability::kDisk : Durability::kProcess);
    } catch (...) {
      error = std::current_exception();
    }
  }
  if (error) {
    backend_.rollback();
  } else {
    hand_to_sync(group);
  }
  answer(group, error);
}

// Fills the group with the jobs that it ran, or that it took along when it was lost.
void GroupWriter::run_jobs(std::unique_ptr<WriteJob> first, Group& group,
                           std::exception_ptr& error) {
  const double end = env_.steady_seconds() + static_cast<double>(limits_.group_time_ms) / 1000;
  try {
    if (!error) backend_.begin();
  } catch (...) {
    error = std::current_exception();
  }
  bool clean = true;  // nothing of a job stands in the transaction
  for (std::unique_ptr<WriteJob> job = std::move(first); job; job = take_job()) {
    Member member{std::move(job), nullptr};
    if (!error && !run_job(member, clean)) error = member.error;
    clean = clean && member.error;
    group.push_back(std::move(member));
    if (group.size() >= limits_.group_jobs_max || env_.steady_seconds() >= end) break;
  }
}

bool GroupWriter::run_job(Member& member, bool clean) {
  try {
    if (!clean) backend_.savepoint();
    member.job->run(backend_.transaction());
    backend_.check_job();
    if (!clean) backend_.release();
    return true;
  } catch (...) {
    member.error = std::current_exception();
  }
  try {
    if (clean) {
      backend_.rollback();
      backend_.begin();
      return true;
    }
    if (!backend_.in_transaction()) return false;
    backend_.rollback_to_savepoint();
    return true;
  } catch (...) {
    member.error = std::current_exception();
    return false;
  }
}

// Takes the kDisk jobs out of a group that was committed. One that failed waits too: what it found
// wrong may rest on a row that is not on the disk yet.
void GroupWriter::hand_to_sync(Group& group) {
  auto disk = std::stable_partition(group.begin(), group.end(), [](const Member& member) {
    return member.job->durability() == Durability::kProcess;
  });
  {
    std::lock_guard lock(mutex_);
    ++statistics_.groups;
    if (disk == group.end()) return;
    std::move(disk, group.end(), std::back_inserter(unsynced_));
  }
  group.erase(disk, group.end());
  committed_.notify_one();
}

void GroupWriter::sync() {
  while (true) {
    Group group;
    std::exception_ptr error;
    {
      std::unique_lock lock(mutex_);
      committed_.wait(lock, [&] { return written_ || !unsynced_.empty(); });
      if (unsynced_.empty()) return;
      group.swap(unsynced_);
      being_synced_ = group.size();
      error = broken_;
    }
    try {
      if (!error) backend_.sync();
    } catch (...) {
      error = std::current_exception();
    }
    {
      std::lock_guard lock(mutex_);
      being_synced_ = 0;
      broken_ = error;
      if (!error) ++statistics_.disk_groups;
    }
    answer(group, error);
  }
}

void GroupWriter::answer(Group& group, const std::exception_ptr& error) {
  uint64_t failed = 0;
  for (const Member& member : group) failed += error || member.error ? 1 : 0;
  {
    std::lock_guard lock(mutex_);
    statistics_.jobs += group.size() - failed;
    statistics_.jobs_failed += failed;
  }
  // What a job found wrong may rest on what the group did: if the group is lost, so is its judgement.
  for (Member& member : group) member.job->answer(error ? error : member.error);
}

}  // namespace hone::store
