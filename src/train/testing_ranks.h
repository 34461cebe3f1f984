#pragma once
// Ranks in one process, for tests: a thread each, which meet where MPI's ranks would.

#include <condition_variable>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "train/communicator.h"

namespace hone::train::testing {

// Where the threads meet; once one has failed nobody waits any more.
class Meeting {
 public:
  explicit Meeting(size_t size) : size_(size), brought_(size) {}
  size_t size() const { return size_; }

  std::vector<std::string> exchange(size_t rank, std::string bytes) {
    std::unique_lock lock(mutex_);
    brought_[rank] = std::move(bytes);
    const size_t round = round_;
    if (++arrived_ == size_) {
      taken_ = brought_;
      arrived_ = 0;
      ++round_;
      changed_.notify_all();
    } else {
      changed_.wait(lock, [&] { return round_ != round || broken_; });
    }
    if (round_ == round) throw Error(ErrorCode::kUnavailable, "another rank is gone");
    return taken_;
  }
  void break_up() {
    const std::scoped_lock lock(mutex_);
    broken_ = true;
    changed_.notify_all();
  }

 private:
  const size_t size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> brought_, taken_;
  size_t arrived_ = 0, round_ = 0;
  bool broken_ = false;
};

class ThreadRank : public Communicator {
 public:
  ThreadRank(Meeting& meeting, size_t rank) : meeting_(meeting), rank_(rank) {}
  size_t rank() const override { return rank_; }
  size_t size() const override { return meeting_.size(); }

  void sum(std::span<int64_t> values) override {
    std::string mine(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    const auto all = meeting_.exchange(rank_, std::move(mine));
    std::fill(values.begin(), values.end(), 0);
    for (const std::string& bytes : all) {
      for (size_t i = 0; i < values.size(); ++i) {
        int64_t value;
        std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
        values[i] += value;
      }
    }
  }
  std::string broadcast(std::string bytes) override {
    return meeting_.exchange(rank_, std::move(bytes))[0];
  }
  std::vector<std::string> gather(std::string bytes) override {
    return meeting_.exchange(rank_, std::move(bytes));
  }

 private:
  Meeting& meeting_;
  size_t rank_;
};

// Runs `work` on so many ranks; the errors that they ended with, empty for none.
inline std::vector<std::string> on_ranks(size_t size,
                                         const std::function<void(Communicator&)>& work) {
  Meeting meeting(size);
  std::vector<std::string> errors(size);
  std::vector<std::jthread> threads;
  for (size_t r = 0; r < size; ++r) {
    threads.emplace_back([&, r] {
      ThreadRank rank(meeting, r);
      try {
        work(rank);
      } catch (const Error& error) {
        errors[r] = error.message();
        meeting.break_up();
      }
    });
  }
  threads.clear();  // joins
  return errors;
}

}  // namespace hone::train::testing
