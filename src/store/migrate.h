#pragma once
// Brings a database to the form that this program expects. A migration is a numbered SQL script; a
// database records which it has had, with the digest of each, in the table schema_migrations.
//
// Forward only: a migration that was released is never edited, a later one corrects it. Each runs in
// one transaction with its record, so that a crash leaves it done or not begun.
//
// Page: docs/formats/schema_migrations.md.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/embedded_file.h"
#include "store/database.h"

namespace hone::store {

struct Migration {
  int64_t number = 0;  // 1, 2, 3, …
  std::string_view name;
  std::string_view sql;
  std::string_view digest;  // of the file, as hone_embed gives it
};

// Of files named NNNN_name.sql; refuses (internal) other names and numbers that do not count up
// from 1. The views are the files' own.
std::vector<Migration> migrations_of(std::span<const EmbeddedFile> files);

// Applies what is missing, in order; returns how many that were. Throws corrupt_data, and changes
// nothing, when the database has had a migration with another digest or name, or one that this
// program does not know ("made by a newer Hone").
size_t migrate(Database& database, std::span<const Migration> migrations, int64_t now_ms);

// The check alone: throws as migrate does, and also when a migration is missing.
void require_migrated(Database& database, std::span<const Migration> migrations);

// How many of them the database has had; throws as migrate does.
size_t count_migrations(Connection& db, std::span<const Migration> migrations);

}  // namespace hone::store
