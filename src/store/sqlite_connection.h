#pragma once
// One connection to an SQLite file with its prepared statements, and how SQLite's outcomes become
// Errors. Used by one thread at a time. Only sqlite_* and backup.cc include this.
//
// Documentation: https://www.sqlite.org/c3ref/intro.html

#include <sqlite3.h>

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "store/database.h"

namespace hone::store {

// The Error of an extended result code. `text` is SQLite's own message, for the log.
Error sqlite_error(int code, std::string_view path, std::string text);

struct SqliteOpen {
  std::string path;
  bool create = false;
  bool read_only = false;  // statements that write are refused
  int lock_wait_ms = 5000;
  int cache_kib = 2048;
  std::string vfs;  // the operating system's when empty
  size_t statements_max = 256;
};

class SqliteConnection {
 public:
  explicit SqliteConnection(const SqliteOpen& options);  // throws kCorruptData for a foreign file
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // Runs the statement to its first row; it is in use until its finish().
  std::pair<Statement*, bool> start(std::string_view sql, std::span<const Value> values);
  void exec(const char* statements);  // one or several, rows are dropped
  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

  [[noreturn]] void fail(int code, std::string_view sql);
  // Whether a statement failed since the last forget_failure(), and with what.
  const std::exception_ptr& failure() const { return failure_; }
  void forget_failure() { failure_ = nullptr; }

 private:
  class Prepared;
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };

  Prepared& prepared(std::string_view sql);
  void evict();

  std::string path_;
  size_t statements_max_;
  std::unique_ptr<sqlite3, Close> handle_;
  std::exception_ptr failure_;
  // Most recently used first. The map's keys are views of the statements' own texts; a statement
  // asked for while it is in use stands twice in the list and once in the map.
  std::list<std::unique_ptr<Prepared>> statements_;
  std::unordered_map<std::string_view, std::list<std::unique_ptr<Prepared>>::iterator> by_text_;
};

}  // namespace hone::store
