#include "base/thread_pool.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/cpu_limits.h"
#include "base/error.h"

namespace hone {
namespace {

constexpr size_t kMostThreads = 4096;

using Clock = std::chrono::steady_clock;
constexpr auto kSpin = std::chrono::microseconds(50);
// Unpinned threads only (pinned ones give way instead, and a parked one lets the system pull the
// neighbour over to its core). A wait this much longer than two of the caller's own tasks: somebody
// else is on our cores.
constexpr auto kSuspicious = std::chrono::microseconds(150);
// Then spinning is left out for so many joins: few after a single such wait, four times as many each
// time another follows soon. A wait that was parked says nothing: waking a core can take as long.
constexpr uint32_t kFewestWithoutSpin = 64, kMostWithoutSpin = 2048;
constexpr uint32_t kSoon = 512;  // joins

// A core shared with somebody else: the system stops a thread in the middle of a task, and all wait
// for that task. So a thread that was stopped gives its core away itself, between tasks, before its
// turn is over, and the others do its share meanwhile.
constexpr auto kLongTask = std::chrono::microseconds(400);  // long enough to have been stopped
constexpr auto kTurn = std::chrono::milliseconds(2);        // of a thread before it gives way
constexpr auto kNobodyWaited = std::chrono::microseconds(100);
constexpr int kCalmTurns = 3;  // so many times nobody waited: the core is ours again
constexpr auto kBetweenSwaps = std::chrono::milliseconds(20);

// How often the system took the core from this thread.
long times_stopped() {
  rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

void pause_core() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until done() or the time is over; says whether it is done.
template <typename Done>
bool spin_until(const Done& done) {
  Clock::time_point start = Clock::now();
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      pause_core();
    }
  } while (Clock::now() - start < kSpin);
  return false;
}

// A word to sleep on. A sleeper reads it, says that it sleeps, looks at its condition once more and
// sleeps only while the word is what it read; a waker changes the condition first.
class Bell {
 public:
  uint32_t read() const { return word_.load(); }
  void sleep_while(uint32_t value) {
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word_), FUTEX_WAIT_PRIVATE, value, nullptr,
            nullptr, 0);
  }
  void ring() {
    word_.fetch_add(1);
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word_), FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr,
            nullptr, 0);
  }

 private:
  static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
  std::atomic<uint32_t> word_{0};
};

// The tasks that are left of one thread's share: begin in the low half, end in the high half of one
// word, so that the owner (from below) and a thief (from above) never take the same task.
class alignas(64) Share {
 public:
  void set(uint64_t begin, uint64_t end) {
    word_.store(end << 32 | begin, std::memory_order_relaxed);
  }

  bool take_first(size_t& task) {
    uint64_t word = word_.load(std::memory_order_relaxed);
    while (begin_of(word) < end_of(word)) {
      if (word_.compare_exchange_weak(word, word + 1, std::memory_order_relaxed)) {
        task = begin_of(word);
        return true;
      }
    }
    return false;
  }
  bool take_last(size_t& task) {
    uint64_t word = word_.load(std::memory_order_relaxed);
    while (begin_of(word) < end_of(word)) {
      if (word_.compare_exchange_weak(word, word - (uint64_t{1} << 32),
                                      std::memory_order_relaxed)) {
        task = end_of(word) - 1;
        return true;
      }
    }
    return false;
  }

 private:
  static uint64_t begin_of(uint64_t word) { return word & 0xFFFFFFFFu; }
  static uint64_t end_of(uint64_t word) { return word >> 32; }
  std::atomic<uint64_t> word_{0};
};

}  // namespace

// What a thread knows of the core that it is on. Written by its thread; shared() is read by the
// caller too.
class CoreWatch {
 public:
  bool shared() const { return shared_.load(std::memory_order_relaxed); }
  void set_shared(bool shared, Clock::time_point now) {
    shared_.store(shared, std::memory_order_relaxed);
    turn_began_ = now;
    calm_turns_ = 0;
  }

  void begin(Clock::time_point now) { last_ = now; }
  // After a task: one much longer than those before it, in which the system took the core away?
  void task_ended() {
    const Clock::time_point now = Clock::now();
    const Clock::duration length = now - last_;
    if (length > kLongTask + 2 * usual_) {
      const long stopped = times_stopped();
      if (stopped != stopped_) set_shared(true, now);
      stopped_ = stopped;
    }
    usual_ = std::max(std::min(length, usual_ + kLongTask), usual_ - usual_ / 8);
    last_ = now;
  }
  bool turn_is_over() const { return shared() && last_ - turn_began_ > kTurn; }

  // Outside of any job.
  void give_way() {
    const Clock::time_point before = Clock::now();
    sched_yield();
    const Clock::time_point after = Clock::now();
    calm_turns_ = after - before < kNobodyWaited ? calm_turns_ + 1 : 0;
    if (calm_turns_ >= kCalmTurns) set_shared(false, after);
    turn_began_ = after;
    stopped_ = times_stopped();
  }

