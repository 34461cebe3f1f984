// After the power went, every kDisk answer is there, every job is whole, and what is there is a
// prefix of what was committed; what was kProcess may be gone. HONE_TEST_LONG=1 does 40 times more.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "forgetful_vfs.h"
#include "store/backup.h"
#include "store/sqlite_database.h"
#include "store/testing.h"

namespace hone::store {
namespace {

uint64_t seeds() { return std::getenv("HONE_TEST_LONG") != nullptr ? 400 : 10; }

// Each job writes the number it takes into both tables; `number` counts up without gaps.
constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS first (number INTEGER PRIMARY KEY AUTOINCREMENT, filling TEXT);"
    "CREATE TABLE IF NOT EXISTS second (number INTEGER PRIMARY KEY, filling TEXT)";

class Writers {
 public:
  Writers(Database& database, uint64_t seed, size_t threads) {
    for (size_t t = 0; t < threads; ++t) {
      threads_.emplace_back([this, &database, seed, t] {
        Rng rng(seed, rng_stream("power-writer", t));
        while (!stop_) write_one(database, rng);
      });
    }
  }
  ~Writers() {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
  }

  // What was answered by now, by durability.
  std::set<int64_t> answered(Durability durability) const {
    std::lock_guard lock(mutex_);
    return durability == Durability::kDisk ? disk_ : process_;
  }
  size_t count() const {
    std::lock_guard lock(mutex_);
    return disk_.size() + process_.size();
  }

 private:
  void write_one(Database& database, Rng& rng) {
    const Durability durability = rng.below(3) == 0 ? Durability::kDisk : Durability::kProcess;
    const std::string filling(rng.below(rng.below(20) == 0 ? 20000 : 200), 'f');
    const bool fails = rng.below(8) == 0;
    try {
      int64_t number = database.write(durability, [&](Transaction& tx) {
        tx.execute("INSERT INTO first (filling) VALUES ($1)", {filling});
        int64_t id = tx.last_insert_id();
        tx.execute("INSERT INTO second (number, filling) VALUES ($1, $2)", {id, filling});
        if (fails) throw not_found("on purpose");
        return id;
      });
      std::lock_guard lock(mutex_);
      (durability == Durability::kDisk ? disk_ : process_).insert(number);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kNotFound) << error.message() << error.detail();
    }
  }

  mutable std::mutex mutex_;
  std::set<int64_t> disk_, process_;  // guarded by mutex_
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

std::unique_ptr<Database> open_on(const std::string& vfs, const std::string& path) {
  SqliteOptions options;
  options.path = path;
  options.vfs = vfs;
  options.checkpoint_pages = 24;  // many checkpoints, and a log that starts again
  options.group_jobs_max = 4;
  return open_sqlite(options, real_env());
}

std::vector<int64_t> numbers_in(Database& database) {
  return database.read([](Connection& db) {
    EXPECT_EQ(db.query_int64("SELECT count(*) FROM first f FULL JOIN second s USING (number)"
                             " WHERE f.filling IS NOT s.filling"),
              0)
        << "half a job";
    return db.query_all("SELECT number FROM first ORDER BY number", {},
                        [](const Row& row) { return row.int64(0); });
  });
}

// Checks the folder that the power cut left; returns how many kProcess answers it forgot.
size_t check_what_is_left(const std::string& path, const std::set<int64_t>& disk,
                          const std::set<int64_t>& process) {
  {
    SqliteOptions options;
    options.path = path;
    auto database = open_sqlite(options, real_env());
    std::vector<int64_t> numbers = numbers_in(*database);
    std::set<int64_t> found(numbers.begin(), numbers.end());
    for (int64_t number : disk) EXPECT_TRUE(found.count(number)) << number << " was acknowledged";
    EXPECT_TRUE(numbers.empty() || numbers.back() == static_cast<int64_t>(numbers.size()))
        << "a job is missing before one that is there";
    size_t forgotten = 0;
    for (int64_t number : process) forgotten += found.count(number) == 0 ? 1 : 0;
    database.reset();
    check_sqlite(real_env(), path, {});
    return forgotten;
  }
}

TEST(PowerLoss, WhatWasAcknowledgedFromTheDiskIsThereAndJobsAreWhole) {
  size_t forgotten = 0, kept = 0, cuts = 0;
  for (uint64_t seed = 1; seed <= seeds(); ++seed) {
    TestFolder folder;
    ForgetfulVfs vfs("forgetful");
    Rng rng(seed, rng_stream("power"));
    real_env().create_directories(folder.file("0"));
    // Three lives of one database, each going on from what the power cut before it left.
    for (int life = 0; life < 3 && !testing::Test::HasFailure(); ++life) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", life " + std::to_string(life));
      const std::string here = folder.file(std::to_string(life));
      const std::string next = folder.file(std::to_string(life + 1));
      real_env().create_directories(next);
      auto database = open_on("forgetful", here + "/test.db");
      database->write(Durability::kDisk, [](Transaction& tx) { tx.run_script(kSchema); });
      std::set<int64_t> disk, process;
      for (int64_t number : numbers_in(*database)) disk.insert(number);
      {
        Writers writers(*database, seed * 10 + static_cast<uint64_t>(life), 3);
        const size_t until = 1 + rng.below(150);
        while (writers.count() < until) std::this_thread::yield();
        disk.merge(writers.answered(Durability::kDisk));
        process = writers.answered(Durability::kProcess);
        vfs.lose_power(here, next, rng);
      }
      database.reset();
      forgotten += check_what_is_left(next + "/test.db", disk, process);
      kept += disk.size();
      ++cuts;
    }
  }
  EXPECT_GT(kept, cuts) << "hardly anything was acknowledged: the test proves nothing";
  EXPECT_GT(forgotten, 0u) << "the layer forgets nothing: the test proves nothing";
}

