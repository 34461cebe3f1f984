#include "store/database.h"

#include <gtest/gtest.h>

#include <fstream>
#include <latch>
#include <thread>

#include "store/testing.h"

namespace hone::store {
namespace {

constexpr auto kDisk = Durability::kDisk;
constexpr auto kProcess = Durability::kProcess;

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    database_ = open_test_database(folder_);
    database_->write(kDisk, [](Transaction& tx) {
      tx.run_script(
          "CREATE TABLE fruit (id INTEGER PRIMARY KEY, name TEXT UNIQUE, weight REAL, seed BLOB)"
          " STRICT;"
          "CREATE TABLE bite (fruit INTEGER NOT NULL REFERENCES fruit (id), at_ms INTEGER) "
          "STRICT;");
    });
  }
  int64_t count() {
    return *database_->read(
        [](Connection& db) { return db.query_int64("SELECT count(*) FROM fruit"); });
  }
  int64_t add(std::string name) {
    return database_->write(kProcess, [&](Transaction& tx) {
      tx.execute("INSERT INTO fruit (name) VALUES ($1)", {name});
      return tx.last_insert_id();
    });
  }

  TestFolder folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, EveryKindOfValueComesBackAsItWas) {
  const std::string seed("\0\xff\x01", 3);
  database_->write(kDisk, [&](Transaction& tx) {
    EXPECT_EQ(tx.execute("INSERT INTO fruit (id, name, weight, seed) VALUES ($1, $2, $3, $4)",
                         {int64_t{1} << 62, "Äpfel 苹果", 0.1, Bytes{seed}}),
              1);
    tx.execute("INSERT INTO fruit (id, name, weight) VALUES ($1, $2, $3)",
               {2, std::optional<std::string>(), nullptr});
  });
  database_->read([&](Connection& db) {
    Cursor rows = db.query("SELECT id, name, weight, seed FROM fruit ORDER BY id DESC");
    EXPECT_TRUE(rows.next());
    EXPECT_EQ(rows.row().columns(), 4u);
    EXPECT_EQ(rows.row().int64(0), int64_t{1} << 62);
    EXPECT_EQ(rows.row().text(1), "Äpfel 苹果");
    EXPECT_EQ(rows.row().real(2), 0.1);
    EXPECT_EQ(rows.row().bytes(3), seed);
    EXPECT_EQ(rows.row().optional_text(1), "Äpfel 苹果");
    EXPECT_TRUE(rows.next());
    EXPECT_EQ(rows.row().int64(0), 2);
    EXPECT_EQ(rows.row().real(0), 2.0);
    EXPECT_TRUE(rows.row().is_null(1) && rows.row().is_null(3));
    EXPECT_EQ(rows.row().optional_text(1), std::nullopt);
    EXPECT_EQ(rows.row().optional_real(2), std::nullopt);
    EXPECT_FALSE(rows.next());
    EXPECT_FALSE(rows.next());
  });
}

TEST_F(DatabaseTest, EmptyTextAndEmptyBytesAreNotNull) {
  database_->write(kProcess, [](Transaction& tx) {
    tx.execute("INSERT INTO fruit (name, seed) VALUES ($1, $2)", {std::string_view(), Bytes{}});
  });
  database_->read([](Connection& db) {
    for (const Row& row : db.query("SELECT name, seed FROM fruit")) {
      EXPECT_EQ(row.text(0), "");
      EXPECT_EQ(row.bytes(1), "");
    }
  });
}

TEST_F(DatabaseTest, ParametersMayStandInAnyOrderAndTwice) {
  std::string text = *database_->read([](Connection& db) {
    return db.query_text("SELECT $2 || $1 || $2", {"a", "b"});
  });
  EXPECT_EQ(text, "bab");
}

