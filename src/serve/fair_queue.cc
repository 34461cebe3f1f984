#include "serve/fair_queue.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hone::serve {

void FairQueue::push(const std::string& key, double weight, int priority, uint64_t cost,
                     Ticket ticket) {
  Ring& ring = rings_[priority];
  auto queue = std::find_if(ring.queues.begin(), ring.queues.end(),
                            [&](const Queue& q) { return q.key == key; });
  if (queue == ring.queues.end()) {
    // At the end of the round, with a round's worth: it is served when the turn comes.
    queue = ring.queues.insert(ring.queues.end(), Queue{key, 1, 0, {}});
    queue->credit = kRoundTokens * kLeastWeight;
  }
  queue->weight = std::isnan(weight) ? 1 : std::clamp(weight, kLeastWeight, kMostWeight);
  cost = std::max<uint64_t>(cost, 1);
  queue->waiting.push_back({ticket, cost});
  ++ring.size;
  ++size_;
  waiting_tokens_ += cost;
}

// Rounds in which everybody who waits stays in debt, all at once.
void FairQueue::skip_rounds(Ring& ring) {
  double least = std::numeric_limits<double>::infinity();
  for (const Queue& queue : ring.queues) {
    if (queue.waiting.empty()) continue;
    if (queue.credit > 0) return;
    least = std::min(least, std::floor(-queue.credit / (kRoundTokens * queue.weight)));
  }
  for (Queue& queue : ring.queues) {
    queue.credit =
        std::min(queue.credit + least * kRoundTokens * queue.weight, kRoundTokens * kLeastWeight);
  }
}

std::optional<FairQueue::Waiting> FairQueue::pop_from(Ring& ring) {
  if (ring.size == 0) return std::nullopt;
  skip_rounds(ring);
  while (true) {
    auto queue = ring.queues.begin();
    if (queue->credit > 0 && !queue->waiting.empty()) {
      const Waiting next = queue->waiting.front();
      queue->waiting.pop_front();
      queue->credit -= static_cast<double>(next.cost);
      --ring.size;
      return next;
    }
    // Credit is not saved up: whoever has nothing to send has no claim to more later.
    queue->credit =
        std::min(queue->credit + kRoundTokens * queue->weight, kRoundTokens * queue->weight);
    if (queue->waiting.empty() && queue->credit > 0) {
      ring.queues.pop_front();
    } else {
      ring.queues.splice(ring.queues.end(), ring.queues, queue);
    }
  }
}

std::optional<FairQueue::Ticket> FairQueue::pop() {
  for (auto& [priority, ring] : rings_) {
    const std::optional<Waiting> next = pop_from(ring);
    if (!next) continue;
    --size_;
    waiting_tokens_ -= next->cost;
    if (size_ == 0) rings_.clear();  // nobody waits: debts are forgiven
    return next->ticket;
  }
  return std::nullopt;
}

bool FairQueue::remove(Ticket ticket) {
  for (auto& [priority, ring] : rings_) {
    for (Queue& queue : ring.queues) {
      const auto at = std::find_if(queue.waiting.begin(), queue.waiting.end(),
                                   [&](const Waiting& w) { return w.ticket == ticket; });
      if (at == queue.waiting.end()) continue;
      waiting_tokens_ -= at->cost;
      queue.waiting.erase(at);
      --ring.size;
      if (--size_ == 0) rings_.clear();
      return true;
    }
  }
  return false;
}

size_t FairQueue::size_of(std::string_view key) const {
  size_t count = 0;
  for (const auto& [priority, ring] : rings_) {
    for (const Queue& queue : ring.queues) {
      if (queue.key == key) count += queue.waiting.size();
    }
  }
  return count;
}

}  // namespace hone::serve
