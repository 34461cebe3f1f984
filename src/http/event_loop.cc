#include "http/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>

#include "base/error.h"

namespace hone::http {
namespace {

int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

EventLoop::EventLoop() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || wake_ < 0 || !add(wake_, nullptr, false)) {
    throw Error(ErrorCode::kUnavailable,
                "the system gives no more file descriptors; raise the limit (ulimit -n)");
  }
}

EventLoop::~EventLoop() {
  if (wake_ >= 0) ::close(wake_);
  if (epoll_ >= 0) ::close(epoll_);
}

bool EventLoop::add(int fd, Listener* listener, bool edge_triggered) {
  epoll_event event{};
  event.events = edge_triggered ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET : EPOLLIN;
  event.data.ptr = listener;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventLoop::remove(int fd) {
  epoll_event event{};
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &event);
}

void EventLoop::post(std::function<void()> task) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    wake = tasks_.empty();
    tasks_.push_back(std::move(task));
  }
  // The loop's own thread looks at its tasks before it waits.
  if (wake && !on_loop_thread()) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof(one));
  }
}

void EventLoop::stop() {
  post([this] { stop_ = true; });
}

bool EventLoop::run_tasks() {
  {
    const std::lock_guard lock(mutex_);
    running_.swap(tasks_);
  }
  const bool any = !running_.empty();
  for (auto& task : running_) task();
  running_.clear();
  return any;
}

void EventLoop::wait(int timeout_ms) {
  epoll_event events[256];
  const int n = epoll_wait(epoll_, events, 256, timeout_ms);
  for (int i = 0; i < n; ++i) {
    if (events[i].data.ptr == nullptr) {
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = ::read(wake_, &count, sizeof(count));
    } else {
      static_cast<Listener*>(events[i].data.ptr)->on_events(events[i].events);
    }
  }
  retired_.clear();
}

void EventLoop::run(const std::function<void()>& on_tick) {
  thread_.store(std::this_thread::get_id());
  int64_t next_tick_ms = steady_ms() + kTickMs;
  while (!stop_) {
    const bool ran = run_tasks();
    const int64_t left_ms = next_tick_ms - steady_ms();
    if (left_ms <= 0) {
      on_tick();
      next_tick_ms = steady_ms() + kTickMs;
    }
    // After tasks ran there may be new ones of our own: look, do not sleep.
    wait(ran || left_ms <= 0 ? 0 : static_cast<int>(left_ms));
  }
  std::vector<std::function<void()>> dropped;  // their ends may post: not under the lock
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  dropped.swap(tasks_);
}

}  // namespace hone::http
