#include "api/completion_writer.h"

#include <chrono>
#include <utility>

#include "label/feedback.h"
#include "label/sampling_rules.h"

namespace hone::api {
namespace {

constexpr std::chrono::seconds kSweepEvery{60};
constexpr int64_t kDroppedAtOnce = 500;

}  // namespace

CompletionWriter::CompletionWriter(Env& env, feedback::KeptCompletions& kept, Ports ports)
    : env_(env), kept_(kept), ports_(std::move(ports)), thread_([this] { run(); }) {}

CompletionWriter::~CompletionWriter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CompletionWriter::push(feedback::KeptPointer completion) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() == kWaitingMax) {
      ++dropped_;
      return;
    }
    waiting_.push_back(std::move(completion));
  }
  changed_.notify_all();
}

void CompletionWriter::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.empty() && !writing_; });
}

uint64_t CompletionWriter::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void CompletionWriter::run() {
  auto next_sweep = std::chrono::steady_clock::now() + kSweepEvery;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait_until(lock, next_sweep, [&] { return ending_ || !waiting_.empty(); });
    std::vector<feedback::KeptPointer> group;
    while (!waiting_.empty() && group.size() < kGroupMax &&
           (group.empty() || group[0]->head.organisation == waiting_.front()->head.organisation)) {
      group.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    if (group.empty() && ending_) return;
    writing_ = true;
    lock.unlock();
    if (!group.empty()) write_group(std::move(group));
    if (std::chrono::steady_clock::now() >= next_sweep) {
      sweep();
      next_sweep = std::chrono::steady_clock::now() + kSweepEvery;
    }
    lock.lock();
    writing_ = false;
    changed_.notify_all();
  }
}

void CompletionWriter::write_group(std::vector<feedback::KeptPointer> group) {
  try {
    label::Organisation& organisation = ports_.organisation(group[0]->head.organisation);
    organisation.write(store::Durability::kProcess, [&](store::Transaction& tx) {
      for (const feedback::KeptPointer& each : group) {
        label::store_completion(tx, *each);
        label::Occasion occasion;
        for (size_t i = 0; i < each->choices.size(); ++i) {
          occasion.answers.push_back(each->answer(i));
        }
        label::sample(organisation, tx, occasion);
      }
    });
  } catch (const Error&) {
    // The answers were given; that the disk is full or an organisation broken is told where people write.
    const std::lock_guard lock(mutex_);
    dropped_ += group.size();
  }
}

void CompletionWriter::sweep() {
  kept_.sweep();
  const int64_t before_ms = env_.now_ms() - kept_.options().keep_ms;
  for (label::Organisation* organisation : ports_.open_organisations()) {
    try {
      int64_t went = kDroppedAtOnce;
      while (went == kDroppedAtOnce) {
        went = organisation->write(store::Durability::kProcess, [&](store::Transaction& tx) {
          return label::drop_completions(tx, before_ms, kDroppedAtOnce);
        });
      }
    } catch (const Error&) {
      // Tried again in a minute.
    }
  }
}

}  // namespace hone::api
