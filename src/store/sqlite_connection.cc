#include "store/sqlite_connection.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace hone::store {
namespace {

struct Meaning {
  ErrorCode code;
  const char* message;
};

Meaning meaning_of(int code) {
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: return {ErrorCode::kConflict, "this exists already"};
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return {ErrorCode::kConflict, "this refers to something that does not exist, or is in use"};
    default: break;
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {ErrorCode::kUnavailable,
              "the disk of the database is full; make room there and try again"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kUnavailable,
              "the database is locked by another process; try again when that has ended"};
    case SQLITE_IOERR:
      return {ErrorCode::kUnavailable,
              "the disk of the database failed; look at the disk and try again"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {ErrorCode::kUnavailable,
              "the database may not be written; check who owns its file and folder"};
    case SQLITE_CANTOPEN:
      return {ErrorCode::kUnavailable,
              "the database cannot be opened; check its folder and who may use it"};
    case SQLITE_NOTADB:
      return {ErrorCode::kCorruptData,
              "the file is no database of Hone; choose another file or restore a backup"};
    case SQLITE_CORRUPT:
      return {ErrorCode::kCorruptData, "the database is damaged; restore a backup"};
    case SQLITE_NOMEM:
      return {ErrorCode::kUnavailable, "there is not enough memory; try again later"};
    case SQLITE_TOOBIG:
      return {ErrorCode::kTooLarge, "a value or statement is larger than the database takes"};
    default: return {ErrorCode::kInternal, "the program asked its database wrongly"};
  }
}

// $1 -> 1; 0 for anything else.
size_t parameter_number(const char* name) {
  if (name == nullptr || name[0] != '$') return 0;
  size_t number = 0;
  const char* end = name + std::strlen(name);
  auto [stop, error] = std::from_chars(name + 1, end, number);
  return error == std::errc() && stop == end ? number : 0;
}

}  // namespace

Error sqlite_error(int code, std::string_view path, std::string text) {
  Meaning meaning = meaning_of(code);
  std::string message = meaning.message;
  // Whoever meets these asks which file; who meets a conflict does not.
  if (meaning.code == ErrorCode::kUnavailable || meaning.code == ErrorCode::kCorruptData) {
    message = std::string(path) + ": " + message;
  }
  return {meaning.code, std::move(message),
          std::string(sqlite3_errstr(code)) + " (" + std::to_string(code) + "): " + text};
}

// A statement that SQLite has compiled, with the place of each $n.
class SqliteConnection::Prepared final : public Statement {
 public:
  Prepared(SqliteConnection& connection, std::string_view sql)
      : connection_(connection), sql_(sql) {
    const char* tail = nullptr;
    int code = sqlite3_prepare_v3(connection.handle(), sql_.data(), static_cast<int>(sql_.size()),
                                  SQLITE_PREPARE_PERSISTENT, &statement_, &tail);
    if (code != SQLITE_OK) connection.fail(code, sql);
    const char* end = sql_.data() + sql_.size();
    const bool several = tail != nullptr && std::any_of(tail, end, [](char c) {
                           return c != ' ' && c != '\n' && c != '\t' && c != ';' && c != '\r';
                         });
    if (statement_ == nullptr || several) {
      sqlite3_finalize(statement_);
      throw Error(ErrorCode::kInternal, "the program asked its database wrongly",
                  "not exactly one statement: " + sql_);
    }
    const int parameters = sqlite3_bind_parameter_count(statement_);
    for (int i = 1; i <= parameters; ++i) {
      numbers_.push_back(parameter_number(sqlite3_bind_parameter_name(statement_, i)));
    }
    values_ = numbers_.empty() ? 0 : *std::max_element(numbers_.begin(), numbers_.end());
    columns_ = static_cast<size_t>(sqlite3_column_count(statement_));
  }
  ~Prepared() override { sqlite3_finalize(statement_); }

  const std::string& sql() const { return sql_; }
  bool in_use() const { return in_use_; }

  bool start(std::span<const Value> values) {
    bind(values);
    in_use_ = true;
    try {
      return step();
    } catch (...) {
      finish();
      throw;
    }
  }

  bool step() override {
    int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    connection_.fail(sqlite3_extended_errcode(connection_.handle()), sql_);
  }
  void finish() noexcept override {
    sqlite3_reset(statement_);
    if (values_ > 0) sqlite3_clear_bindings(statement_);
    in_use_ = false;
  }

  size_t columns() const override { return columns_; }
  ValueKind kind(size_t column) const override {
    switch (sqlite3_column_type(statement_, static_cast<int>(column))) {
      case SQLITE_INTEGER: return ValueKind::kInt64;
      case SQLITE_FLOAT: return ValueKind::kDouble;
      case SQLITE_TEXT: return ValueKind::kText;
      case SQLITE_BLOB: return ValueKind::kBytes;
      default: return ValueKind::kNull;
    }
  }
  int64_t int64(size_t column) const override {
    return sqlite3_column_int64(statement_, static_cast<int>(column));
  }
  double real(size_t column) const override {
    return sqlite3_column_double(statement_, static_cast<int>(column));
  }
  std::string_view text(size_t column) const override {
    const int i = static_cast<int>(column);
    const auto* data = sqlite3_column_text(statement_, i);
    return view(data, sqlite3_column_bytes(statement_, i));
  }
  std::string_view bytes(size_t column) const override {
    const int i = static_cast<int>(column);
    const void* data = sqlite3_column_blob(statement_, i);
    return view(data, sqlite3_column_bytes(statement_, i));
  }

