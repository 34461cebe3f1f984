#include "label/snapshots.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "label/events.h"
#include "label/project_quality.h"
#include "label/public_id.h"
#include "label/splits.h"
#include "quality/aggregate.h"
#include "seal/digest.h"

namespace hone::label {
namespace {

constexpr size_t kLinksPage = 5000;
constexpr std::string_view kPart = ".part";

constexpr std::string_view kColumns =
    "SELECT s.id, s.public_id, s.project_id, p.public_id, s.name, s.format, s.state, s.filter,"
    " s.rows_train, s.rows_heldout, s.annotations, s.digest, s.created_by, s.created_at_ms"
    " FROM snapshot s JOIN project p ON p.id = s.project_id ";

Snapshot read_snapshot(const store::Row& row) {
  Snapshot snapshot;
  snapshot.id = row.int64(0);
  snapshot.public_id = row.string(1);
  snapshot.project = row.int64(2);
  snapshot.project_id = row.string(3);
  snapshot.name = row.string(4);
  snapshot.format = row.string(5);
  snapshot.state = row.string(6);
  snapshot.filter = Json::parse(row.text(7)).value();
  snapshot.rows_train = row.int64(8);
  snapshot.rows_heldout = row.int64(9);
  snapshot.annotations = row.int64(10);
  snapshot.digest = row.string(11);
  snapshot.created_by = row.string(12);
  snapshot.created_at_ms = row.int64(13);
  return snapshot;
}

void check_request(const SnapshotRequest& request) {
  const std::string& name = request.name;
  if (name.find_first_not_of(" \t\r\n") == name.npos || name.size() > 800 ||
      find_invalid_utf8(name) || name.find('\0') != name.npos) {
    throw invalid_input("a snapshot's name has 1 to 200 characters");
  }
  const ExportFormat format = request.filter.format;
  if (!is_training_format(format) && format != ExportFormat::kAnnotations) {
    throw invalid_input("a snapshot's format is preferences, sft, unpaired or annotations");
  }
  if (!request.filter.split.empty()) {
    throw invalid_input("a snapshot has both splits; leave out \"split\"");
  }
}

// One file of rows as it grows: its bytes, digest and size.
class RowFile {
 public:
  RowFile(Env& env, const std::string& path) : file_(env.create_file(path)) {}

  void add(std::string_view line) {
    buffer_ += line;
    buffer_ += '\n';
    ++rows_;
    if (buffer_.size() >= (size_t{256} << 10)) write();
  }
  void finish() {
    write();
    file_->sync();
    file_->close();
    digest_ = sha_.hex();
  }
  int64_t rows() const { return rows_; }
  const std::string& digest() const { return digest_; }
  Json json() const {
    Json out = Json::object();
    out["bytes"] = bytes_;
    out["rows"] = rows_;
    out["sha256"] = digest_;
    return out;
  }

 private:
  void write() {
    file_->append(buffer_);
    sha_.update(buffer_);
    bytes_ += buffer_.size();
    buffer_.clear();
  }

