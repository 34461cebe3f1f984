#include "usage/ledger.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/forwarding_env.h"
#include "store/testing.h"
#include "usage/report.h"

namespace hone::usage {
namespace {

using store::Connection;
using store::Transaction;

// A clock that begins at noon of a day and is set by tests.
class DayEnv : public ForwardingEnv {
 public:
  DayEnv() : ForwardingEnv(real_env()) {}
  int64_t now_ms() override { return now_ms_.load(); }
  void shift_ms(int64_t by_ms) { now_ms_ += by_ms; }

 private:
  std::atomic<int64_t> now_ms_{20'785 * kDayMs + kDayMs / 2};
};

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() : database_(store::open_test_database(folder_)) {
    database_->write(store::Durability::kProcess, [](Transaction& tx) {
      for (const char* name : {"0001_people", "0004_keys"}) {
        tx.run_script(real_env().read_file(
            "migrations/sqlite/control/" + std::string(name) + ".sql", 1 << 20));
      }
    });
    open();
  }
  void open() {
    ledger_.reset();  // writes what it has
    ledger_ = std::make_unique<Ledger>(env_, *database_, LedgerOptions{.flush_ms = 0});
  }
  std::vector<UsageRow> rows() {
    ledger_->flush();
    UsageFilter filter;
    filter.organisation = "org_a";
    filter.last_day = INT64_MAX;
    return database_->read([&](Connection& db) { return usage_rows(db, filter); });
  }
  static Key key(std::optional<int64_t> requests, std::optional<int64_t> tokens) {
    return {"org_a", "key_a", requests, tokens};
  }
  std::string refusal(const Key& asks, int64_t tokens) {
    return store::error_from([&] { ledger_->reserve(asks, "m", tokens); }).message();
  }

  store::TestFolder folder_;
  DayEnv env_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(LedgerTest, WhatRunsIsHeldBackAndWhatEndsCountsAsWhatItTook) {
  const Key bounded = key(3, 100);
  Reservation first = ledger_->reserve(bounded, "m", 60);
  EXPECT_NE(refusal(bounded, 41).find("40 tokens of 100 a day left"), std::string::npos);
  Reservation second = ledger_->reserve(bounded, "m", 40);
  first.settle({.prompt = 5, .cached = 2, .completion = 5});
  Reservation third = ledger_->reserve(bounded, "m", 50);
  EXPECT_NE(refusal(bounded, 0).find("3 times a day"), std::string::npos);
  second.release();
  third.release();
  ledger_->reserve(bounded, "m", 90).settle({.prompt = 80, .cached = 0, .completion = 10});
  EXPECT_NE(refusal(bounded, 1).find("0 tokens of 100"), std::string::npos);
  const auto written = rows();
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0].requests, 2);
  EXPECT_EQ(written[0].prompt_tokens, 85);
  EXPECT_EQ(written[0].cached_tokens, 2);
  EXPECT_EQ(written[0].completion_tokens, 15);
}

TEST_F(LedgerTest, ADroppedReservationCountsAsNothingAndSettlingTwiceAsOnce) {
  { const Reservation dropped = ledger_->reserve(key(1, 10), "m", 10); }
  Reservation one = ledger_->reserve(key(1, 10), "m", 10);
  one.settle({.prompt = 1, .cached = 0, .completion = 1});
  one.settle({.prompt = 1, .cached = 0, .completion = 1});
  Reservation none;
  none.settle({.prompt = 9, .cached = 9, .completion = 9});
  ASSERT_EQ(rows().size(), 1u);
  EXPECT_EQ(rows()[0].requests, 1);
}

TEST_F(LedgerTest, AQuotaIsExactWith32ThreadsAndARestartForgetsNothing) {
  constexpr int kThreads = 32, kEach = 50, kMost = 1000;
  std::atomic<int> admitted{0}, refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        try {
          Reservation one = ledger_->reserve(key(kMost, std::nullopt), "m", 7);
          ++admitted;
          if ((t + i) % 3 == 0) std::this_thread::yield();
          one.settle({.prompt = 3, .cached = 1, .completion = 4});
        } catch (const QuotaExceeded& error) {
          EXPECT_GE(error.retry_after_seconds(), 1);
          ++refused;
        }
        if (i % 20 == 0) ledger_->flush();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted, kMost);
  EXPECT_EQ(refused, kThreads * kEach - kMost);
  ASSERT_EQ(rows().size(), 1u);
  EXPECT_EQ(rows()[0].requests, kMost);
  EXPECT_EQ(rows()[0].tokens(), kMost * 7);
  open();
  EXPECT_NE(refusal(key(kMost, std::nullopt), 1).find("times a day"), std::string::npos);
}

TEST_F(LedgerTest, TokensReservedTogetherNeverPassTheQuota) {
  constexpr int64_t kQuota = 1000, kEach = 30;
  std::atomic<int64_t> held{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 32; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 30; ++i) {
        try {
          Reservation one = ledger_->reserve(key(std::nullopt, kQuota), "m", kEach);
          const int64_t now = held += kEach;
          for (int64_t seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
          }
          std::this_thread::yield();
          held -= kEach;
          one.settle({.prompt = 1, .cached = 0, .completion = 0});
        } catch (const QuotaExceeded&) {
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, kQuota);
  EXPECT_LE(rows()[0].tokens(), kQuota);
}

TEST_F(LedgerTest, TheNextDayBeginsAnewAndEndsAreOfTheDayOfTheBeginning) {
  Reservation over_midnight = ledger_->reserve(key(1, std::nullopt), "m", 1);
  EXPECT_NE(refusal(key(1, std::nullopt), 1).find("midnight UTC"), std::string::npos);
  env_.shift_ms(kDayMs);
  Reservation next = ledger_->reserve(key(1, std::nullopt), "m", 1);
  over_midnight.settle({.prompt = 1, .cached = 0, .completion = 0});
  next.settle({.prompt = 2, .cached = 0, .completion = 0});
  const auto written = rows();
  ASSERT_EQ(written.size(), 2u);
  EXPECT_EQ(written[0].day, written[1].day + 1);
  EXPECT_EQ(written[0].prompt_tokens, 2);
  EXPECT_EQ(written[1].prompt_tokens, 1);
}

TEST_F(LedgerTest, EachKeyAndModelHasItsRowAndAnotherOrganisationsIsNotShown) {
  ledger_->reserve({"org_a", "key_b", {}, {}}, "n", 1)
      .settle({.prompt = 1, .cached = 0, .completion = 0});
  ledger_->reserve({"org_a", "key_b", {}, {}}, "m", 1)
      .settle({.prompt = 1, .cached = 0, .completion = 0});
  ledger_->reserve({"org_b", "key_c", {}, {}}, "m", 1)
      .settle({.prompt = 1, .cached = 0, .completion = 0});
  const auto written = rows();
  ASSERT_EQ(written.size(), 2u);
  EXPECT_EQ(written[0].model, "m");
  EXPECT_EQ(written[1].model, "n");
}

TEST(Usage, ADayIsWrittenAsADate) {
  EXPECT_EQ(day_text(0), "1970-01-01");
  EXPECT_EQ(day_text(20785), "2026-11-28");
}

}  // namespace
}  // namespace hone::usage
