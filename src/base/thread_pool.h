#pragma once
// The one pool. Fork-join over numbered tasks; which thread runs a task is free, what a task
// computes must not depend on it (docs/numerics.md).
//
// Each thread owns a contiguous half (1/N) of the tasks and walks it upwards; when it is done it
// steals from the far end of another's. The caller is thread 0. When the threads fill the process's
// affinity mask each is pinned to a core (the caller too, from its first run() until the pool ends;
// threads and processes that it starts meanwhile inherit its core: start them under OnAllCores of
// base/cpu_limits.h, before, or from another thread);
// otherwise they are left unpinned. A worker that gets no core is not waited for: the others take its
// share. Waiting spins for a few tens of microseconds, then parks. A busy neighbour costs its share
// and little more (kernels.md section 4): a thread that the system stopped in the middle of a task
// gives its core away between tasks from then on, the caller changes cores with a worker that has
// one to itself, and unpinned threads leave out spinning for a while after a wait so long that
// somebody else must be on our cores.
//
// Thread rule: run() may be called from one thread at a time; body must not call run().
// An exception in body is rethrown by run() after all threads have stopped (one of them, if many).

#include <cstddef>
#include <memory>
#include <type_traits>

namespace hone {

class ThreadPool {
 public:
  // 0 = as many as the process may use (affinity mask and cgroup quota).
  // 0: one for every core that the process may use. Throws invalid_input above 4096.
  explicit ThreadPool(size_t threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t size() const;

  // body(task, thread) for every task in [0, tasks), thread in [0, size()).
  template <typename Body>
  void run(size_t tasks, const Body& body) {
    run_erased(tasks, &body, [](const void* b, size_t task, size_t thread) {
      (*static_cast<const Body*>(b))(task, thread);
    });
  }

 private:
  using Call = void (*)(const void* body, size_t task, size_t thread);
  void run_erased(size_t tasks, const void* body, Call call);

  struct State;
  std::unique_ptr<State> state_;
};

// Cores that this process may use: affinity mask, cut by the cgroup's CPU quota.
size_t usable_cores();

}  // namespace hone