  std::unique_ptr<WritableFile> file_;
  std::string buffer_, digest_;
  seal::Sha256 sha_;
  int64_t rows_ = 0;
  uint64_t bytes_ = 0;
};

// What a snapshot is made of, written into a folder that nobody knows yet.
struct Written {
  int64_t rows_train = 0, rows_heldout = 0;
  std::vector<int64_t> annotations;  // ascending, each once
  std::string digest;
};

// A digest that does not depend on the order of the rows: of the public ids, sorted, a line each.
std::string ids_digest(std::vector<std::string>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  seal::Sha256 sha;
  for (const std::string& id : ids) sha.update(id + "\n");
  return sha.hex();
}

Json split_json(store::Connection& db, const Project& project) {
  Json out = Json::object();
  out["state"] = project.split_state;
  db.query_one("SELECT split_seed, heldout_fraction FROM project WHERE id = $1", {project.id},
               [&](const store::Row& row) {
                 out["seed"] = row.text(0);
                 out["heldout_fraction"] = row.real(1);
                 return 0;
               });
  return out;
}

void refuse_overlap(const PromptOverlap& overlap) {
  if (overlap.count() == 0) return;
  throw Error(ErrorCode::kConflict, std::to_string(overlap.count()) +
                                        " prompts stand in train and in held-out, the first: " +
                                        overlap.examples()[0] + "; cancel those tasks on one side");
}

Written write_files(Organisation& organisation, const Project& project,
                    const SnapshotRequest& request, const std::string& folder) {
  Env& env = organisation.env();
  RowFile train(env, folder + "/train.jsonl"), heldout(env, folder + "/heldout.jsonl");
  PromptOverlap overlap;
  Written written;
  std::vector<std::string> ids;
  ExportCounts counts =
      for_each_exported_row(organisation, project, request.filter, [&](const ExportedRow& row) {
        (row.split == kHeldout ? heldout : train).add(row.line);
        if (row.prompt != nullptr) overlap.add(*row.prompt, row.split);
        written.annotations.insert(written.annotations.end(), row.annotations.begin(),
                                   row.annotations.end());
        ids.insert(ids.end(), row.annotation_ids.begin(), row.annotation_ids.end());
      });
  count_unlabelled(organisation, project, request.filter, counts);
  train.finish();
  heldout.finish();
  if (train.rows() + heldout.rows() == 0) {
    throw Error(ErrorCode::kConflict,
                "no label fits: of " + std::to_string(counts.tasks) + " tasks " +
                    std::to_string(counts.unlabelled) + " have too few labels and " +
                    std::to_string(counts.uncertain) +
                    " are less certain than asked; label more, or lower min_probability");
  }
  refuse_overlap(overlap);
  std::sort(written.annotations.begin(), written.annotations.end());
  written.annotations.erase(std::unique(written.annotations.begin(), written.annotations.end()),
                            written.annotations.end());

  Json manifest = Json::object();
  manifest["schema_version"] = 1;
  manifest["kind"] = "dataset";
  manifest["program_version"] = request.program_version;
  manifest["project"] = project.public_id;
  manifest["task_type"] = project.task_type;
  manifest["task_schema_version"] = project.schema_version;
  manifest["filter"] = request.filter.to_json();
  manifest["method"] = quality::method_name(project_quality(organisation, project)->fit.method);
  manifest["split"] =
      organisation.read([&](store::Connection& db) { return split_json(db, project); });
  manifest["counts"] = counts.to_json();
  manifest["annotations"]["sha256"] = ids_digest(ids);
  manifest["annotations"]["count"] = ids.size();
  manifest["files"]["train.jsonl"] = train.json();
  manifest["files"]["heldout.jsonl"] = heldout.json();
  const std::string text = manifest.dump_canonical();
  const auto file = env.create_file(folder + "/manifest.json");
  file->append(text);
  file->sync();
  file->close();
  env.sync_directory(folder);

  written.rows_train = train.rows();
  written.rows_heldout = heldout.rows();
  written.digest = seal::artefact_digest({{"train.jsonl", train.digest()},
                                          {"heldout.jsonl", heldout.digest()},
                                          {"manifest.json", seal::sha256_hex(text)}});
  return written;
}

// snapshot_annotation in pages, so that labelling goes on beside it.
void link_annotations(Organisation& organisation, int64_t snapshot,
                      const std::vector<int64_t>& annotations) {
  for (size_t at = 0; at < annotations.size(); at += kLinksPage) {
    const size_t end = std::min(at + kLinksPage, annotations.size());
    organisation.write(store::Durability::kProcess, [&](store::Transaction& tx) {
      for (size_t i = at; i < end; ++i) {
        tx.execute(
            "INSERT INTO snapshot_annotation (snapshot_id, annotation_id) VALUES ($1, $2)"
            " ON CONFLICT DO NOTHING",
            {snapshot, annotations[i]});
      }
    });
  }
}

void set_state(store::Transaction& tx, int64_t now_ms, const Actor& actor, const Snapshot& snapshot,
               std::string_view to, Json data) {
  tx.execute("UPDATE snapshot SET state = $2 WHERE id = $1", {snapshot.id, to});
  record_event(tx, now_ms, actor,
               {.kind = "snapshot.state_changed",
                .object = snapshot.public_id,
                .project_id = snapshot.project,
                .from = snapshot.state,
                .to = to,
                .data = std::move(data)});
}

Snapshot begin(Organisation& organisation, const Actor& actor, const Project& project,
               const SnapshotRequest& request) {
  const int64_t now_ms = organisation.env().now_ms();
  const std::string public_id = make_public_id(organisation.env(), "snp");
  return organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    tx.execute(
        "INSERT INTO snapshot (public_id, project_id, name, format, filter, state, created_by,"
        " created_at_ms) VALUES ($1, $2, $3, $4, $5, 'making', $6, $7)",
        {public_id, project.id, request.name, export_format_name(request.filter.format),
         request.filter.to_json().dump(), actor.id, now_ms});
    record_event(tx, now_ms, actor,
                 {.kind = "snapshot.started",
                  .object = public_id,
                  .project_id = project.id,
                  .from = "",
                  .to = "making"});
    return get_snapshot(tx, public_id);
  });
}

