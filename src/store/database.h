#pragma once
// A database, spoken to in SQL: one small interface, implemented by SQLite now and by PostgreSQL
// as its second implementation (docs/decisions/0009-sqlite-directly.md). This room knows no labels.
//
//   std::unique_ptr<Database> database = store::open_sqlite({.path = "org.db"}, env);
//   std::vector<Task> tasks = database->read([&](Connection& db) {
//     return db.query_all(kTasksOfProject, {project, after}, read_task); });
//   int64_t id = database->write(Durability::kDisk, [&](Transaction& tx) {
//     tx.execute(kInsertTask, {project, text});
//     return tx.last_insert_id(); });
//
// Statements use PostgreSQL's numbered parameters ($1, $2), which SQLite takes too; each is prepared
// once a connection and kept. Values are null, int64, double, text or bytes (value.h). A text with a
// zero byte is refused with invalid_input, since PostgreSQL cannot keep it.
//
// The write path. All writes of one database meet in one writer thread, which takes what waits and
// commits it as one group: one transaction, one sync of the disk, many answers (group_writer.h). Each job can undo
// itself and only itself: a job that throws leaves nothing, and its caller gets the error. A caller
// gets its answer only when the group is as durable as the job asked for:
//   Durability::kDisk    the commit is on the disk: answers of people
//   Durability::kProcess the commit survives the process, not the power (leases, heartbeats, drafts)
// One sync serves all that was committed before it, and only kDisk jobs wait for it. Jobs run in the
// order in which they came, and what survives the power is always a prefix of that order. When a
// group cannot be committed (the disk is full), every job of it gets that error. When the disk
// refuses a sync, nothing is written any more until the database is opened again: what the disk then
// holds is unknown (group_writer.h).
//
// A job is a function of the transaction: it must have no other effect than its value, because an
// implementation may run it again (PostgreSQL after a deadlock), and it must be short, because all
// writers wait for it. After a statement failed, the job has failed: let the error go up; further
// statements are refused, and the job leaves nothing even if it swallows the error. What is expected
// to collide is asked with ON CONFLICT. The queue is bounded: beyond it a write is refused with
// busy, and nothing of it was done.
//
// Reads run on the caller's thread over a small pool of read connections, each read one snapshot,
// beside the writer. They see all writes that were answered before the read began. A read that lasts
// (an export) keeps the write-ahead log from being shortened: read in pages instead.
//
// Errors: hone::Error, kUnavailable (disk full, locked by another process), kConflict (a unique or
// foreign key), kCorruptData (the file is no database, or of a newer program), kBusy (too much is
// waiting), kInternal (our SQL, a wrong type or number of values).
//
// A Database may be used from any thread; a Connection, Transaction, Cursor or Row only inside the
// function that it was given to. write() and submit()'s done: see there.

#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/result.h"
#include "store/value.h"
#include "store/write_job.h"

namespace hone::store {

// What an implementation gives a Cursor: one prepared statement in use. Not for callers.
class Statement {
 public:
  virtual ~Statement() = default;
  virtual bool step() = 0;             // to the next row; false after the last
  virtual void finish() noexcept = 0;  // ends this use
  virtual size_t columns() const = 0;
  virtual ValueKind kind(size_t column) const = 0;
  virtual int64_t int64(size_t column) const = 0;
  virtual double real(size_t column) const = 0;
  virtual std::string_view text(size_t column) const = 0;
  virtual std::string_view bytes(size_t column) const = 0;
};

// The row that a cursor stands on. Columns count from 0. A getter throws internal when the column
// is null or of another kind (an integer is also a real); views live until the cursor's next step.
class Row {
 public:
  explicit Row(const Statement& statement) : statement_(&statement) {}

  size_t columns() const { return statement_->columns(); }
  bool is_null(size_t column) const { return kind(column) == ValueKind::kNull; }
  ValueKind kind(size_t column) const;
  int64_t int64(size_t column) const;
  bool boolean(size_t column) const { return int64(column) != 0; }
  double real(size_t column) const;
  std::string_view text(size_t column) const;
  std::string_view bytes(size_t column) const;
  std::string string(size_t column) const { return std::string(text(column)); }

