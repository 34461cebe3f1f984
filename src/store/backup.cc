#include "store/backup.h"

#include <filesystem>
#include <memory>
#include <utility>

#include "base/error.h"
#include "store/sqlite_connection.h"

namespace hone::store {
namespace {

class PlainConnection final : public Connection {
 public:
  explicit PlainConnection(const SqliteOpen& options) : sqlite_(options) {}
  SqliteConnection& sqlite() { return sqlite_; }

 protected:
  std::pair<Statement*, bool> start(std::string_view sql, std::span<const Value> values) override {
    return sqlite_.start(sql, values);
  }

 private:
  SqliteConnection sqlite_;
};

std::unique_ptr<PlainConnection> open_reader(const std::string& path) {
  SqliteOpen open;
  open.path = path;
  open.read_only = true;
  return std::make_unique<PlainConnection>(open);
}

void require_file(Env& env, const std::string& path) {
  if (!env.exists(path)) throw not_found("there is no database " + path + "; check its name");
}

// Copies all pages. The source's read transaction is open, so that every step sees one snapshot and
// no write by others starts the copy again.
void copy_pages(SqliteConnection& source, SqliteConnection& target, const BackupOptions& options) {
  std::unique_ptr<sqlite3_backup, int (*)(sqlite3_backup*)> backup(
      sqlite3_backup_init(target.handle(), "main", source.handle(), "main"), sqlite3_backup_finish);
  if (!backup) target.fail(sqlite3_extended_errcode(target.handle()), "backup");
  int code = SQLITE_OK;
  while (code != SQLITE_DONE) {
    code = sqlite3_backup_step(backup.get(), options.pages_at_once);
    if (code != SQLITE_OK && code != SQLITE_DONE) target.fail(code, "backup");
    const int all = sqlite3_backup_pagecount(backup.get());
    const int left = sqlite3_backup_remaining(backup.get());
    if (options.progress && !options.progress(all == 0 ? 1.0 : 1.0 - double(left) / all)) {
      throw Error(ErrorCode::kUnavailable, "the copy was stopped; nothing of it was kept");
    }
  }
}

void write_copy(const std::string& source_path, const std::string& part,
                const BackupOptions& options) {
  auto source = open_reader(source_path);
  source->sqlite().exec("BEGIN");
  source->query_int64("SELECT count(*) FROM sqlite_schema");
  SqliteOpen open;
  open.path = part;
  open.create = true;
  SqliteConnection target(open);
  // Nobody else sees the part, and what is left of it after a crash is thrown away.
  target.exec("PRAGMA journal_mode=OFF; PRAGMA synchronous=FULL");
  copy_pages(source->sqlite(), target, options);
  // One file without a log beside it, which can be read where nothing can be written.
  target.exec("PRAGMA journal_mode=DELETE");
}

}  // namespace

void copy_sqlite(Env& env, const std::string& source, const std::string& target,
                 const BackupOptions& options) {
  require_file(env, source);
  if (env.exists(target)) {
    throw Error(ErrorCode::kConflict, target + " exists already; choose another name");
  }
  const std::string part = target + ".part";
  auto sweep = [&] {
    for (const char* ending : {"", "-journal", "-wal", "-shm"}) env.remove_all(part + ending);
  };
  sweep();
  try {
    write_copy(source, part, options);
  } catch (...) {
    sweep();
    throw;
  }
  env.rename(part, target);
  std::string folder = std::filesystem::path(target).parent_path().string();
  env.sync_directory(folder.empty() ? "." : folder);
}

SqliteCheck check_sqlite(Env& env, const std::string& path, std::span<const Migration> migrations) {
  require_file(env, path);
  auto db = open_reader(path);
  auto damaged = [&](const std::string& what) {
    return Error(ErrorCode::kCorruptData, path + " is damaged; use another backup", what);
  };
  for (const Row& row : db->query("PRAGMA integrity_check(1)")) {
    if (row.text(0) != "ok") throw damaged(row.string(0));
  }
  for (const Row& row : db->query("PRAGMA foreign_key_check")) {
    throw damaged("a row of " + row.string(0) + " refers to a row of " + row.string(2) +
                  " that does not exist");
  }
  return {count_migrations(*db, migrations), env.file_size(path)};
}

}  // namespace hone::store
