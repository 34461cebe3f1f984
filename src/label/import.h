#pragma once
// A file of somebody's tasks into a project, as a stream: any size, bounded memory, every bad row
// named, and an import that was broken off goes on where it stopped (docs/formats/import.md).
//
//   Importer importer(organisation, actor, {.project = "prj_…", .name = "pairs.jsonl"});
//   while (read(bytes)) importer.feed(bytes);
//   ImportState done = importer.finish();
//
// Rows are committed in batches while the next ones are read; finish() returns when all of them are on
// the disk. A batch holds its tasks, votes and errors and how many bytes of the file are done with, so
// after a crash the database says where to go on: resume() takes the same file from its first byte,
// passes over what is done (and refuses another file by the digest of those bytes), and goes on.
// Content digests keep a task from coming twice even when a file is imported anew.
//
// An Importer that is destroyed unfinished, or told to stop, leaves the import as failed with what was
// committed: it can be resumed. Memory: three batches of at most 8 MiB of tasks and one row.
//
// Errors: not_found (project, import), conflict (the project has ended; the import is done; another
// file), invalid_input (a header that cannot be used; no row was good and none was a duplicate is no
// error: the state says it), too_large (over max_bytes), and what the database throws.
// Used by one thread at a time; on_progress is called on it.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "label/import_formats.h"
#include "label/import_votes.h"
#include "label/organisation.h"
#include "label/permissions.h"

namespace hone::label {

struct RowError {
  uint64_t line = 0;
  std::string reason;
};

// One row of `import`.
struct ImportState {
  static constexpr size_t kMostErrors = 100;

  int64_t id = 0, project = 0;
  std::string public_id, project_id, name, format, state;  // running, done, failed
  Json columns = Json::object();
  uint64_t bytes_done = 0;
  int64_t rows = 0, created = 0, duplicates = 0, errors = 0;
  int64_t annotations = 0;             // from votes; of this run, not kept
  std::vector<RowError> first_errors;  // at most kMostErrors
  std::string created_by;
  int64_t created_at_ms = 0;
  std::optional<int64_t> finished_at_ms;

  Json to_json() const;  // docs/api.md, Import
};

struct ImportRequest {
  std::string project;              // prj_…
  std::string name;                 // the file's, for people
  std::string format;               // empty: guessed from the first bytes
  Json columns;                     // column -> role; null: guessed
  bool votes = true;                // rows that say who preferred what become annotations
  uint64_t max_bytes = UINT64_MAX;  // --max-import-bytes
  size_t max_row_bytes = size_t{16} << 20;
  std::function<void(const ImportState&)> on_progress = {};  // after every batch
};

// Rows of a batch, all in one transaction: all writers wait for it. While nobody else writes, batches
// grow up to the larger number, since pages of the indexes that a batch touches are written once a batch.
inline constexpr size_t kImportBatchRows = 2000;
inline constexpr size_t kImportBatchRowsAlone = 8000;

class Importer {
 public:
  Importer(Organisation& organisation, const Actor& actor, ImportRequest request);
  // The import goes on with the file from its first byte; project, name, format and columns of the
  // request are not looked at.
  static std::unique_ptr<Importer> resume(Organisation& organisation, const Actor& actor,
                                          std::string_view import_id, ImportRequest request);
  // The row of an import that a job will do later, with resume(): running, nothing done yet.
  static ImportState reserve(Organisation& organisation, const Actor& actor, ImportRequest request,
                             std::string_view first_bytes);
  ~Importer();
  Importer(const Importer&) = delete;
  Importer& operator=(const Importer&) = delete;

  void feed(std::string_view bytes);
  ImportState finish();
  void stop();  // the import is failed, and may be resumed

  const ImportState& state() const { return state_; }  // as of the last batch that was committed

 private:
  struct Batch;
  struct Committed;
  struct Restored {
    ImportState state;
    std::string prefix_digest;
  };

  Importer(Organisation& organisation, const Actor& actor, ImportRequest request,
           Restored restored);
  void read_project();
  void create_row();
  void start(std::string_view first_bytes);
  void take(std::string_view bytes);
  void take_row(data::ObjectRow&& row);
  void add_row(data::ObjectRow&& row);
  void add_error(uint64_t line, const std::string& reason);
  void hash_up_to(uint64_t offset);
  void check_prefix();
  void flush(uint64_t end);
  void wait_for_batch();
  void size_next_batch();
  void note_votes();
  Committed commit(store::Transaction& tx, const Batch& batch);
  void set_state(const std::string& state);

  Organisation& organisation_;
  const Actor actor_;
  ImportRequest request_;
  ImportState state_;
  std::shared_ptr<const TaskSchema> schema_;
  PublicIds ids_;

  std::string first_bytes_;  // held until the format is known
  bool started_ = false, ended_ = false;
  ImportFormat format_ = ImportFormat::kJsonl;
  std::optional<ColumnRoles> roles_;
  std::unique_ptr<data::ObjectStream> stream_;

  // Bytes of the file: how many were fed, how many of them are in the hash, and the piece at hand.
  uint64_t fed_ = 0, hashed_ = 0;
  std::string_view piece_;
  uint64_t piece_begin_ = 0;
  struct Hash;
  std::unique_ptr<Hash> hash_;
  uint64_t resume_at_ = 0;
  std::string resume_digest_;

  std::shared_ptr<Batch> batch_;
  size_t batch_rows_ = kImportBatchRows;  // of the batch that is being read
  uint64_t jobs_seen_ = 0;                // of the database, when the last batch was committed
  int64_t votes_noted_ = 0;
  size_t known_errors_ = 0;  // in first_errors, with those of batches that are on their way
  struct InFlight;
  std::unique_ptr<InFlight> in_flight_;
};

ImportState get_import(store::Connection& db, std::string_view import_id);
// Newest first; before_id is a keyset.
std::vector<ImportState> list_imports(store::Connection& db, int64_t project,
                                      std::optional<int64_t> before_id, size_t limit);

// What a file looks like, from its first bytes (at most 1 MiB are looked at; whole: there are no
// more). Never throws for what is in the bytes: it stands in problems.
struct ImportPreview {
  static constexpr size_t kMostBytes = size_t{1} << 20;
  std::string format;
  struct Column {
    std::string name;
    ColumnRole role = ColumnRole::kMeta;
    std::string guessed_from;          // "name", "likeness", "confirmed"; "" for meta
    std::vector<std::string> samples;  // at most 3, 200 bytes each
  };
  std::vector<Column> columns;
  std::vector<Json> rows;          // bodies of the first 5 tasks, without response ids
  std::vector<RowError> problems;  // at most 20
  uint64_t rows_seen = 0, votes_seen = 0;
  std::string message;  // one sentence: what will happen, or what to do

  Json to_json() const;  // docs/api.md, Import
};
ImportPreview preview_import(const TaskSchema& schema, std::string_view first_bytes, bool whole,
                             std::string_view format = {}, const Json& columns = {});

}  // namespace hone::label
