#include "label/import.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/utf8.h"
#include "label/events.h"
#include "label/import_rows.h"
#include "label/live_quality.h"
#include "label/projects.h"
#include "label/queue.h"
#include "seal/digest.h"

namespace hone::label {
namespace {

constexpr size_t kBatchTaskBytes = size_t{8} << 20;
constexpr uint64_t kBatchFileBytes = uint64_t{32} << 20;  // a file of errors makes progress too
constexpr size_t kGuessBytes = size_t{64} << 10;
constexpr size_t kMostReasonBytes = 300;

std::string shortened(std::string reason) {
  if (reason.size() <= kMostReasonBytes) return reason;
  reason.resize(kMostReasonBytes);
  while (!reason.empty() && find_invalid_utf8(reason)) reason.pop_back();
  return reason + "…";
}

void check_name(const std::string& name) {
  if (name.size() > 300 || find_invalid_utf8(name) || name.find('\0') != name.npos) {
    throw invalid_input("the file's name must be UTF-8 of at most 300 bytes");
  }
}

}  // namespace

struct Importer::Hash {
  seal::Sha256 sha;
};

struct Importer::Batch {
  std::vector<NewTask> tasks;
  std::vector<TaskVotes> votes;
  std::vector<RowError> first_errors;
  int64_t rows = 0, errors = 0;
  size_t task_bytes = 0;
  uint64_t begin = 0, end = 0;  // bytes of the file
  std::string prefix_digest;
  Json columns;
};

struct Importer::Committed {
  InsertedTasks tasks;
  InsertedVotes votes;
  std::shared_ptr<Batch> batch;
};

struct Importer::InFlight {
  std::future<Committed> future;
};

Importer::Importer(Organisation& organisation, const Actor& actor, ImportRequest request)
    : organisation_(organisation),
      actor_(actor),
      request_(std::move(request)),
      ids_(organisation.env()),
      hash_(std::make_unique<Hash>()),
      batch_(std::make_shared<Batch>()) {
  check_name(request_.name);
  if (!request_.format.empty()) import_format_from_name(request_.format);
  read_project();
  ColumnRoles(schema_->task_type, request_.columns);  // refused before anything is written
  state_.columns = request_.columns.is_null() ? Json::object() : request_.columns;
}

Importer::Importer(Organisation& organisation, const Actor& actor, ImportRequest request,
                   Restored restored)
    : organisation_(organisation),
      actor_(actor),
      request_(std::move(request)),
      state_(std::move(restored.state)),
      ids_(organisation.env()),
      hash_(std::make_unique<Hash>()),
      resume_at_(state_.bytes_done),
      resume_digest_(std::move(restored.prefix_digest)),
      batch_(std::make_shared<Batch>()),
      known_errors_(state_.first_errors.size()) {
  batch_->begin = resume_at_;
  request_.project = state_.project_id;
  request_.format = state_.format;
  request_.columns = state_.columns;
  read_project();
}

std::unique_ptr<Importer> Importer::resume(Organisation& organisation, const Actor& actor,
                                           std::string_view import_id, ImportRequest request) {
  Restored restored;
  organisation.read([&](store::Connection& db) {
    restored.state = get_import(db, import_id);
    restored.prefix_digest =
        db.query_text("SELECT prefix_digest FROM import WHERE id = $1", {restored.state.id})
            .value_or("");
  });
  if (restored.state.state == "done") {
    throw Error(ErrorCode::kConflict,
                "the import " + std::string(import_id) + " is done; start a new one");
  }
  std::unique_ptr<Importer> importer(
      new Importer(organisation, actor, std::move(request), std::move(restored)));
  importer->set_state("running");
  return importer;
}

ImportState Importer::reserve(Organisation& organisation, const Actor& actor, ImportRequest request,
                              std::string_view first_bytes) {
  Importer importer(organisation, actor, std::move(request));
  importer.start(first_bytes);
  importer.ended_ = true;  // nothing to stop: the row waits for its job
  return importer.state_;
}

Importer::~Importer() {
  try {
    stop();
  } catch (const std::exception&) {
    // The database says what is committed; an import left as running can be resumed all the same.
  }
}

void Importer::read_project() {
  organisation_.read([&](store::Connection& db) {
    const Project project = get_project(db, request_.project);
    if (project.ended()) {
      throw Error(ErrorCode::kConflict,
                  "the project is " + project.state + "; open it again before importing into it");
    }
    state_.project = project.id;
    state_.project_id = project.public_id;
    schema_ = get_schema(db, project.id, project.schema_version);
  });
}

// The first bytes say the format; then the import has its row.
void Importer::start(std::string_view first_bytes) {
  format_ = request_.format.empty() ? guess_import_format(first_bytes)
                                    : import_format_from_name(request_.format);
  roles_.emplace(schema_->task_type, state_.columns);
  stream_ = std::make_unique<data::ObjectStream>(
      object_format_of(format_, first_bytes),
      data::ObjectStream::Options{.max_row_bytes = request_.max_row_bytes},
      [this](data::ObjectRow&& row) { take_row(std::move(row)); });
  started_ = true;
  if (state_.id == 0) create_row();
}

void Importer::create_row() {
  state_.public_id = make_public_id(organisation_.env(), "imp");
  state_.name = request_.name;
  state_.format = import_format_name(format_);
  state_.state = "running";
  state_.created_by = actor_.id;
  state_.created_at_ms = organisation_.env().now_ms();
  state_.id = organisation_.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    tx.execute(
        "INSERT INTO import (public_id, project_id, name, format, columns, state, created_by,"
        " created_at_ms) VALUES ($1, $2, $3, $4, $5, 'running', $6, $7)",
        {state_.public_id, state_.project, state_.name, state_.format, state_.columns.dump(),
         state_.created_by, state_.created_at_ms});
    const int64_t id = tx.last_insert_id();
    record_event(tx, state_.created_at_ms, actor_,
                 {.kind = "import.started",
                  .object = state_.public_id,
                  .project_id = state_.project,
                  .from = "",
                  .to = "running"});
    return id;
  });
}

