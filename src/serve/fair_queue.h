#pragma once
// Whose turn it is, among keys that share one model: deficit round robin (Shreedhar and Varghese,
// 1995) whose deficit may go below zero. Each key has a queue and a credit in tokens. The turn goes
// round; a key with credit hands over its first request and pays its cost, a key in debt gets its
// round's worth, kRoundTokens times its weight, and is passed by. So a key that comes for the first
// time waits at most for a round's worth and one request of each of the others, however many they
// have sent before; and in the long run tokens go by weight, whatever the requests' sizes.
//
// A debt outlives the empty queue while others wait: sending one request at a time buys nothing.
// Higher priorities go first, always.
//
// Pure; one thread at a time. Memory: one entry a waiting request, one a key that waits or owes.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace hone::serve {

inline constexpr double kRoundTokens = 256;
// Weights outside these bounds are taken to them.
inline constexpr double kLeastWeight = 0.01, kMostWeight = 100;

class FairQueue {
 public:
  using Ticket = uint64_t;

  // cost: tokens, at least 1. The key's weight is the one of its latest request.
  void push(const std::string& key, double weight, int priority, uint64_t cost, Ticket ticket);
  // Whose turn it is now; the ticket leaves the queue.
  std::optional<Ticket> pop();
  // False when it does not wait here.
  bool remove(Ticket ticket);

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t size_of(std::string_view key) const;  // in all priorities
  uint64_t waiting_tokens() const { return waiting_tokens_; }

 private:
  struct Waiting {
    Ticket ticket;
    uint64_t cost;
  };
  struct Queue {
    std::string key;
    double weight = 1, credit = 0;
    std::deque<Waiting> waiting;
  };
  // The queues of one priority; the turn is at the front.
  struct Ring {
    std::list<Queue> queues;
    size_t size = 0;
  };

  static std::optional<Waiting> pop_from(Ring& ring);
  static void skip_rounds(Ring& ring);

  std::map<int, Ring, std::greater<>> rings_;
  size_t size_ = 0;
  uint64_t waiting_tokens_ = 0;
};

}  // namespace hone::serve
