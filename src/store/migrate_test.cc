#include "store/migrate.h"

#include <gtest/gtest.h>

#include "store/testing.h"

namespace hone::store {
namespace {

const std::vector<Migration> kTwo = {
    {1, "trees", "CREATE TABLE tree (id INTEGER PRIMARY KEY); INSERT INTO tree VALUES (1);", "d1"},
    {2, "height", "ALTER TABLE tree ADD COLUMN height INTEGER NOT NULL DEFAULT 7;", "d2"}};

class MigrateTest : public testing::Test {
 protected:
  std::optional<int64_t> number(std::string_view sql) {
    return database_->read([&](Connection& db) { return db.query_int64(sql); });
  }
  Error error_of_migrating(std::vector<Migration> migrations) {
    return error_from([&] { migrate(*database_, migrations, 5); });
  }

  TestFolder folder_;
  std::unique_ptr<Database> database_ = open_test_database(folder_);
};

TEST_F(MigrateTest, AppliesWhatIsMissingOnceAndInOrder) {
  EXPECT_EQ(migrate(*database_, std::span(kTwo).first(1), 100), 1u);
  EXPECT_EQ(migrate(*database_, kTwo, 200), 1u);
  EXPECT_EQ(migrate(*database_, kTwo, 300), 0u);
  EXPECT_EQ(number("SELECT height FROM tree"), 7);
  EXPECT_EQ(number("SELECT applied_at_ms FROM schema_migrations WHERE number = 1"), 100);
  EXPECT_EQ(number("SELECT applied_at_ms FROM schema_migrations WHERE number = 2"), 200);
  require_migrated(*database_, kTwo);
}

TEST_F(MigrateTest, ADatabaseOfANewerProgramIsRefused) {
  migrate(*database_, kTwo, 1);
  Error error = error_of_migrating({kTwo[0]});
  EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
  EXPECT_NE(error.message().find("newer Hone"), std::string::npos);
}

TEST_F(MigrateTest, AMigrationThatWasEditedOrRenamedIsRefusedAndNothingIsApplied) {
  migrate(*database_, std::span(kTwo).first(1), 1);
  auto edited = kTwo;
  edited[0].digest = "other";
  Error error = error_of_migrating(edited);
  EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
  EXPECT_NE(error.message().find("0001_trees"), std::string::npos);
  auto renamed = kTwo;
  renamed[0].name = "bushes";
  EXPECT_EQ(error_of_migrating(renamed).code(), ErrorCode::kCorruptData);
  EXPECT_EQ(number("SELECT count(*) FROM schema_migrations"), 1);
}

TEST_F(MigrateTest, AMigrationThatFailsLeavesNothingOfItself) {
  auto broken = kTwo;
  broken[1].sql = "CREATE TABLE half (id INTEGER); INSERT INTO nowhere VALUES (1);";
  EXPECT_EQ(error_of_migrating(broken).code(), ErrorCode::kInternal);
  EXPECT_EQ(number("SELECT count(*) FROM schema_migrations"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
  EXPECT_EQ(code_from([&] { require_migrated(*database_, kTwo); }), ErrorCode::kCorruptData);
  EXPECT_EQ(migrate(*database_, kTwo, 1), 1u);
}

TEST_F(MigrateTest, FilesBecomeMigrationsByTheirNames) {
  std::vector<EmbeddedFile> files = {{"0001_people.sql", "SELECT 1", "aa", false},
                                     {"0002_more_people.sql", "SELECT 2", "bb", false}};
  auto migrations = migrations_of(files);
  ASSERT_EQ(migrations.size(), 2u);
  EXPECT_EQ(migrations[1].number, 2);
  EXPECT_EQ(migrations[1].name, "more_people");
  EXPECT_EQ(migrations[1].sql, "SELECT 2");
  EXPECT_EQ(migrations[1].digest, "bb");
  for (const char* name : {"0003_gap.sql", "0001_.sql", "1_short.sql", "0001_x.txt", "000a_x.sql",
                           "0001x.sql", "+001_x.sql", ""}) {
    files = {{name, "SELECT 1", "aa", false}};
    EXPECT_EQ(code_from([&] { migrations_of(files); }), ErrorCode::kInternal) << name;
  }
}

}  // namespace
}  // namespace hone::store
