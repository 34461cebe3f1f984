#include "store/backup.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "store/sqlite_connection.h"
#include "store/testing.h"

namespace hone::store {
namespace {

const std::vector<Migration> kMigrations = {
    {1, "trees",
     "CREATE TABLE tree (id INTEGER PRIMARY KEY, name TEXT, parent INTEGER REFERENCES tree (id))",
     "d1"}};

class BackupTest : public testing::Test {
 protected:
  void SetUp() override {
    migrate(*database_, kMigrations, 0);
    add(2000);
  }
  void add(int64_t rows) {
    database_->write(Durability::kProcess, [&](Transaction& tx) {
      for (int64_t i = 0; i < rows; ++i) {
        tx.execute("INSERT INTO tree (name) VALUES ($1)", {std::string(100, 'x')});
      }
    });
  }
  int64_t count(Database& database) {
    return *database.read(
        [](Connection& db) { return db.query_int64("SELECT count(*) FROM tree"); });
  }
  Error error_of_checking(const std::string& path, std::span<const Migration> migrations) {
    return error_from([&] { check_sqlite(real_env(), path, migrations); });
  }

  TestFolder folder_;
  std::unique_ptr<Database> database_ = open_test_database(folder_);
  std::string source_ = folder_.file("test.db"), copy_ = folder_.file("copy.db");
};

TEST_F(BackupTest, TheCopyHasWhatWasAnsweredAndIsOneFile) {
  copy_sqlite(real_env(), source_, copy_);
  SqliteCheck check = check_sqlite(real_env(), copy_, kMigrations);
  EXPECT_EQ(check.migrations, 1u);
  EXPECT_GT(check.bytes, 200000u);
  for (const char* ending : {".part", "-wal", "-shm", "-journal"}) {
    EXPECT_FALSE(real_env().exists(copy_ + ending)) << ending;
  }
  SqliteOptions options;
  options.path = copy_;
  EXPECT_EQ(count(*open_sqlite(options, real_env())), 2000);
}

TEST_F(BackupTest, WritesGoOnBesideItAndAreNotInTheSnapshot) {
  int64_t at_start = -1;
  int steps = 0;
  double last = 0;
  BackupOptions options;
  options.pages_at_once = 1;
  options.progress = [&](double fraction) {
    if (steps++ == 0) at_start = count(*database_);
    if (steps < 20) add(10);
    EXPECT_GE(fraction, last);
    last = fraction;
    return steps < 10000;  // it does not start again for ever
  };
  copy_sqlite(real_env(), source_, copy_, options);
  EXPECT_EQ(last, 1.0);
  EXPECT_GT(steps, 20);
  EXPECT_EQ(count(*database_), at_start + 190);
  check_sqlite(real_env(), copy_, kMigrations);
  SqliteOptions open;
  open.path = copy_;
  EXPECT_EQ(count(*open_sqlite(open, real_env())), at_start);
}

TEST_F(BackupTest, AStoppedCopyLeavesNothing) {
  BackupOptions options;
  options.pages_at_once = 1;
  int steps = 0;
  options.progress = [&](double) { return ++steps < 3; };
  EXPECT_EQ(code_from([&] { copy_sqlite(real_env(), source_, copy_, options); }),
            ErrorCode::kUnavailable);
  EXPECT_FALSE(real_env().exists(copy_) || real_env().exists(copy_ + ".part"));
}

TEST_F(BackupTest, WhatIsThereIsNotOverwrittenAndWhatIsAbsentNotMade) {
  std::ofstream(copy_) << "mine";
  EXPECT_EQ(code_from([&] { copy_sqlite(real_env(), source_, copy_); }), ErrorCode::kConflict);
  EXPECT_EQ(real_env().read_file(copy_, 100), "mine");
  EXPECT_EQ(code_from([&] { copy_sqlite(real_env(), folder_.file("none"), folder_.file("x")); }),
            ErrorCode::kNotFound);
  EXPECT_EQ(code_from([&] { copy_sqlite(real_env(), source_, folder_.file("no/x.db")); }),
            ErrorCode::kUnavailable);
  EXPECT_EQ(error_of_checking(folder_.file("none"), kMigrations).code(), ErrorCode::kNotFound);
  EXPECT_FALSE(real_env().exists(folder_.file("none")));
}

TEST_F(BackupTest, ADamagedFileIsFound) {
  copy_sqlite(real_env(), source_, copy_);
  std::string bytes = real_env().read_file(copy_, 1 << 24);
  for (size_t at : {size_t{20 * 4096}, bytes.size() - 4096}) {
    std::string changed = bytes;
    changed.replace(at, 64, std::string(64, '\x7f'));
    write_file_atomically(real_env(), copy_, changed);
    EXPECT_EQ(error_of_checking(copy_, kMigrations).code(), ErrorCode::kCorruptData) << at;
  }
  write_file_atomically(real_env(), copy_, bytes.substr(0, bytes.size() / 2));
  EXPECT_EQ(error_of_checking(copy_, kMigrations).code(), ErrorCode::kCorruptData);
  write_file_atomically(
      real_env(), copy_,
      "a letter, longer than the hundred bytes of a header" + std::string(2000, '.'));
  EXPECT_EQ(error_of_checking(copy_, kMigrations).code(), ErrorCode::kCorruptData);
  write_file_atomically(real_env(), copy_, bytes);
  check_sqlite(real_env(), copy_, kMigrations);
}

TEST_F(BackupTest, AFormOfAnotherProgramIsFoundAndAnOlderOneIsFine) {
  copy_sqlite(real_env(), source_, copy_);
  EXPECT_NE(error_of_checking(copy_, {}).message().find("newer Hone"), std::string::npos);
  auto longer = kMigrations;
  longer.push_back({2, "more", "", "d2"});
  EXPECT_EQ(check_sqlite(real_env(), copy_, longer).migrations, 1u);
  longer[0].digest = "other";
  EXPECT_EQ(error_of_checking(copy_, longer).code(), ErrorCode::kCorruptData);
}

TEST_F(BackupTest, AReferenceToNothingIsFound) {
  copy_sqlite(real_env(), source_, copy_);
  {
    SqliteOpen open;
    open.path = copy_;
    SqliteConnection careless(open);
    careless.exec("PRAGMA foreign_keys=OFF; INSERT INTO tree (id, parent) VALUES (9000, 9001)");
  }
  Error error = error_of_checking(copy_, kMigrations);
  EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
  EXPECT_NE(error.detail().find("tree"), std::string::npos);
}

}  // namespace
}  // namespace hone::store
