#include "cli/admin.h"

#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/common.h"
#include "cli/data_folder.h"
#include "cli/options.h"
#include "data/jsonl_writer.h"

namespace hone::cli {

namespace {

constexpr int kMostListed = 1000;

struct Verb {
  const char* name;
  const char* what;
  std::vector<std::string> objects;
  std::optional<AdminCommand> (*parse)(const std::string& object, const Arguments& arguments);
};

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> kVerbs = {
      {"user", "people of a data folder.", {"add", "list", "link"}, parse_user},
      {"token", "keys for programs.", {"create", "list", "limit", "revoke", "usage"}, parse_token},
      {"project", "labelling projects.", {"list", "create", "import", "export"}, parse_project},
      {"feedback",
       "what people say of served answers, and where it goes.",
       {"list", "export", "rules", "rule"},
       parse_feedback},
      {"model",
       "models by name, and the aliases that move between them.",
       {"add", "list", "remove", "promote", "split", "rollback", "gate", "history"},
       parse_model},
  };
  return kVerbs;
}

// By whoever holds the folder. Errors of this process are thrown, the server's are in the answer.
ControlAnswer done(const Arguments& words, const AdminCommand& command) {
  const std::string folder = data_folder(real_env(), command.data_dir);
  if (data_folder_is_held(folder)) return ask_server(folder, words);
  if (!real_env().exists(folder)) {
    throw not_found("there is no data folder " + folder +
                    ": name the server's with --data-dir, or start hone up once");
  }
  const DataLock lock(real_env(), folder);
  api::PlatformOptions options;
  options.data_dir = folder;
  options.version = program_version();
  const auto platform = api::Platform::open(real_env(), std::move(options));
  AdminContext context{*platform, absolute_path("."), ""};
  std::string text = command.work(context);
  return {context.exit_code, std::move(text), ""};
}

int run(const char* verb, const Arguments& arguments) {
  Arguments words = {verb};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const auto command = parse_admin(words);
  if (!command) return 0;
  const ControlAnswer answer = done(words, *command);
  std::fputs(answer.out.c_str(), stdout);
  if (!answer.error.empty()) std::fprintf(stderr, "hone: %s\n", answer.error.c_str());
  return answer.code;
}

}  // namespace

std::string ask_data_folder(const Arguments& words) {
  const auto command = parse_admin(words);
  if (!command) return {};
  ControlAnswer answer = done(words, *command);
  if (answer.code != 0) throw invalid_input(answer.error);
  return std::move(answer.out);
}

void Where::add_to(Options& options) {
  options.text("organisation", &organisation, "O", "name or id; empty = the only one there is");
  options.text("data-dir", &data_dir, "DIR", "the server's data folder");
  common.add_to(options);
}

label::Organisation& opened(AdminContext& context, const Where& where) {
  return context.platform.organisation(find_organisation(context.platform, where.organisation).id);
}

std::string new_file(const AdminContext& context, const std::string& named, bool overwrite) {
  const std::string path = context.path(named);
  data::refuse_existing(context.platform.env(), path, overwrite);
  return path;
}

std::string write_rows(AdminContext& context, const std::string& path, bool json,
                       const std::function<uint64_t(WritableFile&)>& rows) {
  Env& env = context.platform.env();
  const std::string part = path + ".part";
  uint64_t count = 0;
  {
    const auto file = env.create_file(part);
    count = rows(*file);
    file->sync();
    file->close();
  }
  env.rename(part, path);
  if (!json) return std::to_string(count) + " rows in " + path + "\n";
  Json line = Json::object();
  line["file"] = path;
  line["rows"] = count;
  return line.dump() + "\n";
}

std::string AdminContext::path(const std::string& named) const {
  if (named.empty() || named[0] == '/') return named;
  return folder + (folder.ends_with('/') ? "" : "/") + named;
}

std::string AdminContext::sign_in_text(const std::string& token) const {
  return url.empty() ? "start the server within 15 minutes and open /sign-in#token=" + token
                     : url + "/sign-in#token=" + token;
}

