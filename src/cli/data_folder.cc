#include "cli/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/env.h"
#include "base/error.h"
#include "cli/common.h"

namespace hone::cli {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string lock_path(const std::string& folder) { return folder + "/lock"; }

}  // namespace

std::string data_folder(Env& env, const std::string& named) {
  if (!named.empty()) return absolute_path(named);
  if (const std::string home = variable("HONE_HOME"); !home.empty()) return absolute_path(home);
  if (env.is_directory(".hone")) return absolute_path(".hone");
  if (const std::string data = variable("XDG_DATA_HOME"); !data.empty()) return data + "/hone";
  const std::string home = variable("HOME");
  if (home.empty()) {
    throw invalid_input("there is no HOME to put the data folder into: name one with --data-dir");
  }
  return home + "/.local/share/hone";
}

DataLock::DataLock(Env& env, const std::string& folder) {
  const std::string instead = "; name a folder that you may write to with --data-dir";
  if (env.exists(folder) && !env.is_directory(folder)) {
    throw invalid_input(folder + " is no folder" + instead);
  }
  try {
    create_directories_durably(env, folder);
  } catch (const Error& error) {
    const bool has_next_step = error.message().find(';') != std::string::npos;
    throw Error(error.code(), error.message() + (has_next_step ? "" : instead));
  }
  ::chmod(folder.c_str(), S_IRWXU);
  const std::string path = lock_path(folder);
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file_ < 0) {
    throw Error(ErrorCode::kUnavailable, path + ": " + std::strerror(errno) + instead);
  }
  if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
    close(file_);
    throw Error(ErrorCode::kConflict,
                folder + " is open in another hone: stop that one, or name another --data-dir");
  }
}

DataLock::~DataLock() {
  if (file_ >= 0) close(file_);
}

bool data_folder_is_held(const std::string& folder) {
  const int file = open(lock_path(folder).c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return false;
  const bool held = flock(file, LOCK_EX | LOCK_NB) != 0;
  close(file);
  return held;
}

}  // namespace hone::cli