  // Nothing for null.
  std::optional<int64_t> optional_int64(size_t column) const;
  std::optional<double> optional_real(size_t column) const;
  std::optional<std::string_view> optional_text(size_t column) const;
  std::optional<std::string> optional_string(size_t column) const;

 private:
  const Statement* statement_;
};

// The rows of one query, read one after the other, either way:
//   for (const Row& row : db.query(kTasks, {project})) ...
//   Cursor cursor = db.query(kTasks, {project}); while (cursor.next()) cursor.row() ...
class Cursor {
 public:
  Cursor(Statement& statement, bool has_row)
      : statement_(&statement), row_(statement), has_row_(has_row) {}
  ~Cursor() { close(); }
  Cursor(Cursor&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)),
        row_(other.row_),
        has_row_(other.has_row_),
        started_(other.started_) {}
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  Cursor& operator=(Cursor&&) = delete;

  bool next();
  const Row& row() const { return row_; }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Row;
    using difference_type = std::ptrdiff_t;
    explicit Iterator(Cursor& cursor) : cursor_(&cursor) {}
    const Row& operator*() const { return cursor_->row(); }
    const Row* operator->() const { return &cursor_->row(); }
    Iterator& operator++() {
      cursor_->next();
      return *this;
    }
    void operator++(int) { cursor_->next(); }
    bool operator==(std::default_sentinel_t) const { return !cursor_->has_row_; }

   private:
    Cursor* cursor_;
  };
  Iterator begin() {
    next();
    return Iterator(*this);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  void close() noexcept;

  Statement* statement_;  // borrowed from the connection; null when closed
  Row row_;
  bool has_row_;
  bool started_ = false;
};

// Reads. Every call takes its values as a list in braces or as a span.
class Connection {
 public:
  virtual ~Connection() = default;

  // The statement has run to its first row when this returns, so an INSERT … RETURNING has happened.
  Cursor query(std::string_view sql, std::initializer_list<Value> values = {}) {
    return query(sql, std::span<const Value>(values.begin(), values.size()));
  }
  Cursor query(std::string_view sql, std::span<const Value> values);

  // read(row) for the only row, or nothing when there is none; a second row is our mistake: internal.
  template <class Read>
  auto query_one(std::string_view sql, std::initializer_list<Value> values, Read&& read) {
    return query_one(sql, std::span<const Value>(values.begin(), values.size()), read);
  }
  template <class Read>
  auto query_one(std::string_view sql, std::span<const Value> values, Read&& read)
      -> std::optional<std::decay_t<std::invoke_result_t<Read&, const Row&>>> {
    Cursor cursor = query(sql, values);
    if (!cursor.next()) return std::nullopt;
    std::optional<std::decay_t<std::invoke_result_t<Read&, const Row&>>> value(read(cursor.row()));
    require_end(cursor);
    return value;
  }

  // read(row) of every row.
  template <class Read>
  auto query_all(std::string_view sql, std::initializer_list<Value> values, Read&& read) {
    return query_all(sql, std::span<const Value>(values.begin(), values.size()), read);
  }
  template <class Read>
  auto query_all(std::string_view sql, std::span<const Value> values, Read&& read)
      -> std::vector<std::decay_t<std::invoke_result_t<Read&, const Row&>>> {
    std::vector<std::decay_t<std::invoke_result_t<Read&, const Row&>>> all;
    Cursor cursor = query(sql, values);
    while (cursor.next()) all.push_back(read(cursor.row()));
    return all;
  }

  // The first column of the only row; nothing when there is no row or the column is null.
  std::optional<int64_t> query_int64(std::string_view sql,
                                     std::initializer_list<Value> values = {});
  std::optional<std::string> query_text(std::string_view sql,
                                        std::initializer_list<Value> values = {});

 protected:
  // Runs the statement to its first row. It stays in use until finish().
  virtual std::pair<Statement*, bool> start(std::string_view sql,
                                            std::span<const Value> values) = 0;