TEST(PowerLoss, TheLayerForgetsWhatWasNotSyncedAndKeepsWhatWas) {
  TestFolder folder;
  ForgetfulVfs vfs("forgetful");
  real_env().create_directories(folder.file("a"));
  auto database = open_on("forgetful", folder.file("a") + "/test.db");
  database->write(Durability::kDisk, [](Transaction& tx) { tx.run_script(kSchema); });
  EXPECT_EQ(vfs.unsynced_writes(), 0u) << "a kDisk answer leaves nothing to forget";
  const uint64_t syncs = vfs.syncs();
  auto insert = [](Transaction& tx) { tx.execute("INSERT INTO first (filling) VALUES ('x')"); };
  database->write(Durability::kProcess, insert);
  EXPECT_GT(vfs.unsynced_writes(), 0u) << "a kProcess answer is not synced";
  EXPECT_EQ(vfs.syncs(), syncs);
  database->write(Durability::kDisk, insert);
  EXPECT_EQ(vfs.unsynced_writes(), 0u) << "the next kDisk answer syncs both";
  EXPECT_EQ(vfs.syncs(), syncs + 1) << "one sync a group";
}

class RefusingDisk : public testing::Test {
 protected:
  void SetUp() override {
    database_ = open_on("forgetful", path_);
    database_->write(Durability::kDisk, [](Transaction& tx) { tx.run_script(kSchema); });
  }
  void TearDown() override { database_.reset(); }
  std::future<void> insert(Durability durability) {
    return database_->write_async(durability, [](Transaction& tx) {
      tx.execute("INSERT INTO first (filling) VALUES ($1)", {std::string(9000, 'x')});
    });
  }
  int64_t count() {
    return *database_->read(
        [](Connection& db) { return db.query_int64("SELECT count(*) FROM first"); });
  }

  TestFolder folder_;
  ForgetfulVfs vfs_{"forgetful"};
  std::string path_ = folder_.file("test.db");
  std::unique_ptr<Database> database_;
};

TEST_F(RefusingDisk, AFullDiskFailsEveryJobOfTheGroupAndWritingGoesOnWhenThereIsRoom) {
  vfs_.refuse_writes(true);
  std::vector<std::future<void>> answers;
  for (int i = 0; i < 3; ++i) answers.push_back(insert(Durability::kDisk));
  answers.push_back(insert(Durability::kProcess));
  for (auto& answer : answers) {
    Error error = error_from([&] { answer.get(); });
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
    EXPECT_NE(error.message().find("full"), std::string::npos) << error.message();
  }
  EXPECT_EQ(count(), 0);
  vfs_.refuse_writes(false);
  insert(Durability::kDisk).get();
  EXPECT_EQ(count(), 1);
}

TEST_F(RefusingDisk, AfterASyncThatFailedNothingIsWrittenUntilTheDatabaseIsOpenedAgain) {
  insert(Durability::kDisk).get();
  vfs_.refuse_syncs(true);
  Error error = error_from([&] { insert(Durability::kDisk).get(); });
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_NE(error.message().find("start Hone again"), std::string::npos) << error.message();
  vfs_.refuse_syncs(false);
  EXPECT_EQ(code_from([&] { insert(Durability::kDisk).get(); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_from([&] { insert(Durability::kProcess).get(); }), ErrorCode::kUnavailable);
  EXPECT_GE(count(), 1) << "what is there can be read";
  database_.reset();
  database_ = open_on("forgetful", path_);
  insert(Durability::kDisk).get();
  EXPECT_GE(count(), 2);
}

}  // namespace
}  // namespace hone::store