TEST_F(DatabaseTest, AValueOfAnotherKindIsAnErrorAndNotAGuess) {
  add("pear");
  database_->read([](Connection& db) {
    Cursor rows = db.query("SELECT id, name, weight FROM fruit");
    rows.next();
    EXPECT_EQ(code_from([&] { rows.row().text(0); }), ErrorCode::kInternal);
    EXPECT_EQ(code_from([&] { rows.row().int64(1); }), ErrorCode::kInternal);
    EXPECT_EQ(code_from([&] { rows.row().real(2); }), ErrorCode::kInternal);
    EXPECT_EQ(code_from([&] { rows.row().bytes(1); }), ErrorCode::kInternal);
    EXPECT_EQ(code_from([&] { rows.row().int64(3); }), ErrorCode::kInternal);
  });
}

TEST_F(DatabaseTest, WrongSqlIsOurMistakeAndTheStatementIsInTheDetail) {
  auto read = [&](std::string_view sql, std::vector<Value> values) {
    return error_from([&] {
      database_->read([&](Connection& db) { db.query(sql, std::span<const Value>(values)); });
    });
  };
  EXPECT_EQ(read("SELEKT 1", {}).code(), ErrorCode::kInternal);
  EXPECT_NE(read("SELEKT 1", {}).detail().find("SELEKT"), std::string::npos);
  EXPECT_EQ(read("SELECT $1", {}).code(), ErrorCode::kInternal);
  EXPECT_EQ(read("SELECT $1", {1, 2}).code(), ErrorCode::kInternal);
  EXPECT_EQ(read("SELECT ?", {1}).code(), ErrorCode::kInternal);
  EXPECT_EQ(read("SELECT 1; SELECT 2", {}).code(), ErrorCode::kInternal);
  EXPECT_EQ(read("", {}).code(), ErrorCode::kInternal);
  EXPECT_EQ(read("SELECT \"no_such_column\"", {}).code(), ErrorCode::kInternal);
  database_->read([](Connection& db) { EXPECT_EQ(db.query_int64("SELECT 1 ; \n"), 1); });
}

TEST_F(DatabaseTest, QueryOneGivesTheOnlyRowNothingOrAnError) {
  add("pear");
  add("fig");
  database_->read([](Connection& db) {
    auto name = [](const Row& row) { return row.string(0); };
    EXPECT_EQ(db.query_one("SELECT name FROM fruit WHERE name = $1", {"fig"}, name), "fig");
    EXPECT_EQ(db.query_one("SELECT name FROM fruit WHERE name = $1", {"kiwi"}, name), std::nullopt);
    EXPECT_EQ(code_from([&] { db.query_one("SELECT name FROM fruit", {}, name); }),
              ErrorCode::kInternal);
    EXPECT_EQ(db.query_all("SELECT name FROM fruit ORDER BY name", {}, name),
              (std::vector<std::string>{"fig", "pear"}));
    EXPECT_EQ(db.query_int64("SELECT max(weight) FROM fruit"), std::nullopt);
  });
}

TEST_F(DatabaseTest, AQueryMayRunInsideItself) {
  for (const char* name : {"a", "b", "c"}) add(name);
  const char* all = "SELECT name FROM fruit ORDER BY name";
  std::string seen;
  database_->read([&](Connection& db) {
    for (const Row& outer : db.query(all)) {
      for (const Row& inner : db.query(all)) {
        seen += outer.string(0) + inner.string(0) + " ";
      }
    }
  });
  EXPECT_EQ(seen, "aa ab ac ba bb bc ca cb cc ");
}

TEST_F(DatabaseTest, MoreStatementsThanAreKeptStillWork) {
  database_->read([](Connection& db) {
    Cursor held = db.query("SELECT 'held' UNION ALL SELECT 'still'");
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 400; ++i) {
        ASSERT_EQ(db.query_int64("SELECT " + std::to_string(i)), i);
      }
    }
    ASSERT_TRUE(held.next() && held.next());
    EXPECT_EQ(held.row().text(0), "still");
  });
}

