// hone backup and hone restore: the data folder as one folder that can be checked before it is used
// (docs/formats/backup.md).

#include "store/backup.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/embedded_file.h"
#include "base/env.h"
#include "base/error.h"
#include "cli/admin.h"
#include "cli/common.h"
#include "cli/data_folder.h"
#include "cli/options.h"
#include "seal/digest.h"

namespace hone::embedded {
std::span<const EmbeddedFile> control_migrations();
std::span<const EmbeddedFile> organisation_migrations();
}  // namespace hone::embedded

namespace hone::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSchema = "hone.backup/1";
constexpr uint64_t kMaxManifestBytes = 256 << 20;
constexpr size_t kMostFiles = 1'000'000;

bool is_database(const fs::path& path) { return path.extension() == ".db"; }

// What belongs to a running process and not to the data.
bool is_left_out(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::string extension = path.extension().string();
  return name == "lock" || name == "control.sock" || extension == ".db-wal" ||
         extension == ".db-shm" || name.find(".partial") != std::string::npos;
}

// The files of a folder, relative to it, sorted.
std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || is_left_out(entry.path())) continue;
    files.push_back(fs::relative(entry.path(), folder).generic_string());
    if (files.size() > kMostFiles)
      throw Error(ErrorCode::kTooLarge, folder + " has too many files");
  }
  std::sort(files.begin(), files.end());
  return files;
}

void copy_file(Env& env, const std::string& from, const std::string& to) {
  constexpr uint64_t kPiece = 1 << 20;
  const auto file = env.create_file(to);
  for (uint64_t offset = 0;;) {
    const std::string piece = env.read_range(from, offset, kPiece);
    if (piece.empty()) break;
    file->append(piece);
    offset += piece.size();
  }
  file->sync();
  file->close();
}

std::vector<store::Migration> migrations_for(const std::string& file) {
  return store::migrations_of(file == "control.db" ? embedded::control_migrations()
                                                   : embedded::organisation_migrations());
}

std::string back_up(api::Platform& platform, const std::string& target, bool as_json) {
  Env& env = platform.env();
  if (env.exists(target)) {
    throw Error(ErrorCode::kConflict, target + " exists: name a folder that does not");
  }
  const std::string source = platform.options().data_dir, part = target + ".partial";
  env.remove_all(part);
  env.create_directories(part);
  fs::permissions(part, fs::perms::owner_all);
  // Organisations first: what control.db knows in the end has its rows there (decisions 2.7).
  std::vector<std::string> files = files_below(source);
  std::stable_partition(files.begin(), files.end(),
                        [](const std::string& name) { return name != "control.db"; });
  std::vector<std::pair<std::string, std::string>> digests;
  for (const std::string& name : files) {
    const std::string from = source + "/" + name, to = part + "/" + name;
    env.create_directories(fs::path(to).parent_path().string());
    if (is_database(name)) {
      store::copy_sqlite(env, from, to);
    } else if (env.exists(from)) {  // a run may have dropped a checkpoint meanwhile
      copy_file(env, from, to);
    } else {
      continue;
    }
    digests.emplace_back(name, seal::sha256_file(to));
  }
  Json manifest = Json::object();
  manifest["schema"] = kSchema;
  manifest["program"] = program_version();
  manifest["digest"] = seal::artefact_digest(digests);
  for (const auto& [name, digest] : digests) manifest["files"][name] = digest;
  write_file_atomically(env, part + "/backup.json", manifest.dump_canonical() + "\n");
  env.rename(part, target);
  if (as_json) {
    Json json = Json::object();
    json["folder"] = target;
    json["files"] = uint64_t{digests.size()};
    json["digest"] = manifest.at("digest");
    return json.dump() + "\n";
  }
  return target + ": " + std::to_string(digests.size()) + " files, digest " +
         manifest.at("digest").as_string() +
         "\nIt holds the key of sealed addresses: keep it as safe as the data folder itself.\n";
}

// Every file is there and is what it was, every database whole. Returns the files.
std::vector<std::string> verify(Env& env, const std::string& folder) {
  const std::string path = folder + "/backup.json";
  if (!env.exists(path)) throw not_found(folder + " is no backup: there is no backup.json");
  const Json manifest = Json::parse(env.read_file(path, kMaxManifestBytes)).value();
  if (manifest.at("schema").as_string() != kSchema) {
    throw corrupt_data(path + ": not of a form that this program knows; use the one that made it");
  }
  std::vector<std::string> files;
  for (const auto& [name, digest] : manifest.at("files").as_object()) {
    if (name.find("..") != std::string::npos || name.empty() || name[0] == '/') {
      throw corrupt_data(path + ": \"" + name + "\" is no name of a file in a backup");
    }
    const std::string file = folder + "/" + name;
    if (!env.exists(file)) throw corrupt_data(folder + " lacks " + name + ": take another backup");
    if (seal::sha256_file(file) != digest.as_string()) {
      throw corrupt_data(file + " is not what was backed up: take another backup");
    }
    if (is_database(name)) store::check_sqlite(env, file, migrations_for(name));
    files.push_back(name);
  }
  return files;
}

}  // namespace

std::optional<AdminCommand> parse_backup(const Arguments& arguments) {
  std::string data_dir;
  CommonOptions common;
  Options options("backup", "a copy of the data folder, also while the server runs.", "FOLDER");
  options.example("hone backup backups/monday", "a new folder; hone restore checks and uses it");
  options.text("data-dir", &data_dir, "DIR", "the server's data folder");
  common.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone backup takes the name of a new folder");
  const auto work = [words, common](AdminContext& context) {
    return back_up(context.platform, context.path(words[0]), common.json);
  };
  return AdminCommand{work, data_dir};
}

int run_restore(const Arguments& arguments) {
  std::string data_dir;
  bool check = false;
  CommonOptions common;
  Options options("restore", "a data folder out of a backup that is whole.", "FOLDER");
  options.example("hone restore backups/monday --data-dir new",
                  "every file is compared with its digest, every database is read whole");
  options.example("hone restore backups/monday --check", "only says whether it is whole");
  options.text("data-dir", &data_dir, "DIR", "a folder that does not exist yet");
  options.flag("check", &check, "write nothing");
  common.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return 0;
  if (words.size() != 1) throw invalid_input("hone restore takes the folder of a backup");
  Env& env = real_env();
  const std::vector<std::string> files = verify(env, words[0]);
  const auto say = [&](const std::string& folder, const char* what) {
    if (common.json) {
      Json json = Json::object();
      json["folder"] = folder;
      json["files"] = uint64_t{files.size()};
      std::printf("%s\n", json.dump().c_str());
    } else {
      std::printf("%s: %zu files, %s\n", folder.c_str(), files.size(), what);
    }
    return 0;
  };
  if (check) return say(words[0], "whole");
  const std::string target = data_folder(env, data_dir), part = target + ".partial";
  if (env.exists(target)) {
    throw Error(ErrorCode::kConflict, target + " exists: move it away, or name another --data-dir");
  }
  env.remove_all(part);
  env.create_directories(part);
  fs::permissions(part, fs::perms::owner_all);
  for (const std::string& name : files) {
    const std::string to = part + "/" + name;
    env.create_directories(fs::path(to).parent_path().string());
    copy_file(env, words[0] + "/" + name, to);
    fs::permissions(to, fs::perms::owner_read | fs::perms::owner_write);
  }
  env.rename(part, target);
  return say(target, "as they were");
}

}  // namespace hone::cli
