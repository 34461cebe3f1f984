#include "serve/fair_queue.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"

namespace hone::serve {
namespace {

TEST(FairQueue, AFloodOfOneKeyDelaysAnotherByOneTurn) {
  FairQueue queue;
  for (uint64_t i = 0; i < 1000; ++i) queue.push("flood", 1, 0, 100, i);
  // The flood is in full swing when the other one comes.
  for (size_t i = 0; i < 37; ++i) ASSERT_TRUE(queue.pop().has_value());
  queue.push("other", 1, 0, 3000, 5000);
  size_t before = 0;
  while (*queue.pop() != 5000) ++before;
  EXPECT_LE(before, 4u);  // a round's worth is 256 tokens
  // Having had 3000 tokens, it waits for the flood to have as many, and not for all of it.
  queue.push("other", 1, 0, 3000, 5001);
  before = 0;
  while (*queue.pop() != 5001) ++before;
  EXPECT_GE(before, 25u);
  EXPECT_LE(before, 40u);
}

TEST(FairQueue, TokensGoByWeightWhateverTheRequestsSizes) {
  FairQueue queue;
  Rng rng(3, rng_stream("fair"));
  const std::map<std::string, std::pair<double, uint64_t>> keys = {
      {"a", {1, 50}}, {"b", {1, 1500}}, {"c", {3, 400}}, {"d", {0.5, 120}}};
  std::map<uint64_t, std::pair<std::string, uint64_t>> tickets;
  uint64_t last = 0;
  const auto send = [&](const std::string& key) {
    const auto& [weight, size] = keys.at(key);
    const uint64_t cost = size / 2 + rng.below(size);
    tickets[++last] = {key, cost};
    queue.push(key, weight, 0, cost, last);
  };
  for (const auto& entry : keys) {
    for (size_t i = 0; i < 5; ++i) send(entry.first);
  }
  std::map<std::string, double> tokens;
  double all = 0;
  while (all < 2e6) {
    const auto [key, cost] = tickets.at(*queue.pop());
    tokens[key] += static_cast<double>(cost);
    all += static_cast<double>(cost);
    send(key);  // always five of each wait
  }
  for (const auto& [key, weight_and_size] : keys) {
    EXPECT_NEAR(tokens[key] / all, weight_and_size.first / 5.5, 0.02) << key;
  }
}

TEST(FairQueue, OneAtATimeBuysNothing) {
  FairQueue queue;
  for (uint64_t i = 0; i < 500; ++i) queue.push("many", 1, 0, 100, i);
  uint64_t ticket = 1000;
  queue.push("single", 1, 0, 1000, ticket);
  double single = 0, many = 0;
  for (size_t i = 0; i < 200; ++i) {
    if (*queue.pop() >= 1000) {
      single += 1000;
      queue.push("single", 1, 0, 1000, ++ticket);  // the next one when this one is served
    } else {
      many += 100;
    }
  }
  EXPECT_LT(single, 1.3 * many + 2000);
  EXPECT_GT(single, 0.7 * many - 2000);
}

TEST(FairQueue, HigherPrioritiesGoFirstAndOneKeyKeepsItsOrder) {
  FairQueue queue;
  queue.push("a", 1, 0, 10, 1);
  queue.push("a", 1, 0, 10, 2);
  queue.push("a", 1, 5, 10, 3);
  queue.push("b", 1, -1, 10, 4);
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_EQ(queue.size_of("a"), 3u);
  EXPECT_EQ(queue.size_of("nobody"), 0u);
  EXPECT_EQ(queue.waiting_tokens(), 40u);
  EXPECT_EQ(queue.pop(), 3u);
  EXPECT_EQ(queue.pop(), 1u);
  EXPECT_EQ(queue.pop(), 2u);
  EXPECT_EQ(queue.pop(), 4u);
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_TRUE(queue.empty());
}

TEST(FairQueue, EverythingThatCameLeavesOnceInAnyOrderOfCalls) {
  Rng rng(9, rng_stream("fair-random"));
  FairQueue queue;
  std::map<uint64_t, bool> waiting;
  uint64_t last = 0;
  for (size_t step = 0; step < 20000; ++step) {
    const uint64_t what = rng.below(5);
    if (what < 2) {
      const double weights[] = {0, 0.001, 1, 1e9, -1};
      queue.push("key" + std::to_string(rng.below(7)), weights[rng.below(5)],
                 static_cast<int>(rng.below(3)), rng.below(5000), ++last);
      waiting[last] = true;
    } else if (what < 4) {
      const auto ticket = queue.pop();
      EXPECT_EQ(ticket.has_value(), !waiting.empty());
      if (ticket) {
        EXPECT_EQ(waiting.erase(*ticket), 1u);
      }
    } else if (last > 0) {
      const uint64_t ticket = 1 + rng.below(last);
      EXPECT_EQ(queue.remove(ticket), waiting.erase(ticket) == 1);
    }
    ASSERT_EQ(queue.size(), waiting.size());
  }
}

}  // namespace
}  // namespace hone::serve