void Importer::feed(std::string_view bytes) {
  HONE_CHECK(!ended_);
  if (bytes.size() > request_.max_bytes - fed_ - first_bytes_.size()) {
    stop();
    throw Error(ErrorCode::kTooLarge,
                "the file is longer than " + std::to_string(request_.max_bytes) +
                    " bytes; --max-import-bytes moves the bound. What came before it is imported");
  }
  if (started_) return take(bytes);
  first_bytes_ += bytes;
  if (first_bytes_.size() < kGuessBytes) return;
  const std::string begin = std::exchange(first_bytes_, {});
  start(begin);
  take(begin);
}

void Importer::take(std::string_view bytes) {
  // In pieces, so that what is done before a resumed import's place ends at a piece's end.
  while (!bytes.empty()) {
    size_t size = bytes.size();
    if (fed_ < resume_at_) size = static_cast<size_t>(std::min<uint64_t>(size, resume_at_ - fed_));
    piece_ = bytes.substr(0, size);
    piece_begin_ = fed_;
    try {
      stream_->feed(piece_);
      fed_ += size;
      hash_up_to(fed_);
      if (fed_ == resume_at_) check_prefix();
    } catch (...) {
      stop();
      throw;
    }
    bytes.remove_prefix(size);
  }
}

void Importer::hash_up_to(uint64_t offset) {
  if (offset <= hashed_) return;
  hash_->sha.update(piece_.substr(static_cast<size_t>(hashed_ - piece_begin_),
                                  static_cast<size_t>(offset - hashed_)));
  hashed_ = offset;
}

