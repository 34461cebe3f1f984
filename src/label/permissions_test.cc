#include "label/permissions.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace hone::label {
namespace {

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::stringstream in(line);
  std::string cell;
  std::getline(in, cell, '|');  // before the first bar
  while (std::getline(in, cell, '|')) {
    const size_t first = cell.find_first_not_of(' ');
    const size_t last = cell.find_last_not_of(' ');
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return cells;
}

// The page is for people, the code for the program: neither may say more than the other.
TEST(Permissions, EveryCellIsWhatThePageOfRolesSays) {
  std::ifstream page("docs/roles.md");
  ASSERT_TRUE(page) << "run from the source folder";
  std::vector<std::string> roles;
  std::map<std::string, std::vector<std::string>> table;
  for (std::string line; std::getline(page, line);) {
    if (line.rfind("| permission |", 0) == 0) {
      roles = cells_of(line);
    } else if (line.rfind("| ", 0) == 0 && !roles.empty()) {
      const auto cells = cells_of(line);
      table[cells[0]] = cells;
    }
  }
  ASSERT_EQ(roles.size(), 7u);  // permission, five roles, what it allows
  EXPECT_EQ(table.size(), all_permissions().size());
  for (Permission permission : all_permissions()) {
    const std::string name(permission_name(permission));
    ASSERT_TRUE(table.count(name)) << name << " is missing in the page";
    EXPECT_EQ(permission_from_name(name), permission);
    for (size_t column = 1; column <= 5; ++column) {
      const auto role = role_from_name(roles[column]);
      ASSERT_TRUE(role) << roles[column];
      EXPECT_EQ(can(*role, permission), table[name][column] == "yes")
          << name << " of " << roles[column];
    }
  }
}

TEST(Permissions, AnOwnerMayDoEverythingAndAViewerChangesNothingOfOthers) {
  for (Permission permission : all_permissions()) EXPECT_TRUE(can(Role::kOwner, permission));
  for (Permission permission :
       {Permission::kPeopleManage, Permission::kProjectManage, Permission::kTaskImport,
        Permission::kTaskManage, Permission::kLabel, Permission::kRunStart}) {
    EXPECT_FALSE(can(Role::kViewer, permission)) << permission_name(permission);
  }
}

TEST(Permissions, ARefusalSaysWhatIsMissingAndWhoCouldHelp) {
  const Actor viewer{"usr_a", 0, Role::kViewer};
  try {
    require(viewer, Permission::kTaskImport);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kForbidden);
    EXPECT_EQ(error.message(),
              "your role, viewer, may not import tasks; ask somebody who is owner or manager");
  }
  EXPECT_NO_THROW(require(viewer, Permission::kExport));
}

TEST(Permissions, AnUnknownWordIsNoRoleAndNoPermission) {
  EXPECT_FALSE(role_from_name("admin"));
  EXPECT_FALSE(role_from_name(""));
  EXPECT_FALSE(permission_from_name("everything"));
}

}  // namespace
}  // namespace hone::label
