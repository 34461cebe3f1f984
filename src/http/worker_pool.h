#pragma once
// Threads that run tasks which may block, with a bounded queue before them. Threads are started as
// they are needed and stay.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hone::http {

class WorkerPool {
 public:
  WorkerPool(size_t max_threads, size_t max_queue)
      : max_threads_(max_threads), max_queue_(max_queue) {}
  ~WorkerPool() { stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False when every thread works and max_queue tasks wait, or the pool has stopped. Tasks must not
  // throw.
  bool try_post(std::function<void()> task);
  // Runs what waits, then joins. Not from a task.
  void stop();
  size_t queued() const;
  size_t busy() const;

 private:
  void work();

  const size_t max_threads_;
  const size_t max_queue_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  // Guarded by mutex_.
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  size_t busy_ = 0;
  bool stopped_ = false;
};

}  // namespace hone::http
