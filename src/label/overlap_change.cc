#include "label/overlap_change.h"

#include <vector>

#include "label/organisation.h"
#include "label/queue.h"

namespace hone::label {
namespace {

constexpr std::string_view kState =
    "SELECT overlap, overlap_max, overlap_reached_task FROM project WHERE id = $1";
constexpr std::string_view kEnd =
    "SELECT max(id), count(*) FROM (SELECT id FROM task INDEXED BY task_by_project"
    " WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3)";
// The tasks of a piece: $1 project, behind $2, up to $3. Gold tasks are given apart from the overlap.
#define HONE_PIECE \
  " WHERE id > $2 AND id <= $3 AND project_id = $1 AND is_gold = 0 AND state <> 'cancelled'"
// One that has enough is done, a done one that has too few opens again. `wanted` never falls under what
// is there, so valid <= wanted stays true.
constexpr std::string_view kWanted =
    "UPDATE task SET wanted = CASE WHEN valid > $4 THEN valid ELSE $4 END" HONE_PIECE
    " AND (wanted < $4 OR wanted > $5)";
constexpr std::string_view kSettle =
    "UPDATE task SET state = CASE WHEN valid < $4 THEN 'open' WHEN state = 'undecided' THEN state"
    " WHEN state = 'open' AND valid < wanted THEN state ELSE 'done' END,"
    " slots = CASE WHEN wanted > valid + leased THEN wanted - valid - leased ELSE 0 END" HONE_PIECE;
constexpr std::string_view kDoneAt =
    "UPDATE task SET done_at_ms = CASE WHEN state = 'open' THEN NULL ELSE $4 END" HONE_PIECE
    " AND (state = 'open') = (done_at_ms IS NOT NULL)";
constexpr std::string_view kDone =
    "SELECT count(*) FROM task" HONE_PIECE " AND state IN ('done', 'undecided')";
#undef HONE_PIECE

struct Change {
  int64_t overlap = 0, overlap_max = 0;
  std::optional<int64_t> reached;
};
Change read_change(store::Connection& db, int64_t project) {
  return db
      .query_one(kState, {project},
                 [](const store::Row& row) {
                   return Change{row.int64(0), row.int64(1), row.optional_int64(2)};
                 })
      .value_or(Change());
}

void change_piece(store::Transaction& tx, int64_t project, const Change& change, int64_t after,
                  int64_t last, int64_t now_ms) {
  const int64_t done = tx.query_int64(kDone, {project, after, last}).value_or(0);
  tx.execute(kWanted, {project, after, last, change.overlap, change.overlap_max});
  tx.execute(kSettle, {project, after, last, change.overlap});
  tx.execute(kDoneAt, {project, after, last, now_ms});
  const int64_t done_now = tx.query_int64(kDone, {project, after, last}).value_or(0);
  tx.execute("UPDATE project SET tasks_done = tasks_done + $2 WHERE id = $1",
             {project, done_now - done});
}

}  // namespace

void begin_overlap_change(Organisation& organisation, store::Transaction& tx,
                          const Project& project) {
  tx.execute("UPDATE project SET overlap_reached_task = 0 WHERE id = $1", {project.id});
  follow_overlap(organisation, tx, project.id);
}

bool follow_overlap(Organisation& organisation, store::Transaction& tx, int64_t project) {
  const Change change = read_change(tx, project);
  if (!change.reached) return false;
  const auto [last, count] =
      tx.query_one(kEnd, {project, *change.reached, kOverlapPiece}, [](const store::Row& row) {
          return std::pair(row.optional_int64(0).value_or(0), row.int64(1));
        }).value();
  if (count > 0) {
    change_piece(tx, project, change, *change.reached, last, organisation.env().now_ms());
  }
  const bool more = count == kOverlapPiece;
  tx.execute("UPDATE project SET overlap_reached_task = $2 WHERE id = $1",
             {project, more ? std::optional<int64_t>(last) : std::nullopt});
  // What came free behind somebody's mark is in no log: everybody looks through the queue once more.
  if (!more) organisation.queue().drop_project(project);
  return more;
}

void finish_overlap_change(Organisation& organisation, int64_t project) {
  const auto left = [&] {
    return organisation.read(
        [&](store::Connection& db) { return read_change(db, project).reached.has_value(); });
  };
  if (!left()) return;
  while (organisation.write(store::Durability::kProcess, [&](store::Transaction& tx) {
    return follow_overlap(organisation, tx, project);
  })) {
  }
}

void finish_overlap_changes(Organisation& organisation) {
  const auto projects = organisation.read([](store::Connection& db) {
    return db.query_all("SELECT id FROM project WHERE overlap_reached_task IS NOT NULL", {},
                        [](const store::Row& row) { return row.int64(0); });
  });
  for (const int64_t project : projects) finish_overlap_change(organisation, project);
}

}  // namespace hone::label
