#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/cpu_limits.h"
#include "base/error.h"

namespace hone {
namespace {

TEST(ThreadPool, RunsEveryTaskExactlyOnce) {
  for (size_t threads = 1; threads <= 8; ++threads) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.size(), threads);
    for (size_t tasks : {0u, 1u, 2u, 3u, 7u, 8u, 9u, 100u, 1000u}) {
      for (int round = 0; round < 20; ++round) {
        std::vector<int> runs(tasks);  // plain ints: the join must order them for the caller
        std::atomic<bool> known_thread{true};
        pool.run(tasks, [&](size_t task, size_t thread) {
          ++runs[task];
          if (thread >= threads) known_thread = false;
        });
        ASSERT_EQ(runs, std::vector<int>(tasks, 1));
        ASSERT_TRUE(known_thread);
      }
    }
  }
}

TEST(ThreadPool, WhatOneRunWroteTheNextRunReads) {
  ThreadPool pool(4);
  std::vector<uint64_t> values(64, 1), next(64);
  for (int round = 0; round < 3000; ++round) {
    pool.run(values.size(), [&](size_t i, size_t) { next[i] = values[(i + 17) % 64] + 1; });
    values.swap(next);
  }
  EXPECT_EQ(values, std::vector<uint64_t>(64, 3001));
}

TEST(ThreadPool, OneTaskRunsOnTheCallersThread) {
  ThreadPool pool(4);
  std::thread::id where;
  pool.run(1, [&](size_t, size_t thread) {
    where = std::this_thread::get_id();
    EXPECT_EQ(thread, 0u);
  });
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(ThreadPool, OthersFinishTheShareOfAThreadThatIsLate) {
  ThreadPool pool(2);
  std::atomic<int> done{0};
  pool.run(100, [&](size_t task, size_t) {
    // The first task ends only when all others have run, its own half included.
    auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (task == 0 && done < 99 && std::chrono::steady_clock::now() < give_up) {
      std::this_thread::yield();
    }
    ++done;
  });
  EXPECT_EQ(done, 100);
}

TEST(ThreadPool, HandsOneExceptionBackAndStaysUsable) {
  for (size_t threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      EXPECT_THROW(pool.run(50,
                            [&](size_t task, size_t) {
                              if (task % 10 == 3) throw std::runtime_error("task failed");
                            }),
                   std::runtime_error);
      std::atomic<int> done{0};
      pool.run(50, [&](size_t, size_t) { ++done; });
      EXPECT_EQ(done, 50);
    }
  }
}

TEST(ThreadPool, KeepsWhatIsNestedInAnException) {
  ThreadPool pool(2);
  std::string inner;
  try {
    pool.run(8, [](size_t, size_t) {
      try {
        throw std::logic_error("inner");
      } catch (...) {
        std::throw_with_nested(std::runtime_error("outer"));
      }
    });
  } catch (const std::runtime_error& outer) {
    try {
      std::rethrow_if_nested(outer);
    } catch (const std::logic_error& error) {
      inner = error.what();
    }
  }
  EXPECT_EQ(inner, "inner");
}

TEST(ThreadPool, WakesAfterEveryoneWentToSleep) {
  ThreadPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<size_t> sum{0};
    pool.run(30, [&](size_t task, size_t) { sum += task; });
    ASSERT_EQ(sum, 435u);
  }
}

TEST(ThreadPool, MayBeCalledFromOneThreadAfterAnother) {
  ThreadPool pool(2);
  std::atomic<int> done{0};
  for (int i = 0; i < 5; ++i) {
    std::thread([&] { pool.run(10, [&](size_t, size_t) { ++done; }); }).join();
  }
  EXPECT_EQ(done, 50);
}

TEST(ThreadPool, TwoPoolsLiveSideBySide) {
  std::atomic<int> done{0};
  auto use = [&] {
    ThreadPool pool(2);
    for (int i = 0; i < 300; ++i) pool.run(4, [&](size_t, size_t) { ++done; });
  };
  std::thread other(use);
  use();
  other.join();
  EXPECT_EQ(done, 2400);
}

size_t cores_of_this_thread() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<size_t>(CPU_COUNT(&set)) : 0;
}

TEST(ThreadPool, LeavesTheCallersAffinityAsItWas) {
  const size_t before = cores_of_this_thread();
  {
    ThreadPool pool(allowed_cores().size());
    pool.run(10, [](size_t, size_t) {});
    EXPECT_EQ(cores_of_this_thread(), 1U);
    {
      const OnAllCores for_a_child;
      EXPECT_EQ(cores_of_this_thread(), before);
    }
    EXPECT_EQ(cores_of_this_thread(), 1U);
  }
  EXPECT_EQ(cores_of_this_thread(), before);
  EXPECT_EQ(ThreadPool().size(), usable_cores());
}

TEST(ThreadPool, RefusesMoreThreadsThanAnyMachineHas) {
  EXPECT_THROW(ThreadPool(1'000'000), Error);
  EXPECT_THROW(ThreadPool(SIZE_MAX), Error);
}

TEST(ThreadPoolDeathTest, ARunInsideARunIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadPool pool(2);
        pool.run(2, [&](size_t, size_t) { pool.run(2, [](size_t, size_t) {}); });
      },
      "running");
}

TEST(CpuLimits, ReadsQuotasOfBothCgroupVersions) {
  EXPECT_EQ(cores_of_quota("max", "100000"), 0u);
  EXPECT_EQ(cores_of_quota("-1", "100000"), 0u);
  EXPECT_EQ(cores_of_quota("200000", "100000"), 2u);
  EXPECT_EQ(cores_of_quota("150000", "100000"), 1u);
  EXPECT_EQ(cores_of_quota("50000", "100000"), 1u);
  EXPECT_EQ(cores_of_quota("", ""), 0u);
  EXPECT_GE(usable_cores(), 1u);
  EXPECT_LE(usable_cores(), allowed_cores().size());
}

// Threads that only compute, as many as cores: workers are stopped in their tasks, give way, and
// change cores with the caller, and every job is whole all the same.
TEST(ThreadPool, JobsAreWholeBesideBusyNeighbours) {
  std::atomic<bool> ending{false};
  std::vector<std::thread> neighbours;
  for (size_t i = 0; i < usable_cores(); ++i) {
    neighbours.emplace_back([&] {
      while (!ending.load(std::memory_order_relaxed)) {
      }
    });
  }
  {
    ThreadPool pool;
    std::vector<uint64_t> values(64, 0);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(400);
    uint64_t rounds = 0;
    while (std::chrono::steady_clock::now() < end) {
      pool.run(values.size(), [&](size_t i, size_t) {
        for (uint64_t step = 0; step < 2000; ++step) values[i] += step % 2;
      });
      ++rounds;
    }
    EXPECT_EQ(values, std::vector<uint64_t>(64, rounds * 1000));
  }
  ending = true;
  for (std::thread& neighbour : neighbours) neighbour.join();
}

}  // namespace
}  // namespace hone
