#pragma once
// Who may do what: the one table of docs/roles.md lies in permissions.cc, and a test walks every
// cell of both. Handlers ask require(); nothing else in Hone compares roles.
//
// Pure functions, any thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hone::label {

enum class Role { kOwner, kManager, kReviewer, kAnnotator, kViewer };
std::string_view role_name(Role role);  // "owner", ...
std::optional<Role> role_from_name(std::string_view name);
std::span<const Role> all_roles();

enum class Permission {
  kOrganisationManage,
  kPeopleManage,
  kPeopleView,
  kProjectCreate,
  kProjectManage,
  kProjectView,
  kTaskImport,
  kTaskView,
  kTaskManage,
  kLabel,
  kQualityView,
  kExport,
  kSnapshotCreate,
  kRunStart,
  kRunView,
  kModelManage,
  kModelView,
  kAuditView,
  kTokenCreate,
  kTokenManage,
  kFeedbackGive,
  kFeedbackView,
  kFeedbackManage,
};
std::string_view permission_name(Permission permission);  // "people.manage", as in the page
std::optional<Permission> permission_from_name(std::string_view name);
std::span<const Permission> all_permissions();

bool can(Role role, Permission permission);

// Who acts. member_id is the row in `member`; 0 for the system and where none is needed.
struct Actor {
  std::string id;  // usr_…, key_…, "system": what events name
  int64_t member_id = 0;
  Role role = Role::kViewer;
};
// Hone itself: sweeps, refits, repairs.
Actor system_actor();

// Throws forbidden with a sentence that says what is missing and who could help.
void require(const Actor& actor, Permission permission);

}  // namespace hone::label
