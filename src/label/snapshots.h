#pragma once
// Datasets that never change: the rows of an export as files, with a digest over them, from which
// training runs (docs/formats/snapshot.md). snapshots/<snp_…>/ in the organisation's folder holds
// train.jsonl, heldout.jsonl and manifest.json (canonical JSON). The same labels and the same filter
// give the same bytes: nothing in the files says when, or by whom, or under which id.
//
// The files are written under a temporary name, synced and renamed before the database calls the
// snapshot ready. One that is broken off is failed and has neither files nor links: at once after an
// error, at the next start after the end of the process.
//
// Errors: invalid_input (name, format), conflict (no row; a prompt on both sides), not_found,
// unavailable (the disk). Reads and files run on the caller's thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "label/export.h"
#include "label/permissions.h"

namespace hone::label {

struct Snapshot {
  int64_t id = 0, project = 0;
  std::string public_id, project_id, name, format, state;  // making, ready, failed
  Json filter;
  int64_t rows_train = 0, rows_heldout = 0, annotations = 0;
  std::string digest;  // artefact digest of its files
  std::string created_by;
  int64_t created_at_ms = 0;
};

struct SnapshotRequest {
  std::string name;
  ExportRequest filter;         // a training format or annotations; its split must be empty
  std::string program_version;  // for the manifest
};
Snapshot create_snapshot(Organisation& organisation, const Actor& actor,
                         std::string_view project_id, const SnapshotRequest& request);

// At the start: snapshots that the last process left in the making are failed, and files of those that
// are not ready go. What cannot be removed now waits for the next start.
void end_broken_snapshots(Organisation& organisation);

Snapshot get_snapshot(store::Connection& db, std::string_view public_id);
std::vector<Snapshot> list_snapshots(store::Connection& db, int64_t project,
                                     std::optional<int64_t> before_id, size_t limit);

// Of all projects: those that are ready, hold preferences and have held-out rows: what a model can
// be measured on. The newest first.
std::vector<Snapshot> list_heldout_snapshots(store::Connection& db,
                                             std::optional<int64_t> before_id, size_t limit);

inline constexpr std::string_view kSnapshotFiles[] = {"heldout.jsonl", "manifest.json",
                                                      "train.jsonl"};
std::string snapshot_folder(const Organisation& organisation, std::string_view public_id);
// The path of one of its files; not_found for another name or a snapshot that is not ready.
std::string snapshot_file(Organisation& organisation, std::string_view public_id,
                          std::string_view name);

// Reads every byte: empty when all is as it was, else one sentence that says what is not.
std::string verify_snapshot(Organisation& organisation, std::string_view public_id);

}  // namespace hone::label