 private:
  static std::string_view view(const void* data, int bytes) {
    if (data == nullptr) return {};
    return {static_cast<const char*>(data), static_cast<size_t>(bytes)};
  }

  void bind(std::span<const Value> values) {
    if (values.size() != values_) {
      throw Error(ErrorCode::kInternal, "the program asked its database wrongly",
                  std::to_string(values.size()) + " values for " + std::to_string(values_) +
                      " parameters: " + sql_);
    }
    for (size_t i = 0; i < numbers_.size(); ++i) {
      if (numbers_[i] == 0) {
        throw Error(ErrorCode::kInternal, "the program asked its database wrongly",
                    "a parameter is not $1, $2, ...: " + sql_);
      }
      int code = bind_one(static_cast<int>(i) + 1, values[numbers_[i] - 1]);
      if (code != SQLITE_OK) connection_.fail(code, sql_);
    }
  }

  // SQLite copies the bytes: the caller's list may be gone before the last row is read.
  int bind_one(int place, const Value& value) {
    switch (value.kind()) {
      case ValueKind::kNull: return sqlite3_bind_null(statement_, place);
      case ValueKind::kInt64: return sqlite3_bind_int64(statement_, place, value.int64());
      case ValueKind::kDouble: return sqlite3_bind_double(statement_, place, value.real());
      case ValueKind::kText: {
        std::string_view text = value.text();
        if (text.find('\0') != std::string_view::npos) {
          throw invalid_input("a text holds a zero byte, which cannot be kept; remove it");
        }
        return sqlite3_bind_text64(statement_, place, text.empty() ? "" : text.data(), text.size(),
                                   SQLITE_TRANSIENT, SQLITE_UTF8);
      }
      case ValueKind::kBytes: {
        std::string_view bytes = value.bytes();
        return sqlite3_bind_blob64(statement_, place, bytes.empty() ? "" : bytes.data(),
                                   bytes.size(), SQLITE_TRANSIENT);
      }
    }
    return SQLITE_MISUSE;
  }

  SqliteConnection& connection_;
  std::string sql_;
  sqlite3_stmt* statement_ = nullptr;
  std::vector<size_t> numbers_;  // of each place: the n of its $n
  size_t values_ = 0;
  size_t columns_ = 0;
  bool in_use_ = false;
};

SqliteConnection::SqliteConnection(const SqliteOpen& options)
    : path_(options.path), statements_max_(options.statements_max) {
  // SQLite's count of its memory, which nobody reads, is a lock that every allocation takes. It can be
  // put off before the first use of the library only; later this is refused, and nothing is lost.
  [[maybe_unused]] static const int kNoCount = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (options.create ? SQLITE_OPEN_CREATE : 0);
  int code = sqlite3_open_v2(path_.c_str(), &handle, flags,
                             options.vfs.empty() ? nullptr : options.vfs.c_str());
  handle_.reset(handle);
  if (code != SQLITE_OK) fail(code, "open");
  sqlite3_busy_timeout(handle, options.lock_wait_ms);
  // A name in double quotes that is no column is an error, not a text.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  exec("PRAGMA trusted_schema=OFF; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY");
  exec(("PRAGMA cache_size=-" + std::to_string(options.cache_kib)).c_str());
  // The first look into the file: what is no database is refused here.
  exec("SELECT count(*) FROM sqlite_schema");
  if (options.read_only) exec("PRAGMA query_only=ON");
}

SqliteConnection::~SqliteConnection() {
  by_text_.clear();
  statements_.clear();
}

void SqliteConnection::fail(int code, std::string_view sql) {
  const char* text = handle_ ? sqlite3_errmsg(handle_.get()) : "";
  Error error = sqlite_error(code, path_, std::string(text) + " in: " + std::string(sql));
  failure_ = std::make_exception_ptr(error);
  throw error;
}

void SqliteConnection::exec(const char* statements) {
  int code = sqlite3_exec(handle_.get(), statements, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code, statements);
}

std::pair<Statement*, bool> SqliteConnection::start(std::string_view sql,
                                                    std::span<const Value> values) {
  Prepared& statement = prepared(sql);
  return {&statement, statement.start(values)};
}

SqliteConnection::Prepared& SqliteConnection::prepared(std::string_view sql) {
  auto found = by_text_.find(sql);
  if (found != by_text_.end()) {
    if (!(*found->second)->in_use()) {
      statements_.splice(statements_.begin(), statements_, found->second);
      return *statements_.front();
    }
    by_text_.erase(found);  // the one in use goes when it is the oldest
  }
  statements_.push_front(std::make_unique<Prepared>(*this, sql));
  by_text_.emplace(statements_.front()->sql(), statements_.begin());
  evict();
  return *statements_.front();
}

void SqliteConnection::evict() {
  auto oldest = statements_.end();
  while (statements_.size() > statements_max_ && oldest != statements_.begin()) {
    --oldest;
    if ((*oldest)->in_use() || oldest == statements_.begin()) continue;
    auto entry = by_text_.find((*oldest)->sql());
    if (entry != by_text_.end() && entry->second == oldest) by_text_.erase(entry);
    oldest = statements_.erase(oldest);
  }
}

}  // namespace hone::store