std::optional<AdminCommand> parse_admin(const Arguments& words) {
  if (words.empty()) throw invalid_input("a command is missing");
  if (words[0] == "backup") return parse_backup({words.begin() + 1, words.end()});
  for (const Verb& verb : verbs()) {
    if (words[0] != verb.name) continue;
    const std::string object = words.size() > 1 ? words[1] : "";
    std::string list;
    for (const std::string& name : verb.objects) {
      if (object == name) return verb.parse(object, {words.begin() + 2, words.end()});
      list += (list.empty() ? "" : ", ") + name;
    }
    const std::string hone = "hone " + words[0];
    if (object == "--help" || object == "-h") {
      std::printf("%s: %s\n\n%s %s --help shows options and examples; there is: %s\n", hone.c_str(),
                  verb.what, hone.c_str(), verb.objects[0].c_str(), list.c_str());
      return std::nullopt;
    }
    const std::string close = nearest(object, verb.objects);
    throw invalid_input(object.empty() || object[0] == '-'
                            ? hone + " needs a word first: " + list
                            : hone + " " + object + " does not exist" +
                                  (close.empty() ? ";" : "; did you mean " + close + "?") +
                                  " there is: " + list);
  }
  throw invalid_input("\"" + words[0] + "\" is not a command about a data folder");
}

ControlAnswer run_admin(api::Platform& platform, const std::string& url, const Arguments& words,
                        const std::string& folder) {
  try {
    const auto command = parse_admin(words);
    if (!command) return {};
    AdminContext context{platform, folder, url};
    std::string text = command->work(context);
    return {context.exit_code, std::move(text), ""};
  } catch (const Error& error) {
    const bool usage = error.code() != ErrorCode::kUnavailable &&
                       error.code() != ErrorCode::kInternal && error.code() != ErrorCode::kBusy;
    return {usage ? 2 : 1, "", error.message()};
  }
}

label::OrganisationRecord find_organisation(api::Platform& platform, const std::string& named) {
  label::Identity& identity = platform.identity();
  const auto all = identity.read(
      [&](store::Connection& db) { return identity.organisations(db, 0, kMostListed); });
  if (all.empty()) {
    throw not_found("this data folder has no organisation yet: start hone up once");
  }
  if (named.empty()) {
    if (all.size() == 1) return all[0];
    throw invalid_input("there are several organisations: name one with --organisation");
  }
  const label::OrganisationRecord* found = nullptr;
  for (const label::OrganisationRecord& one : all) {
    if (one.id == named) return one;
    if (one.name != named) continue;
    if (found != nullptr) {
      throw invalid_input("several organisations are called " + named + ": give the id, org_…");
    }
    found = &one;
  }
  if (found == nullptr) {
    throw not_found("there is no organisation \"" + named + "\"; this data folder has " +
                    all[0].name + (all.size() > 1 ? " and others" : ""));
  }
  return *found;
}

label::PersonRecord find_person(api::Platform& platform,
                                const label::OrganisationRecord& organisation,
                                const std::string& named) {
  label::Identity& identity = platform.identity();
  if (named.rfind("usr_", 0) == 0) {
    return identity.read(
        [&](store::Connection& db) { return identity.person(db, organisation.key, named); });
  }
  const auto people = identity.read([&](store::Connection& db) {
    return identity.people(db, organisation.key, named, 0, kMostListed);
  });
  const label::PersonRecord* found = nullptr;
  for (const label::PersonRecord& person : people) {
    if (person.name != named && person.email != named) continue;
    if (found != nullptr) {
      throw Error(ErrorCode::kConflict,
                  "several people are called " + named + ": give the id (hone user list)");
    }
    found = &person;
  }
  if (found == nullptr) {
    throw not_found("nobody in " + organisation.name + " is called \"" + named +
                    "\" (hone user list shows who there is)");
  }
  return *found;
}

int run_user(const Arguments& arguments) { return run("user", arguments); }
int run_token(const Arguments& arguments) { return run("token", arguments); }
int run_project(const Arguments& arguments) { return run("project", arguments); }
int run_feedback(const Arguments& arguments) { return run("feedback", arguments); }
int run_registry(const std::string& object, const Arguments& arguments) {
  Arguments words = {object};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run("model", words);
}
int run_backup(const Arguments& arguments) { return run("backup", arguments); }

}  // namespace hone::cli
