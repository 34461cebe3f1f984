#pragma once
// Commands about a data folder (user, token, project, backup): read on the command line, then done
// by whoever holds the folder: the running server through its control socket, or this process.

#include <functional>
#include <optional>
#include <string>

#include "api/platform.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/control_socket.h"
#include "cli/options.h"

namespace hone::cli {

struct AdminContext {
  api::Platform& platform;
  std::string folder;  // where the caller stands: relative paths are meant from there
  std::string url;     // of the running server; empty when there is none
  int exit_code = 0;   // 3 when the work was done and its answer is no
  std::string path(const std::string& named) const;
  // "http://…/sign-in#token=…", or words on how to use the token.
  std::string sign_in_text(const std::string& token) const;
};
// Returns what is printed. Throws Error.
using AdminWork = std::function<std::string(AdminContext&)>;

struct AdminCommand {
  AdminWork work;
  std::string data_dir;  // as named; empty = the usual one
};
// Nothing: help was printed. words: ("user", "add", …). Throws Error for wrong usage.
std::optional<AdminCommand> parse_admin(const Arguments& words);

// In the process that holds the folder; errors become part of the answer.
ControlAnswer run_admin(api::Platform& platform, const std::string& url, const Arguments& words,
                        const std::string& folder);

// What such a command prints, for a command that is about something else. Throws Error.
std::string ask_data_folder(const Arguments& words);

// Which data folder and which organisation of it: options of every command here.
struct Where {
  std::string data_dir, organisation;
  CommonOptions common;
  void add_to(Options& options);
};

// admin_users.cc, admin_projects.cc, admin_models.cc, admin_feedback.cc: the objects of each verb.
std::optional<AdminCommand> parse_user(const std::string& object, const Arguments& arguments);
std::optional<AdminCommand> parse_token(const std::string& object, const Arguments& arguments);
std::optional<AdminCommand> parse_project(const std::string& object, const Arguments& arguments);
std::optional<AdminCommand> parse_model(const std::string& object, const Arguments& arguments);
std::optional<AdminCommand> parse_feedback(const std::string& object, const Arguments& arguments);
std::optional<AdminCommand> parse_backup(const Arguments& arguments);

// The organisation that is meant.
label::Organisation& opened(AdminContext& context, const Where& where);

// Where the caller means a new file; refuses one that exists unless it may be overwritten.
std::string new_file(const AdminContext& context, const std::string& named, bool overwrite);
// Writes it whole or not at all and says so, as words or JSON. rows: writes them, and says how many.
std::string write_rows(AdminContext& context, const std::string& path, bool json,
                       const std::function<uint64_t(WritableFile&)>& rows);

// The organisation of that id or name; the only one when `named` is empty.
label::OrganisationRecord find_organisation(api::Platform& platform, const std::string& named);
// A living member by id, name or address. Throws not_found, or conflict when several have the name.
label::PersonRecord find_person(api::Platform& platform,
                                const label::OrganisationRecord& organisation,
                                const std::string& named);

}  // namespace hone::cli
