#pragma once
// One thread that waits for many sockets (epoll, edge-triggered) and runs what others hand it.
// Why not Asio: docs/decisions/0008-epoll-under-http.md.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace hone::http {

class EventLoop {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_events(uint32_t epoll_events) = 0;  // on the loop's thread
  };
  static constexpr int kTickMs = 100;

  EventLoop();  // throws unavailable when the system has no more descriptors
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs on the calling thread until stop(); on_tick about every kTickMs.
  void run(const std::function<void()>& on_tick);
  void stop();  // any thread
  // Any thread; runs on the loop's thread, in order. Dropped once the loop has stopped.
  void post(std::function<void()> task);
  bool on_loop_thread() const { return thread_.load() == std::this_thread::get_id(); }

  // False when the system refuses. The listener must live until remove() and the end of the batch
  // of events: give it to retire().
  bool add(int fd, Listener* listener, bool edge_triggered);
  void remove(int fd);
  void retire(std::shared_ptr<void> listener) { retired_.push_back(std::move(listener)); }

 private:
  bool run_tasks();
  void wait(int timeout_ms);

  int epoll_ = -1;
  int wake_ = -1;
  std::atomic<std::thread::id> thread_;
  // Touched by the loop's thread.
  std::vector<std::shared_ptr<void>> retired_;
  std::vector<std::function<void()>> running_;
  bool stop_ = false;

  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<std::function<void()>> tasks_;
  bool stopped_ = false;
};

}  // namespace hone::http