void Importer::check_prefix() {
  if (resume_at_ == 0 || hash_->sha.hex_so_far() == resume_digest_) return;
  throw Error(ErrorCode::kConflict, "this is not the file that the import began with: its first " +
                                        std::to_string(resume_at_) +
                                        " bytes are others; give that file, or start anew");
}

void Importer::take_row(data::ObjectRow&& row) {
  if (row.end <= resume_at_) return;  // committed before
  const uint64_t end = row.end;
  if (row.fault.empty()) {
    add_row(std::move(row));
  } else {
    add_error(row.line, row.fault);
  }
  const Batch& batch = *batch_;
  if (batch.tasks.size() >= batch_rows_ || batch.task_bytes >= kBatchTaskBytes ||
      end - batch.begin >= kBatchFileBytes) {
    flush(end);
  }
}

void Importer::add_row(data::ObjectRow&& row) {
  ++batch_->rows;
  Result<ImportedRow> made =
      imported_row(*schema_, format_, *roles_, std::move(row.object), ids_, request_.votes);
  if (!made) {
    --batch_->rows;
    return add_error(row.line, made.error().message());
  }
  batch_->task_bytes += made->task.body.size();
  if (!made->votes.empty()) batch_->votes.push_back({batch_->tasks.size(), std::move(made->votes)});
  batch_->tasks.push_back(std::move(made->task));
}

void Importer::add_error(uint64_t line, const std::string& reason) {
  ++batch_->rows;
  ++batch_->errors;
  if (known_errors_ >= ImportState::kMostErrors) return;
  ++known_errors_;
  batch_->first_errors.push_back({line, shortened(reason)});
}

// Sends the batch to the writer and goes on reading while it is committed. Nobody was promised
// anything before finish(), which is synced with all that came before it; a batch that the power took
// takes its place in the file along.
void Importer::flush(uint64_t end) {
  hash_up_to(end);
  batch_->end = end;
  batch_->prefix_digest = hash_->sha.hex_so_far();
  batch_->columns = roles_->to_json();
  std::shared_ptr<Batch> batch = std::exchange(batch_, std::make_shared<Batch>());
  batch_->begin = end;
  if (in_flight_) {
    wait_for_batch();
  } else {
    jobs_seen_ = organisation_.database().statistics().jobs;
  }
  auto sent = std::make_unique<InFlight>();
  sent->future =
      organisation_.write_async(store::Durability::kProcess, [this, batch](store::Transaction& tx) {
        Committed committed = commit(tx, *batch);
        committed.batch = batch;
        return committed;
      });
  in_flight_ = std::move(sent);
}

Importer::Committed Importer::commit(store::Transaction& tx, const Batch& batch) {
  Committed committed;
  const int64_t now_ms = organisation_.env().now_ms();
  const TaskDefaults defaults = task_defaults(tx, state_.project);
  committed.tasks = insert_tasks(tx, defaults, batch.tasks, state_.id, actor_.id, now_ms);
  committed.votes = insert_votes(organisation_, tx, actor_, state_.project, *schema_, batch.tasks,
                                 committed.tasks, batch.votes, now_ms);
  if (committed.votes.annotations > 0) organisation_.queue().drop_project(state_.project);
  const int64_t moved = tx.execute(
      "UPDATE import SET bytes_done = $2, prefix_digest = $3, rows = rows + $4,"
      " created = created + $5, duplicates = duplicates + $6, errors = errors + $7, columns = $8"
      " WHERE id = $1 AND bytes_done = $9",
      {state_.id, batch.end, batch.prefix_digest, batch.rows, committed.tasks.created,
       committed.tasks.duplicates, batch.errors, batch.columns.dump(), batch.begin});
  if (moved == 0) {
    throw Error(ErrorCode::kConflict,
                "the import goes on elsewhere; let one of the two end and look at its state");
  }
  if (!batch.first_errors.empty()) append_first_errors(tx, state_.id, batch.first_errors);
  Json data = Json::object();
  data["bytes_done"] = batch.end;
  data["created"] = committed.tasks.created;
  data["duplicates"] = committed.tasks.duplicates;
  data["errors"] = batch.errors;
  data["annotations"] = committed.votes.annotations;
  record_event(tx, now_ms, actor_,
               {.kind = "import.batch",
                .object = state_.public_id,
                .project_id = state_.project,
                .from = "",
                .to = "",
                .data = std::move(data)});
  return committed;
}