// Links first and the files last: whatever breaks this off, the next start goes on with it.
void fail_snapshot(Organisation& organisation, const Actor& actor, const Snapshot& snapshot,
                   Json data) {
  int64_t removed = 1;
  while (removed > 0) {
    removed = organisation.write(store::Durability::kProcess, [&](store::Transaction& tx) {
      return tx.execute(
          "DELETE FROM snapshot_annotation WHERE snapshot_id = $1 AND annotation_id IN"
          " (SELECT annotation_id FROM snapshot_annotation WHERE snapshot_id = $1 LIMIT $2)",
          {snapshot.id, kLinksPage});
    });
  }
  organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    set_state(tx, organisation.env().now_ms(), actor, snapshot, "failed", std::move(data));
  });
}

void remove_files(Organisation& organisation, const std::string& public_id) {
  const std::string folder = snapshot_folder(organisation, public_id);
  organisation.env().remove_all(folder + std::string(kPart));
  organisation.env().remove_all(folder);
}

void give_up(Organisation& organisation, const Actor& actor, const Snapshot& snapshot) noexcept {
  try {
    fail_snapshot(organisation, actor, snapshot, Json::object());
    remove_files(organisation, snapshot.public_id);
  } catch (const std::exception&) {
    // The first failure is the one that tells what is wrong; the next start ends this one.
  }
}

}  // namespace

std::string snapshot_folder(const Organisation& organisation, std::string_view public_id) {
  return organisation.folder() + "/snapshots/" + std::string(public_id);
}

Snapshot create_snapshot(Organisation& organisation, const Actor& actor,
                         std::string_view project_id, const SnapshotRequest& request) {
  check_request(request);
  Project project =
      organisation.read([&](store::Connection& db) { return get_project(db, project_id); });
  finish_splits(organisation, project.id);
  Env& env = organisation.env();
  const Snapshot snapshot = begin(organisation, actor, project, request);
  const std::string folder = snapshot_folder(organisation, snapshot.public_id);
  const std::string temporary = folder + std::string(kPart);
  try {
    create_directories_durably(env, temporary);
    const Written written = write_files(organisation, project, request, temporary);
    env.rename(temporary, folder);
    env.sync_directory(organisation.folder() + "/snapshots");
    link_annotations(organisation, snapshot.id, written.annotations);
    return organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
      tx.execute(
          "UPDATE snapshot SET rows_train = $2, rows_heldout = $3, annotations = $4, digest = $5"
          " WHERE id = $1",
          {snapshot.id, written.rows_train, written.rows_heldout, written.annotations.size(),
           written.digest});
      Json data = Json::object();
      data["digest"] = written.digest;
      set_state(tx, env.now_ms(), actor, snapshot, "ready", std::move(data));
      return get_snapshot(tx, snapshot.public_id);
    });
  } catch (...) {
    give_up(organisation, actor, snapshot);
    throw;
  }
}

