#include "label/permissions.h"

#include <array>

namespace hone::label {
namespace {

constexpr std::array<Role, 5> kRoles = {Role::kOwner, Role::kManager, Role::kReviewer,
                                        Role::kAnnotator, Role::kViewer};
constexpr std::array<std::string_view, 5> kRoleNames = {"owner", "manager", "reviewer", "annotator",
                                                        "viewer"};

struct Entry {
  Permission permission;
  std::string_view name;
  std::string_view what;  // ends "only … may "
  // owner, manager, reviewer, annotator, viewer
  std::array<bool, 5> allowed;
};

constexpr bool yes = true, no = false;

// docs/roles.md, cell by cell.
constexpr Entry kTable[] = {
    {Permission::kOrganisationManage,
     "organisation.manage",
     "change the organisation",
     {yes, no, no, no, no}},
    {Permission::kPeopleManage, "people.manage", "add and change people", {yes, yes, no, no, no}},
    {Permission::kPeopleView, "people.view", "see people", {yes, yes, yes, no, no}},
    {Permission::kProjectCreate, "project.create", "make projects", {yes, yes, no, no, no}},
    {Permission::kProjectManage, "project.manage", "change projects", {yes, yes, no, no, no}},
    {Permission::kProjectView, "project.view", "see projects", {yes, yes, yes, yes, yes}},
    {Permission::kTaskImport, "task.import", "import tasks", {yes, yes, no, no, no}},
    {Permission::kTaskView, "task.view", "see tasks with answers", {yes, yes, yes, no, yes}},
    {Permission::kTaskManage,
     "task.manage",
     "change tasks, gold and flags",
     {yes, yes, yes, no, no}},
    {Permission::kLabel, "label", "label", {yes, yes, yes, yes, no}},
    {Permission::kQualityView, "quality.view", "see the quality pages", {yes, yes, yes, no, yes}},
    {Permission::kExport, "export", "export labels", {yes, yes, no, no, yes}},
    {Permission::kSnapshotCreate, "snapshot.create", "make snapshots", {yes, yes, no, no, no}},
    {Permission::kRunStart, "run.start", "start and cancel runs", {yes, yes, no, no, no}},
    {Permission::kRunView, "run.view", "see runs", {yes, yes, yes, no, yes}},
    {Permission::kModelManage,
     "model.manage",
     "change which models answer",
     {yes, yes, no, no, no}},
    {Permission::kModelView, "model.view", "see models", {yes, yes, yes, no, yes}},
    {Permission::kAuditView, "audit.view", "read the audit log", {yes, yes, no, no, no}},
    {Permission::kTokenCreate,
     "token.create",
     "make tokens of their own",
     {yes, yes, yes, yes, yes}},
    {Permission::kTokenManage, "token.manage", "manage everybody's tokens", {yes, yes, no, no, no}},
    {Permission::kFeedbackGive,
     "feedback.give",
     "judge answers of models",
     {yes, yes, yes, yes, yes}},
    {Permission::kFeedbackView,
     "feedback.view",
     "read what was said of answers",
     {yes, yes, yes, no, no}},
    {Permission::kFeedbackManage,
     "feedback.manage",
     "export feedback and say where it goes",
     {yes, yes, no, no, no}},
};

const Entry& entry(Permission permission) { return kTable[static_cast<size_t>(permission)]; }

constexpr auto kPermissions = [] {
  std::array<Permission, std::size(kTable)> all{};
  for (size_t i = 0; i < all.size(); ++i) all[i] = kTable[i].permission;
  return all;
}();

constexpr bool table_is_in_order() {
  for (size_t i = 0; i < std::size(kTable); ++i) {
    if (static_cast<size_t>(kTable[i].permission) != i) return false;
  }
  return true;
}
static_assert(table_is_in_order());

}  // namespace

std::string_view role_name(Role role) { return kRoleNames[static_cast<size_t>(role)]; }

std::optional<Role> role_from_name(std::string_view name) {
  for (Role role : kRoles) {
    if (role_name(role) == name) return role;
  }
  return std::nullopt;
}

std::span<const Role> all_roles() { return kRoles; }

std::string_view permission_name(Permission permission) { return entry(permission).name; }

std::optional<Permission> permission_from_name(std::string_view name) {
  for (const Entry& row : kTable) {
    if (row.name == name) return row.permission;
  }
  return std::nullopt;
}

std::span<const Permission> all_permissions() { return kPermissions; }

bool can(Role role, Permission permission) {
  return entry(permission).allowed[static_cast<size_t>(role)];
}

Actor system_actor() { return {"system", 0, Role::kOwner}; }

void require(const Actor& actor, Permission permission) {
  if (can(actor.role, permission)) return;
  std::string who;
  for (Role role : kRoles) {
    if (!can(role, permission)) continue;
    if (!who.empty()) who += " or ";
    who += role_name(role);
  }
  throw Error(ErrorCode::kForbidden, "your role, " + std::string(role_name(actor.role)) +
                                         ", may not " + std::string(entry(permission).what) +
                                         "; ask somebody who is " + who);
}

}  // namespace hone::label
