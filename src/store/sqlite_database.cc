#include "store/sqlite_database.h"

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "store/group_writer.h"
#include "store/sqlite_connection.h"
#include "store/sqlite_log.h"

namespace hone::store {
namespace {

class SqliteReader final : public Connection {
 public:
  explicit SqliteReader(const SqliteOpen& options) : sqlite_(options) {}

  // The snapshot is taken by the first statement after this.
  void begin() { sqlite_.start("BEGIN", {}).first->finish(); }
  // False when the connection should not be used again.
  bool end() noexcept {
    try {
      sqlite_.start("COMMIT", {}).first->finish();
      return true;
    } catch (const Error&) {
      return false;
    }
  }

 protected:
  std::pair<Statement*, bool> start(std::string_view sql, std::span<const Value> values) override {
    return sqlite_.start(sql, values);
  }

 private:
  SqliteConnection sqlite_;
};

class SqliteTransaction final : public Transaction {
 public:
  explicit SqliteTransaction(SqliteConnection& sqlite) : sqlite_(sqlite) {}

  void run_script(std::string_view sql) override {
    require_unfailed();
    sqlite_.exec(std::string(sql).c_str());
  }
  int64_t last_insert_id() override { return sqlite3_last_insert_rowid(sqlite_.handle()); }

 protected:
  std::pair<Statement*, bool> start(std::string_view sql, std::span<const Value> values) override {
    require_unfailed();
    return sqlite_.start(sql, values);
  }
  int64_t changed_rows() override { return sqlite3_changes64(sqlite_.handle()); }

 private:
  // PostgreSQL refuses to go on after a failed statement; so that no code rests on the difference,
  // neither does this.
  void require_unfailed() {
    if (sqlite_.failure()) std::rethrow_exception(sqlite_.failure());
  }

  SqliteConnection& sqlite_;
};

class SqliteBackend final : public GroupBackend {
 public:
  SqliteBackend(const SqliteOpen& options, int checkpoint_pages)
      : sqlite_(options),
        transaction_(sqlite_),
        log_(with_wal(sqlite_, options), checkpoint_pages) {
    sqlite_.exec("PRAGMA synchronous=NORMAL");
    sqlite3_wal_hook(sqlite_.handle(), &SqliteBackend::note_commit, this);
  }

  void begin() override {
    sqlite_.forget_failure();
    run("BEGIN IMMEDIATE");
  }
  void commit(Durability) override {
    log_pages_ = 0;
    run("COMMIT");
    if (log_pages_ > 0 && log_.committed(log_pages_)) {
      int log_pages = 0, copied = 0;
      if (sqlite3_wal_checkpoint_v2(sqlite_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                    &log_pages, &copied) == SQLITE_OK) {
        log_.copied(copied);
      }
    }
  }
  void sync() override { log_.sync(); }
  void rollback() noexcept override {
    sqlite_.forget_failure();
    if (!in_transaction()) return;
    try {
      run("ROLLBACK");
    } catch (const Error&) {
      HONE_CHECK(!in_transaction());
    }
    sqlite_.forget_failure();
  }
  void savepoint() override {
    sqlite_.forget_failure();
    run("SAVEPOINT job");
  }
  void release() override { run("RELEASE job"); }
  void rollback_to_savepoint() override {
    sqlite_.forget_failure();
    run("ROLLBACK TO job");
    run("RELEASE job");
  }
  bool in_transaction() const override { return sqlite3_get_autocommit(sqlite_.handle()) == 0; }
  Transaction& transaction() override { return transaction_; }
  void check_job() override {
    if (sqlite_.failure()) std::rethrow_exception(sqlite_.failure());
  }

 private:
  void run(std::string_view sql) { sqlite_.start(sql, {}).first->finish(); }

  // SQLite calls this inside a commit that wrote to the log. It takes the place of SQLite's own
  // checkpoints.
  static int note_commit(void* self, sqlite3*, const char*, int pages) {
    static_cast<SqliteBackend*>(self)->log_pages_ = pages;
    return SQLITE_OK;
  }