TEST_F(DatabaseTest, InsertReturningHasHappenedWhenTheQueryReturns) {
  database_->write(kProcess, [](Transaction& tx) {
    Cursor unread = tx.query("INSERT INTO fruit (name) VALUES ('plum') RETURNING id");
  });
  EXPECT_EQ(count(), 1);
}

TEST_F(DatabaseTest, AReadCannotWrite) {
  EXPECT_EQ(
      code_from([&] {
        database_->read([](Connection& db) { db.query("INSERT INTO fruit (id) VALUES (1)"); });
      }),
      ErrorCode::kUnavailable);
  EXPECT_EQ(count(), 0);
}

TEST_F(DatabaseTest, AWriteThatThrowsLeavesNothingAndItsCallerGetsTheError) {
  EXPECT_EQ(code_from([&] {
              database_->write(kDisk, [](Transaction& tx) {
                tx.execute("INSERT INTO fruit (name) VALUES ('pear')");
                throw not_found("no such tree");
              });
            }),
            ErrorCode::kNotFound);
  EXPECT_EQ(count(), 0);
  EXPECT_THROW(database_->write(kDisk, [](Transaction&) { throw std::logic_error("x"); }),
               std::logic_error);
  add("pear");
  EXPECT_EQ(count(), 1);
}

TEST_F(DatabaseTest, ConstraintsBecomeConflicts) {
  add("pear");
  EXPECT_EQ(code_from([&] { add("pear"); }), ErrorCode::kConflict);
  auto bite = [&](int64_t fruit) {
    database_->write(kProcess, [&](Transaction& tx) {
      tx.execute("INSERT INTO bite (fruit, at_ms) VALUES ($1, 0)", {fruit});
    });
  };
  EXPECT_EQ(code_from([&] { bite(99); }), ErrorCode::kConflict);
  bite(1);
  EXPECT_EQ(code_from([&] {
              database_->write(kProcess, [](Transaction& tx) { tx.execute("DELETE FROM fruit"); });
            }),
            ErrorCode::kConflict);
}

TEST_F(DatabaseTest, AJobThatSwallowsAFailedStatementHasFailedAllTheSame) {
  add("pear");
  auto error = error_from([&] {
    database_->write(kProcess, [](Transaction& tx) {
      tx.execute("INSERT INTO fruit (name) VALUES ('fig')");
      try {
        tx.execute("INSERT INTO fruit (name) VALUES ('pear')");
      } catch (const Error&) {
      }
      EXPECT_EQ(code_from([&] { tx.query("SELECT 1"); }), ErrorCode::kConflict);
    });
  });
  EXPECT_EQ(error.code(), ErrorCode::kConflict);
  EXPECT_EQ(count(), 1);
  EXPECT_EQ(add("fig"), 2) << "the next job is not touched";
}

TEST_F(DatabaseTest, ATextWithAZeroByteIsRefused) {
  EXPECT_EQ(code_from([&] { add(std::string("a\0b", 3)); }), ErrorCode::kInvalidInput);
  EXPECT_EQ(count(), 0);
}

TEST_F(DatabaseTest, AnUnsignedNumberThatDoesNotFitIsRefused) {
  EXPECT_EQ(Value(uint64_t{1} << 62).int64(), int64_t{1} << 62);
  EXPECT_EQ(code_from([] { Value v(uint64_t{1} << 63); }), ErrorCode::kInvalidInput);
}

TEST_F(DatabaseTest, AnAnsweredWriteIsSeenByEveryReadThatBeginsAfterIt) {
  for (int i = 0; i < 200; ++i) {
    add(std::to_string(i));
    ASSERT_EQ(count(), i + 1);
  }
}

TEST_F(DatabaseTest, AReadSeesOneSnapshotWhateverIsWrittenMeanwhile) {
  add("pear");
  database_->read([&](Connection& db) {
    EXPECT_EQ(db.query_int64("SELECT count(*) FROM fruit"), 1);
    std::thread([&] { add("fig"); }).join();
    EXPECT_EQ(db.query_int64("SELECT count(*) FROM fruit"), 1);
  });
  EXPECT_EQ(count(), 2);
}

