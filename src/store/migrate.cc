#include "store/migrate.h"

#include <charconv>
#include <string>

#include "base/error.h"

namespace hone::store {
namespace {

constexpr std::string_view kCreateRecord =
    "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL,"
    " digest TEXT NOT NULL, applied_at_ms BIGINT NOT NULL)";
constexpr std::string_view kRecords =
    "SELECT number, name, digest FROM schema_migrations ORDER BY number";
constexpr std::string_view kRecord =
    "INSERT INTO schema_migrations (number, name, digest, applied_at_ms) VALUES ($1, $2, $3, $4)";

std::string four_digits(int64_t number) {
  std::string text = std::to_string(number);
  return std::string(text.size() < 4 ? 4 - text.size() : 0, '0') + text;
}

// A file that was never migrated has no record (SQLite's catalogue; PostgreSQL will ask its own).
bool has_record(Connection& db) {
  return db.query_int64("SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'") == 1;
}

}  // namespace

std::vector<Migration> migrations_of(std::span<const EmbeddedFile> files) {
  std::vector<Migration> migrations;
  for (const EmbeddedFile& file : files) {
    std::string_view name = file.name;
    int64_t number = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    const bool named = error == std::errc() && end == name.data() + 4 && name.size() > 9 &&
                       name[4] == '_' && name.ends_with(".sql");
    if (!named || number != static_cast<int64_t>(migrations.size()) + 1 || file.is_gzip) {
      throw Error(ErrorCode::kInternal, "the program's own migrations are not in order",
                  std::string(name) + " is not number " + std::to_string(migrations.size() + 1));
    }
    migrations.push_back({number, name.substr(5, name.size() - 9), file.bytes, file.sha256});
  }
  return migrations;
}

size_t count_migrations(Connection& db, std::span<const Migration> migrations) {
  size_t applied = 0;
  if (!has_record(db)) return 0;
  for (const Row& row : db.query(kRecords)) {
    std::string name = four_digits(row.int64(0)) + "_" + row.string(1);
    if (applied == migrations.size()) {
      throw Error(ErrorCode::kCorruptData,
                  "the database was made by a newer Hone; use that version, or restore a backup of "
                  "this one's",
                  "it has had migration " + name + ", this program knows " +
                      std::to_string(migrations.size()));
    }
    const Migration& known = migrations[applied];
    if (row.int64(0) != known.number || row.text(1) != known.name || row.text(2) != known.digest) {
      throw Error(ErrorCode::kCorruptData,
                  "the database's form is not one of this Hone's: its migration " + name +
                      " was another; use the program that made it, or restore a backup",
                  "recorded digest " + row.string(2) + ", known " + four_digits(known.number) +
                      "_" + std::string(known.name) + " " + std::string(known.digest));
    }
    ++applied;
  }
  return applied;
}

size_t migrate(Database& database, std::span<const Migration> migrations, int64_t now_ms) {
  size_t applied = database.write(Durability::kDisk, [&](Transaction& tx) {
    tx.execute(kCreateRecord);
    return count_migrations(tx, migrations);
  });
  const size_t before = applied;
  while (applied < migrations.size()) {
    database.write(Durability::kDisk, [&](Transaction& tx) {
      // Again inside this transaction: another process may have been here meanwhile.
      applied = count_migrations(tx, migrations);
      if (applied == migrations.size()) return;
      const Migration& next = migrations[applied];
      tx.run_script(next.sql);
      tx.execute(kRecord, {next.number, next.name, next.digest, now_ms});
      ++applied;
    });
  }
  return applied - before;
}

void require_migrated(Database& database, std::span<const Migration> migrations) {
  size_t applied = database.read([&](Connection& db) { return count_migrations(db, migrations); });
  if (applied == migrations.size()) return;
  throw Error(ErrorCode::kCorruptData,
              "the database is of an older Hone; start this one once with it to bring it forward",
              "migration " + std::to_string(applied + 1) + " is missing");
}

}  // namespace hone::store