void end_broken_snapshots(Organisation& organisation) {
  const auto broken = organisation.read([](store::Connection& db) {
    return db.query_all(std::string(kColumns) + "WHERE s.state <> 'ready'", {}, read_snapshot);
  });
  Env& env = organisation.env();
  const std::string snapshots = organisation.folder() + "/snapshots";
  try {
    for (const Snapshot& snapshot : broken) {
      if (snapshot.state != "making") continue;
      Json data = Json::object();
      data["reason"] = "the server ended while it was made";
      fail_snapshot(organisation, system_actor(), snapshot, std::move(data));
    }
    if (!env.is_directory(snapshots)) return;
    for (const Snapshot& snapshot : broken) remove_files(organisation, snapshot.public_id);
    // A folder that the database does not know stays: it may be younger than a backup that was put
    // back. A part is nobody's.
    for (const std::string& name : env.list_directory(snapshots)) {
      if (name.ends_with(kPart)) env.remove_all(snapshots + "/" + name);
    }
  } catch (const Error&) {
    // A full disk: nobody reads what is left, so it is no reason not to start.
  }
}

Snapshot get_snapshot(store::Connection& db, std::string_view public_id) {
  auto snapshot =
      db.query_one(std::string(kColumns) + "WHERE s.public_id = $1", {public_id}, read_snapshot);
  if (!snapshot) throw not_found("there is no such snapshot");
  return *std::move(snapshot);
}

std::vector<Snapshot> list_snapshots(store::Connection& db, int64_t project,
                                     std::optional<int64_t> before_id, size_t limit) {
  return db.query_all(
      std::string(kColumns) + "WHERE s.project_id = $1 AND s.id < $2 ORDER BY s.id DESC LIMIT $3",
      {project, before_id.value_or(INT64_MAX), limit}, read_snapshot);
}

std::vector<Snapshot> list_heldout_snapshots(store::Connection& db,
                                             std::optional<int64_t> before_id, size_t limit) {
  return db.query_all(std::string(kColumns) +
                          "WHERE s.state = 'ready' AND s.format = 'preferences' AND "
                          "s.rows_heldout > 0 AND s.id < $1 ORDER BY s.id DESC LIMIT $2",
                      {before_id.value_or(INT64_MAX), limit}, read_snapshot);
}

std::string snapshot_file(Organisation& organisation, std::string_view public_id,
                          std::string_view name) {
  const Snapshot snapshot =
      organisation.read([&](store::Connection& db) { return get_snapshot(db, public_id); });
  const bool known = std::find(std::begin(kSnapshotFiles), std::end(kSnapshotFiles), name) !=
                     std::end(kSnapshotFiles);
  if (!known || snapshot.state != "ready") {
    throw not_found("a snapshot that is ready has train.jsonl, heldout.jsonl and manifest.json");
  }
  return snapshot_folder(organisation, snapshot.public_id) + "/" + std::string(name);
}

std::string verify_snapshot(Organisation& organisation, std::string_view public_id) {
  const Snapshot snapshot =
      organisation.read([&](store::Connection& db) { return get_snapshot(db, public_id); });
  if (snapshot.state != "ready") return "the snapshot is " + snapshot.state;
  const std::string folder = snapshot_folder(organisation, snapshot.public_id);
  if (!organisation.env().is_directory(folder)) return "its folder is gone";
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::string& name : organisation.env().list_directory(folder)) {
    files.emplace_back(name, seal::sha256_file(folder + "/" + name));
  }
  if (files.size() != std::size(kSnapshotFiles)) return "it has other files than it had";
  const std::string digest = seal::artefact_digest(files);
  if (digest == snapshot.digest) return {};
  return "its files have the digest " + digest + ", not " + snapshot.digest +
         ": they were changed after the snapshot was made";
}

}  // namespace hone::label