TEST_F(DatabaseTest, ReadersBesideTheWriterSeeWholeJobsOnly) {
  database_->write(kProcess, [](Transaction& tx) {
    tx.run_script(
        "CREATE TABLE account (id INTEGER PRIMARY KEY, money INTEGER NOT NULL);"
        "INSERT INTO account VALUES (1, 500), (2, 500)");
  });
  std::atomic<bool> done = false;
  std::atomic<int> reads = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        int64_t sum = *database_->read(
            [](Connection& db) { return db.query_int64("SELECT sum(money) FROM account"); });
        ASSERT_EQ(sum, 1000);
        ++reads;
      }
    });
  }
  for (int i = 0; i < 300 || reads < 100; ++i) {
    database_->write(kProcess, [&](Transaction& tx) {
      tx.execute("UPDATE account SET money = money - $1 WHERE id = 1", {i % 7});
      tx.execute("UPDATE account SET money = money + $1 WHERE id = 2", {i % 7});
    });
  }
  done = true;
  for (auto& reader : readers) reader.join();
}

TEST_F(DatabaseTest, MoreReadersThanPlacesWaitAndThenAreToldThatItIsBusy) {
  SqliteOptions options;
  options.path = folder_.file("narrow.db");
  options.readers_max = 2;
  options.reader_wait_ms = 1;
  auto narrow = open_sqlite(options, real_env());
  narrow->read([&](Connection&) {
    narrow->read([&](Connection&) {
      EXPECT_EQ(code_from([&] { narrow->read([](Connection&) {}); }), ErrorCode::kBusy);
    });
    narrow->read([](Connection& db) { EXPECT_EQ(db.query_int64("SELECT 1"), 1); });
  });
}

TEST(OpenSqlite, AFileThatIsNoDatabaseIsRefusedWithItsName) {
  TestFolder folder;
  SqliteOptions options;
  options.path = folder.file("letter.db");
  std::ofstream(options.path) << std::string(5000, 'x');
  Error error = error_from([&] { open_sqlite(options, real_env()); });
  EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
  EXPECT_NE(error.message().find("letter.db"), std::string::npos);
  EXPECT_EQ(real_env().read_file(options.path, 9999), std::string(5000, 'x'));
}

TEST(OpenSqlite, AnAbsentFileOrFolderIsSaid) {
  TestFolder folder;
  SqliteOptions options;
  options.path = folder.file("none.db");
  options.create = false;
  EXPECT_EQ(code_from([&] { open_sqlite(options, real_env()); }), ErrorCode::kNotFound);
  EXPECT_FALSE(real_env().exists(options.path));
  options.create = true;
  options.path = folder.file("no_folder/none.db");
  EXPECT_EQ(code_from([&] { open_sqlite(options, real_env()); }), ErrorCode::kUnavailable);
  options.path = folder.file("new.db");
  open_sqlite(options, real_env());
  EXPECT_TRUE(real_env().exists(options.path));
}

TEST(OpenSqlite, TwoDatabasesLiveSideBySideAndOneFileMayBeOpenTwice) {
  TestFolder folder;
  auto first = open_test_database(folder), second = open_test_database(folder);
  first->write(kDisk, [](Transaction& tx) { tx.run_script("CREATE TABLE t (x INTEGER)"); });
  for (int i = 0; i < 20; ++i) {
    auto insert = [&](Transaction& tx) { tx.execute("INSERT INTO t VALUES ($1)", {i}); };
    first->write(kProcess, insert);
    second->write(kDisk, insert);
  }
  EXPECT_EQ(second->read([](Connection& db) { return db.query_int64("SELECT count(*) FROM t"); }),
            40);
}

}  // namespace
}  // namespace hone::store
