#pragma once
// The row of an assignment, as annotations.cc and its neighbours need it. Internal to this room.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "label/permissions.h"
#include "store/database.h"

namespace hone::label {

struct AssignmentRow {
  int64_t id = 0, project = 0, task = 0, member = 0;
  std::string public_id, state, shown_order;
  int64_t guideline_version = 0, schema_version = 0;
  int64_t leased_at_ms = 0, expires_at_ms = 0, ended_at_ms = 0;
};
std::optional<AssignmentRow> find_assignment(store::Connection& db, std::string_view public_id);
std::optional<AssignmentRow> find_assignment(store::Connection& db, int64_t task, int64_t member);
// Throws not_found when it is not there or another's.
AssignmentRow own_assignment(store::Connection& db, const Actor& actor, std::string_view public_id);

}  // namespace hone::label
