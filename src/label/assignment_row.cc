#include "label/assignment_row.h"

namespace hone::label {
namespace {

constexpr std::string_view kColumns =
    "SELECT id, project_id, task_id, member_id, public_id, state, shown_order, guideline_version,"
    " schema_version, leased_at_ms, expires_at_ms, ended_at_ms FROM assignment ";

AssignmentRow read_assignment(const store::Row& row) {
  return {row.int64(0),  row.int64(1),  row.int64(2),  row.int64(3),
          row.string(4), row.string(5), row.string(6), row.int64(7),
          row.int64(8),  row.int64(9),  row.int64(10), row.optional_int64(11).value_or(0)};
}

}  // namespace

std::optional<AssignmentRow> find_assignment(store::Connection& db, std::string_view public_id) {
  return db.query_one(std::string(kColumns) + "WHERE public_id = $1", {public_id}, read_assignment);
}

std::optional<AssignmentRow> find_assignment(store::Connection& db, int64_t task, int64_t member) {
  return db.query_one(
      std::string(kColumns) + "WHERE task_id = $1 AND member_id = $2 AND stage = 'attempt'",
      {task, member}, read_assignment);
}

AssignmentRow own_assignment(store::Connection& db, const Actor& actor,
                             std::string_view public_id) {
  auto assignment = find_assignment(db, public_id);
  if (!assignment || assignment->member != actor.member_id) {
    throw not_found("there is no such assignment");
  }
  return *std::move(assignment);
}

}  // namespace hone::label