void Importer::wait_for_batch() {
  if (!in_flight_) return;
  const std::unique_ptr<InFlight> sent = std::exchange(in_flight_, nullptr);
  const Committed committed = sent->future.get();
  size_next_batch();
  const Batch& batch = *committed.batch;
  state_.bytes_done = batch.end;
  state_.rows += batch.rows;
  state_.errors += batch.errors;
  state_.created += committed.tasks.created;
  state_.duplicates += committed.tasks.duplicates;
  state_.annotations += committed.votes.annotations;
  state_.columns = batch.columns;
  state_.first_errors.insert(state_.first_errors.end(), batch.first_errors.begin(),
                             batch.first_errors.end());
  if (request_.on_progress) request_.on_progress(state_);
}

// Somebody else's writes since the last batch: people label beside the import, and wait for its batches.
void Importer::size_next_batch() {
  const uint64_t jobs = organisation_.database().statistics().jobs;
  const bool alone = jobs == jobs_seen_ + 1;
  jobs_seen_ = jobs;
  batch_rows_ = alone ? std::min(2 * batch_rows_, kImportBatchRowsAlone) : kImportBatchRows;
}

ImportState Importer::finish() {
  HONE_CHECK(!ended_);
  try {
    if (!started_) {
      const std::string begin = std::exchange(first_bytes_, {});
      start(begin);
      take(begin);
    }
    if (fed_ < resume_at_) {
      throw Error(
          ErrorCode::kConflict,
          "the file is shorter than what the import has read of it: " + std::to_string(fed_) +
              " of " + std::to_string(resume_at_) + " bytes; give the file that it began with");
    }
    piece_ = {};
    piece_begin_ = fed_;
    stream_->finish();
    if (fed_ > resume_at_ || batch_->rows > 0) flush(fed_);
    wait_for_batch();
    set_state("done");
    note_votes();
  } catch (...) {
    stop();
    throw;
  }
  ended_ = true;
  return state_;
}

void Importer::stop() {
  if (ended_) return;
  ended_ = true;
  if (in_flight_) {
    try {
      wait_for_batch();
    } catch (const Error&) {
      // The batch is not committed: the import ends before it.
    }
  }
  note_votes();
  if (state_.id != 0 && state_.state == "running") set_state("failed");
}

// Once for all of them: the judges that came with the file are known to the next answer.
void Importer::note_votes() {
  const int64_t votes = state_.annotations - votes_noted_;
  votes_noted_ = state_.annotations;
  if (votes > 0) organisation_.live().note_answers(state_.project, static_cast<uint64_t>(votes));
}

void Importer::set_state(const std::string& state) {
  const int64_t now_ms = organisation_.env().now_ms();
  const bool ended = state != "running";
  organisation_.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    // What is done stays done, whoever else was at it.
    if (tx.execute("UPDATE import SET state = $2, finished_at_ms = $3"
                   " WHERE id = $1 AND state <> 'done'",
                   {state_.id, state, ended ? std::optional(now_ms) : std::nullopt}) == 0) {
      return;
    }
    record_event(tx, now_ms, actor_,
                 {.kind = "import.state_changed",
                  .object = state_.public_id,
                  .project_id = state_.project,
                  .from = state_.state,
                  .to = state});
  });
  state_.state = state;
  state_.finished_at_ms = ended ? std::optional(now_ms) : std::nullopt;
}

}  // namespace hone::label