 private:
  std::atomic<bool> shared_{false};
  Clock::time_point last_, turn_began_;
  Clock::duration usual_{0};  // the longest of the last tasks, or about
  long stopped_ = 0;
  int calm_turns_ = 0;
};

// The gate is one word: job number, kOpen, kCallerSleeps, and how many workers are inside.
// A worker enters by adding itself while the gate is open; the caller closes it when nothing is left
// to take and waits until nobody is inside. So a worker that the system has not given a core is not
// waited for: it never entered. Everything else about a job is written only while the gate is closed
// and empty, and read only by those who entered; the gate's order makes that free of data races.
struct ThreadPool::State {
  static constexpr uint64_t kInside = 0xFFFF;
  static constexpr uint64_t kOpen = 1 << 16;
  static constexpr uint64_t kCallerSleeps = 1 << 17;
  static constexpr uint64_t kNextJob = 1 << 18;

  explicit State(size_t threads)
      : cores(allowed_cores()),
        pinned(threads > 1 && threads == cores.size()),
        may_spin(threads <= usable_cores()),
        watches(threads),
        core_of(threads),
        thread_ids(threads),
        shares(threads) {
    for (size_t i = 0; i < threads; ++i) core_of[i] = i;
  }

  void pin(pid_t id, size_t thread) const {
    if (pinned) run_on_cores(id, {cores[core_of[thread]]});
  }

  // The caller starts every job: on a shared core it changes places with a worker that has its own.
  void leave_shared_core() {
    const Clock::time_point now = Clock::now();
    if (now - last_swap < kBetweenSwaps) return;
    for (size_t i = 1; i < watches.size(); ++i) {
      const pid_t id = thread_ids[i].load(std::memory_order_acquire);
      if (id == 0 || watches[i].shared()) continue;
      std::swap(core_of[0], core_of[i]);
      pin(0, 0);
      pin(id, i);
      watches[0].set_shared(false, now);
      last_swap = now;
      return;
    }
  }

  bool spins() const { return may_spin && joins_without_spin.load(std::memory_order_relaxed) == 0; }

  // Returns how many tasks this thread ran. A worker whose turn is over leaves the rest to others;
  // the caller never does: somebody must finish.
  size_t work(size_t thread) {
    size_t task = 0, count = 0;
    CoreWatch& watch = watches[thread];
    if (pinned) watch.begin(Clock::now());
    const auto goes_on = [&] {
      ++count;
      if (!run_task(task, thread)) return false;
      if (!pinned) return true;
      watch.task_ended();
      return thread == 0 || !watch.turn_is_over();
    };
    while (shares[thread].take_first(task)) {
      if (!goes_on()) return count;
    }
    for (size_t next = 1; next < shares.size(); ++next) {
      Share& victim = shares[(thread + next) % shares.size()];
      while (victim.take_last(task)) {
        if (!goes_on()) return count;
      }
    }
    return count;
  }

  bool run_task(size_t task, size_t thread) {
    if (failed.load(std::memory_order_relaxed)) return false;
    try {
      call(body, task, thread);
      return true;
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
      return false;
    }
  }

  void worker(size_t thread) {
    pin(0, thread);
    thread_ids[thread].store(static_cast<pid_t>(syscall(SYS_gettid)), std::memory_order_release);
    uint64_t seen = 0;
    while (!ending.load()) {
      if (watches[thread].turn_is_over()) watches[thread].give_way();
      uint64_t now = gate.load();
      if ((now & kOpen) != 0 && now / kNextJob != seen) {
        if (!gate.compare_exchange_weak(now, now + 1)) continue;
        work(thread);
        // Back to the same job after giving way, if something is left of it then.
        seen = now / kNextJob - (watches[thread].turn_is_over() ? 1 : 0);
        uint64_t before = gate.fetch_sub(1);
        if ((before & (kCallerSleeps | kInside)) == (kCallerSleeps | 1)) caller_bell.ring();
      } else {
        wait_for_job(seen);
      }
    }
  }

  void wait_for_job(uint64_t seen) {
    auto called = [&] {
      uint64_t now = gate.load();
      return ((now & kOpen) != 0 && now / kNextJob != seen) || ending.load();
    };
    if (spins() && spin_until(called)) return;
    uint32_t word = worker_bell.read();
    sleepers.fetch_add(1);
    if (!called()) worker_bell.sleep_while(word);
    sleepers.fetch_sub(1);
  }

  void wake_workers() {
    if (sleepers.load() > 0) worker_bell.ring();
  }

