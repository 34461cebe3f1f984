#include "store/group_writer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace hone::store {

GroupWriter::GroupWriter(GroupBackend& backend, const GroupLimits& limits, Env& env)
    : backend_(backend), limits_(limits), env_(env), thread_([this] { run(); }) {}

GroupWriter::~GroupWriter() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  arrived_.notify_one();
  thread_.join();
}

void GroupWriter::enqueue(std::unique_ptr<WriteJob> job) {
  {
    std::lock_guard lock(mutex_);
    HONE_CHECK(!closing_);
    if (queue_.size() >= limits_.queue_jobs_max) {
      throw Error(ErrorCode::kBusy, "too many changes wait to be saved; try again in a moment",
                  std::to_string(queue_.size()) + " write jobs wait");
    }
    if (job->durability() == Durability::kDisk) ++disk_jobs_waiting_;
    queue_.push_back(std::move(job));
  }
  arrived_.notify_one();
}

WriteStatistics GroupWriter::statistics() const {
  std::lock_guard lock(mutex_);
  WriteStatistics now = statistics_;
  now.waiting = queue_.size();
  return now;
}

void GroupWriter::run() {
  while (std::unique_ptr<WriteJob> first = wait_for_job()) run_group(std::move(first));
}

std::unique_ptr<WriteJob> GroupWriter::pop() {
  std::unique_ptr<WriteJob> job = std::move(queue_.front());
  queue_.pop_front();
  if (job->durability() == Durability::kDisk) --disk_jobs_waiting_;
  return job;
}

std::unique_ptr<WriteJob> GroupWriter::wait_for_job() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [&] { return closing_ || !queue_.empty(); });
  return queue_.empty() ? nullptr : pop();
}

std::unique_ptr<WriteJob> GroupWriter::take_job(Durability durability) {
  std::lock_guard lock(mutex_);
  if (queue_.empty()) return nullptr;
  if (queue_.front()->durability() == Durability::kDisk && durability != Durability::kDisk) {
    return nullptr;
  }
  return pop();
}

// Of the group that this job begins: one kDisk job among those that wait makes the group kDisk.
Durability GroupWriter::durability_with(const WriteJob& first) const {
  if (first.durability() == Durability::kDisk) return Durability::kDisk;
  std::lock_guard lock(mutex_);
  return disk_jobs_waiting_ > 0 ? Durability::kDisk : Durability::kProcess;
}

void GroupWriter::run_group(std::unique_ptr<WriteJob> first) {
  const Durability durability = durability_with(*first);
  const double end = env_.steady_seconds() + static_cast<double>(limits_.group_time_ms) / 1000;
  std::vector<Member> group;
  std::exception_ptr error;
  try {
    backend_.begin(durability);
  } catch (...) {
    error = std::current_exception();
  }
  bool open = !error;
  bool clean = true;  // nothing of a job stands in the transaction
  for (std::unique_ptr<WriteJob> job = std::move(first); job; job = take_job(durability)) {
    Member member{std::move(job), nullptr};
    if (open && !run_job(member, clean, durability)) {
      error = member.error;
      open = false;
    }
    clean = clean && member.error;
    group.push_back(std::move(member));
    if (group.size() >= limits_.group_jobs_max || env_.steady_seconds() >= end) break;
  }
  if (open) {
    try {
      backend_.commit();
    } catch (...) {
      error = std::current_exception();
    }
  }
  if (error) backend_.rollback();
  answer(group, durability, error);
}

bool GroupWriter::run_job(Member& member, bool clean, Durability durability) {
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
      backend_.begin(durability);
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

void GroupWriter::answer(std::vector<Member>& group, Durability durability,
                         const std::exception_ptr& error) {
  uint64_t failed = 0;
  for (const Member& member : group) failed += error || member.error ? 1 : 0;
  {
    std::lock_guard lock(mutex_);
    statistics_.jobs += group.size() - failed;
    statistics_.jobs_failed += failed;
    if (!error) {
      ++statistics_.groups;
      if (durability == Durability::kDisk) ++statistics_.disk_groups;
    }
  }
  // What a job found wrong may rest on what the group did: if the group is lost, so is its judgement.
  for (Member& member : group) member.job->answer(error ? error : member.error);
}

}  // namespace hone::store
