#include "store/group_writer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "store/testing.h"

namespace hone::store {
namespace {

constexpr auto kDisk = Durability::kDisk;
constexpr auto kProcess = Durability::kProcess;

// A writer that is held in its first job, so that what follows waits and becomes one group.
class HeldWriter {
 public:
  explicit HeldWriter(Database& database) {
    held_ = database.write_async(kProcess, [this](Transaction&) {
      entered_.count_down();
      open_.wait();
      throw invalid_input("held");
    });
    entered_.wait();
  }
  void let_go() { open_.count_down(); }

 private:
  std::latch entered_{1}, open_{1};
  std::future<void> held_;
};

class GroupWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    SqliteOptions options;
    options.path = folder_.file("test.db");
    options.queue_jobs_max = 8;
    options.group_jobs_max = 64;
    database_ = open_sqlite(options, real_env());
    database_->write(kDisk,
                     [](Transaction& tx) { tx.run_script("CREATE TABLE t (x INTEGER UNIQUE)"); });
  }
  auto insert(Durability durability, int64_t x) {
    return database_->write_async(
        durability, [x](Transaction& tx) { tx.execute("INSERT INTO t VALUES ($1)", {x}); });
  }
  std::vector<int64_t> rows() {
    return database_->read([](Connection& db) {
      return db.query_all("SELECT x FROM t ORDER BY rowid", {},
                          [](const Row& row) { return row.int64(0); });
    });
  }

  TestFolder folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(GroupWriterTest, WhatWaitsIsCommittedAsOneGroupInOrder) {
  WriteStatistics before = database_->statistics();
  std::vector<std::future<void>> answers;
  {
    HeldWriter held(*database_);
    for (int i = 0; i < 8; ++i) answers.push_back(insert(i == 3 ? kDisk : kProcess, i));
    EXPECT_EQ(database_->statistics().waiting, 8u);
    held.let_go();
    for (auto& answer : answers) answer.get();
  }
  WriteStatistics after = database_->statistics();
  EXPECT_EQ(after.jobs - before.jobs, 8u);
  EXPECT_EQ(after.groups - before.groups, 1u);
  EXPECT_EQ(after.disk_groups - before.disk_groups, 1u);
  EXPECT_EQ(rows(), (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(GroupWriterTest, AJobThatFailsInAGroupLeavesTheOthersWhole) {
  std::vector<std::future<void>> answers;
  HeldWriter held(*database_);
  answers.push_back(insert(kDisk, 1));
  answers.push_back(insert(kDisk, 1));  // a conflict
  answers.push_back(database_->write_async(kDisk, [](Transaction& tx) {
    tx.execute("INSERT INTO t VALUES (7)");
    throw not_found("thrown after a write");
  }));
  answers.push_back(insert(kDisk, 2));
  held.let_go();
  answers[0].get();
  EXPECT_EQ(code_from([&] { answers[1].get(); }), ErrorCode::kConflict);
  EXPECT_EQ(code_from([&] { answers[2].get(); }), ErrorCode::kNotFound);
  answers[3].get();
  EXPECT_EQ(rows(), (std::vector<int64_t>{1, 2}));
}

TEST_F(GroupWriterTest, AFullQueueSaysBusyAndNothingIsDone) {
  std::vector<std::future<void>> answers;
  HeldWriter held(*database_);
  for (int i = 0; i < 8; ++i) answers.push_back(insert(kProcess, i));
  Error error = error_from([&] { insert(kProcess, 8); });
  EXPECT_EQ(error.code(), ErrorCode::kBusy);
  EXPECT_NE(error.message().find("try again"), std::string::npos);
  bool called = false;
  EXPECT_EQ(code_from([&] {
              database_->submit(
                  kDisk, [](Transaction&) {}, [&](auto&&) { called = true; });
            }),
            ErrorCode::kBusy);
  held.let_go();
  for (auto& answer : answers) answer.get();
  EXPECT_EQ(rows().size(), 8u);
  EXPECT_FALSE(called);
  insert(kProcess, 8).get();
}

TEST_F(GroupWriterTest, DoneIsCalledOnceAfterTheCommitWithTheValueOrTheError) {
  std::latch called(2);
  int64_t value = 0, seen = -1;
  ErrorCode code = ErrorCode::kInternal;
  database_->submit(
      kDisk,
      [](Transaction& tx) {
        tx.execute("INSERT INTO t VALUES (1)");
        return int64_t{41};
      },
      [&](Result<int64_t> result) {
        value = *result + 1;
        seen = *database_->read(
            [](Connection& db) { return db.query_int64("SELECT count(*) FROM t"); });
        called.count_down();
      });
  database_->submit(
      kDisk, [](Transaction&) -> void { throw not_found("nothing there"); },
      [&](Result<std::monostate> result) {
        code = result.error().code();
        called.count_down();
      });
  called.wait();
  EXPECT_EQ(value, 42);
  EXPECT_EQ(seen, 1) << "committed before done is called";
  EXPECT_EQ(code, ErrorCode::kNotFound);
}

TEST_F(GroupWriterTest, AMoveOnlyValueComesThrough) {
  auto text = database_->write(kProcess,
                               [](Transaction&) { return std::make_unique<std::string>("moved"); });
  EXPECT_EQ(*text, "moved");
}

TEST_F(GroupWriterTest, ClosingAnswersWhatWaits) {
  std::vector<std::future<void>> answers;
  {
    HeldWriter held(*database_);
    for (int i = 0; i < 5; ++i) answers.push_back(insert(kDisk, i));
    held.let_go();
    database_.reset();
  }
  for (auto& answer : answers) answer.get();
  database_ = open_test_database(folder_);
  EXPECT_EQ(rows().size(), 5u);
}

TEST_F(GroupWriterTest, WritersOnManyThreadsLoseNothing) {
  SqliteOptions options;
  options.path = folder_.file("many.db");
  database_ = open_sqlite(options, real_env());
  database_->write(kDisk,
                   [](Transaction& tx) { tx.run_script("CREATE TABLE t (x INTEGER UNIQUE)"); });
  std::atomic<int> conflicts = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        // Every tenth number is everybody's: one gets it.
        int64_t x = i % 10 == 0 ? -1 - i : t * 1000 + i;
        try {
          insert(i % 3 == 0 ? kDisk : kProcess, x).get();
        } catch (const Error& error) {
          ASSERT_EQ(error.code(), ErrorCode::kConflict);
          ++conflicts;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(conflicts, 7 * 10);
  EXPECT_EQ(rows().size(), 8u * 90 + 10);
  WriteStatistics statistics = database_->statistics();
  EXPECT_EQ(statistics.jobs, 8u * 90 + 10 + 1);
  EXPECT_EQ(statistics.jobs_failed, 70u);
}

}  // namespace
}  // namespace hone::store