  // Closes the gate and waits for those inside. began, count: the caller's own work on this job.
  void join(Clock::time_point began, size_t count) {
    const uint32_t left = joins_without_spin.load(std::memory_order_relaxed);
    if (left > 0) {
      joins_without_spin.store(left - 1, std::memory_order_relaxed);
    } else {
      ++joins_with_spin;
    }
    auto empty = [&] { return (gate.load() & kInside) == 0; };
    if ((gate.fetch_and(~kOpen) & kInside) == 0) return;

    Clock::time_point start = Clock::now();
    if (!(spins() && spin_until(empty))) {
      gate.fetch_or(kCallerSleeps);
      while (true) {
        uint32_t word = caller_bell.read();
        if (empty()) break;
        caller_bell.sleep_while(word);
      }
      gate.fetch_and(~kCallerSleeps);
    }
    const auto mean_task = (start - began) / static_cast<int64_t>(std::max<size_t>(count, 1));
    if (!pinned && left == 0 && Clock::now() - start > kSuspicious + 2 * mean_task) {
      pause = joins_with_spin > kSoon ? kFewestWithoutSpin
                                      : std::clamp(4 * pause, kFewestWithoutSpin, kMostWithoutSpin);
      joins_with_spin = 0;
      joins_without_spin.store(pause, std::memory_order_relaxed);
    }
  }

  // Constant after construction.
  const std::vector<size_t> cores;
  const bool pinned;
  const bool may_spin;

  // Written by the caller while the gate is closed and empty.
  const void* body = nullptr;
  Call call = nullptr;
  std::thread::id caller;       // who was pinned as thread 0; touched by the caller alone
  Clock::time_point last_swap;  // likewise
  uint32_t joins_with_spin = 0,
           pause = 0;  // caller only: since the last suspicious wait; its price

  // The gate's neighbours on a line of their own: workers read it while they spin.
  alignas(64) std::atomic<uint64_t> gate{0};
  alignas(64) std::atomic<uint32_t> sleepers{0};
  std::atomic<uint32_t> joins_without_spin{0};
  std::atomic<bool> ending{false};
  std::atomic<bool> running{false};
  Bell worker_bell;
  Bell caller_bell;

  alignas(64) std::atomic<bool> failed{false};
  std::exception_ptr error;  // written by the one thread that set failed, read after the join

  std::vector<CoreWatch> watches;
  std::vector<size_t> core_of;  // thread -> index into cores; changed by the caller alone
  std::vector<std::atomic<pid_t>> thread_ids;
  std::vector<Share> shares;
  std::vector<std::thread> workers;
};

ThreadPool::ThreadPool(size_t threads) {
  if (threads == 0) threads = usable_cores();
  if (threads > kMostThreads) {
    throw invalid_input(std::to_string(threads) + " threads are more than the bound of " +
                        std::to_string(kMostThreads) + "; 0 takes every core there is");
  }
  state_ = std::make_unique<State>(threads);
  for (size_t i = 1; i < threads; ++i) {
    state_->workers.emplace_back([state = state_.get(), i] { state->worker(i); });
  }
}

ThreadPool::~ThreadPool() {
  state_->ending.store(true);
  state_->worker_bell.ring();
  for (std::thread& worker : state_->workers) worker.join();
  if (state_->pinned && state_->caller == std::this_thread::get_id()) {
    run_on_cores(0, state_->cores);
  }
}

size_t ThreadPool::size() const { return state_->shares.size(); }

void ThreadPool::run_erased(size_t tasks, const void* body, Call call) {
  State& state = *state_;
  HONE_CHECK(tasks < (uint64_t{1} << 32));
  HONE_CHECK(!state.running.exchange(true, std::memory_order_relaxed));  // body must not call run()
  struct Finish {
    State& state;
    ~Finish() { state.running.store(false, std::memory_order_relaxed); }
  } finish{state};

  if (state.pinned && state.caller != std::this_thread::get_id()) {
    state.caller = std::this_thread::get_id();
    state.pin(0, 0);
  }
  if (tasks <= 1 || size() == 1) {
    for (size_t task = 0; task < tasks; ++task) call(body, task, 0);
    return;
  }

  if (state.watches[0].shared()) state.leave_shared_core();

  state.body = body;
  state.call = call;
  state.failed.store(false, std::memory_order_relaxed);
  size_t threads = size();
  for (size_t i = 0; i < threads; ++i) {
    state.shares[i].set(tasks * i / threads, tasks * (i + 1) / threads);
  }
  uint64_t job = state.gate.load(std::memory_order_relaxed) / State::kNextJob + 1;
  state.gate.store(job * State::kNextJob | State::kOpen);
  state.wake_workers();
  const Clock::time_point began = Clock::now();
  const size_t count = state.work(0);
  state.join(began, count);
  if (state.error) std::rethrow_exception(std::exchange(state.error, nullptr));
}

}  // namespace hone