  // The options of further connections, once the file has a write-ahead log.
  static SqliteOpen with_wal(SqliteConnection& sqlite, SqliteOpen options) {
    auto [statement, has_row] = sqlite.start("PRAGMA journal_mode=WAL", {});
    std::string mode(has_row ? statement->text(0) : "");
    statement->finish();
    if (mode != "wal") {
      throw Error(ErrorCode::kUnavailable,
                  sqlite.path() +
                      ": this file system cannot hold the database (it gives no shared "
                      "memory); choose a folder on a local disk",
                  "journal_mode is " + mode);
    }
    options.create = false;
    options.cache_kib = 64;  // they read no rows
    return options;
  }

  SqliteConnection sqlite_;
  SqliteTransaction transaction_;
  int log_pages_ = 0;  // after the commit that ran last; 0 when it wrote nothing
  SqliteLog log_;
};

SqliteOpen open_options(const SqliteOptions& options, int cache_kib) {
  SqliteOpen open;
  open.path = options.path;
  open.lock_wait_ms = options.lock_wait_ms;
  open.cache_kib = cache_kib;
  open.vfs = options.vfs;
  return open;
}

SqliteOpen writer_options(const SqliteOptions& options) {
  SqliteOpen open = open_options(options, options.writer_cache_kib);
  open.create = options.create;
  return open;
}

GroupLimits limits_of(const SqliteOptions& options) {
  GroupLimits limits;
  limits.queue_jobs_max = options.queue_jobs_max;
  limits.group_jobs_max = options.group_jobs_max;
  limits.group_time_ms = options.group_time_ms;
  return limits;
}

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(const SqliteOptions& options, Env& env)
      : options_(options),
        backend_(writer_options(options), options.checkpoint_pages),
        writer_(backend_, limits_of(options), env) {}

  std::string_view dialect() const override { return "sqlite"; }
  WriteStatistics statistics() const override { return writer_.statistics(); }

 protected:
  void enqueue(std::unique_ptr<WriteJob> job) override { writer_.enqueue(std::move(job)); }
  bool on_own_thread() const override { return writer_.on_own_thread(); }

  Connection& begin_read() override {
    std::unique_ptr<SqliteReader> reader = take_reader();
    try {
      if (!reader) {
        SqliteOpen open = open_options(options_, options_.reader_cache_kib);
        open.read_only = true;
        reader = std::make_unique<SqliteReader>(open);
      }
      reader->begin();
    } catch (...) {
      give_back(nullptr);
      throw;
    }
    return *reader.release();
  }
  void end_read(Connection& connection) noexcept override {
    std::unique_ptr<SqliteReader> reader(static_cast<SqliteReader*>(&connection));
    if (!reader->end()) reader.reset();
    give_back(std::move(reader));
  }

 private:
  // A place among the readers, with an idle connection or null when one must be opened.
  std::unique_ptr<SqliteReader> take_reader() {
    std::unique_lock lock(mutex_);
    if (!freed_.wait_for(lock, std::chrono::milliseconds(options_.reader_wait_ms),
                         [&] { return reading_ < options_.readers_max; })) {
      throw Error(ErrorCode::kBusy, "too many reads at once; try again in a moment",
                  std::to_string(reading_) + " read connections are in use");
    }
    ++reading_;
    if (idle_.empty()) return nullptr;
    std::unique_ptr<SqliteReader> reader = std::move(idle_.back());
    idle_.pop_back();
    return reader;
  }
  void give_back(std::unique_ptr<SqliteReader> reader) noexcept {
    std::unique_ptr<SqliteReader> surplus;
    {
      std::lock_guard lock(mutex_);
      --reading_;
      if (reader && idle_.size() < options_.readers_kept) {
        idle_.push_back(std::move(reader));
      } else {
        surplus = std::move(reader);
      }
    }
    freed_.notify_one();
  }

  const SqliteOptions options_;
  SqliteBackend backend_;  // constructed here, then the writer thread's

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<SqliteReader>> idle_;  // guarded by mutex_
  size_t reading_ = 0;                               // guarded by mutex_

  GroupWriter writer_;  // last: it ends first
};

}  // namespace

std::unique_ptr<Database> open_sqlite(const SqliteOptions& options, Env& env) {
  const bool present = env.exists(options.path);
  if (!present && !options.create) {
    throw not_found("there is no database " + options.path + "; check the data folder");
  }
  auto database = std::make_unique<SqliteDatabase>(options, env);
  if (!present) {
    // The name of a new file must survive the power as its rows do.
    std::string folder = std::filesystem::path(options.path).parent_path().string();
    env.sync_directory(folder.empty() ? "." : folder);
  }
  return database;
}

}  // namespace hone::store