 private:
  static void require_end(Cursor& cursor);
};

// Reads and writes of one job, all or nothing.
class Transaction : public Connection {
 public:
  // Runs one statement to its end; returns how many rows it inserted, changed or deleted.
  int64_t execute(std::string_view sql, std::initializer_list<Value> values = {}) {
    return execute(sql, std::span<const Value>(values.begin(), values.size()));
  }
  int64_t execute(std::string_view sql, std::span<const Value> values);

  // Several statements without values, separated by semicolons: a migration.
  virtual void run_script(std::string_view sql) = 0;

  // The integer key of the row that this job inserted last. RETURNING says it too.
  virtual int64_t last_insert_id() = 0;

 protected:
  virtual int64_t changed_rows() = 0;  // by the statement that ran last
};

// Counts since the database was opened, for /metrics; read at any time.
struct WriteStatistics {
  uint64_t jobs = 0;         // answered with a value
  uint64_t jobs_failed = 0;  // answered with an error
  uint64_t groups = 0;       // transactions committed
  uint64_t disk_groups = 0;  // syncs of the disk; each answered all kDisk jobs that had gathered
  size_t waiting = 0;        // jobs in the queue or waiting for a sync, now
};

class Database {
 public:
  virtual ~Database() = default;  // finishes the writes that wait

  virtual std::string_view dialect() const = 0;  // "sqlite", "postgres": the folder of migrations

  // The value of f(Connection&), called on this thread over one snapshot. The value must not refer
  // to rows. Waits for a free read connection; busy when none comes free in time.
  template <class F>
  auto read(F&& f) -> std::invoke_result_t<F&, Connection&> {
    static_assert(!std::is_same_v<std::decay_t<std::invoke_result_t<F&, Connection&>>, Cursor>,
                  "rows end with the read: use query_all or copy what you need");
    ReadLease lease(*this);
    return f(lease.connection());
  }

  // The value of f(Transaction&), called on the writer thread; returns when it is as durable as
  // asked, or throws what f threw. Called on a thread of the database (from a job or from done) it
  // would wait for itself: that is our mistake and ends the program.
  template <class F>
  auto write(Durability durability, F&& f) -> std::invoke_result_t<F&, Transaction&> {
    HONE_CHECK(!on_own_thread());
    return write_async(durability, std::forward<F>(f)).get();
  }

  // The same with a future; throws busy at once when the queue is full.
  template <class F>
  auto write_async(Durability durability, F&& f)
      -> std::future<std::invoke_result_t<F&, Transaction&>> {
    using Job = PromisedJob<std::decay_t<F>, Transaction>;
    auto job = std::make_unique<Job>(durability, std::forward<F>(f));
    auto future = job->future();
    enqueue(std::move(job));
    return future;
  }

  // The same with a callback: done(Result<value>) is called once, on a thread of the database, when
  // the job is as durable as asked or with the error (Result<std::monostate> for a function without a value). All writers
  // wait for done, so it only hands the result on; it must not throw. When the queue is full,
  // submit throws busy and never calls done.
  template <class F, class Done>
  void submit(Durability durability, F&& f, Done&& done) {
    enqueue(std::make_unique<CallbackJob<std::decay_t<F>, std::decay_t<Done>, Transaction>>(
        durability, std::forward<F>(f), std::forward<Done>(done)));
  }

  virtual WriteStatistics statistics() const = 0;

 protected:
  virtual void enqueue(std::unique_ptr<WriteJob> job) = 0;  // throws busy
  virtual bool on_own_thread() const = 0;
  virtual Connection& begin_read() = 0;
  virtual void end_read(Connection& connection) noexcept = 0;

 private:
  class ReadLease {
   public:
    explicit ReadLease(Database& database)
        : database_(database), connection_(database.begin_read()) {}
    ~ReadLease() { database_.end_read(connection_); }
    ReadLease(const ReadLease&) = delete;
    ReadLease& operator=(const ReadLease&) = delete;
    Connection& connection() { return connection_; }

   private:
    Database& database_;
    Connection& connection_;
  };
};

}  // namespace hone::store
