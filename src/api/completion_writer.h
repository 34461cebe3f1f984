#pragma once
// The one that writes completions whose request consented ("store": true) into their organisation's
// database and lets the sampling rules look at them, away from the thread that serves; and the one
// that sweeps what is older than completions are kept, in memory and on the disk.
//
// Bounds: kWaitingMax wait; more are dropped and counted (they stay in memory as every other does). A
// group is at most kGroupMax of one organisation in one transaction (Durability::kProcess: what nobody
// judged yet may go with the power).
//
// Any thread. Ends with its destructor, which writes what waits.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/env.h"
#include "feedback/kept_completions.h"
#include "label/organisation.h"

namespace hone::api {

class CompletionWriter {
 public:
  static constexpr size_t kWaitingMax = 1024;
  static constexpr size_t kGroupMax = 64;
  struct Ports {
    std::function<label::Organisation&(const std::string& id)> organisation;
    std::function<std::vector<label::Organisation*>()> open_organisations;
  };

  CompletionWriter(Env& env, feedback::KeptCompletions& kept, Ports ports);
  ~CompletionWriter();
  CompletionWriter(const CompletionWriter&) = delete;
  CompletionWriter& operator=(const CompletionWriter&) = delete;

  void push(feedback::KeptPointer completion);
  // Returns when what was pushed before is written.
  void flush();
  uint64_t dropped() const;

 private:
  void run();
  void write_group(std::vector<feedback::KeptPointer> group);
  void sweep();

  Env& env_;
  feedback::KeptCompletions& kept_;
  const Ports ports_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::deque<feedback::KeptPointer> waiting_;
  bool writing_ = false, ending_ = false;
  uint64_t dropped_ = 0;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace hone::api
