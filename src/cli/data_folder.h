#pragma once
// The data folder of a server (decisions 2.6): where it is, and that one process holds it.

#include <string>

namespace hone {
class Env;
}

namespace hone::cli {

// The folder that was named, else $HONE_HOME, else ./.hone when there is one, else
// $XDG_DATA_HOME/hone, else ~/.local/share/hone. Nothing is made.
std::string data_folder(Env& env, const std::string& named);

// Held while a process has the folder open; made with mode 0700 when it is absent. Freed by the
// system when the process dies.
class DataLock {
 public:
  // Throws conflict when another process holds it, invalid_input when it is no folder, unavailable
  // when it cannot be made or written to.
  explicit DataLock(Env& env, const std::string& folder);
  ~DataLock();
  DataLock(const DataLock&) = delete;
  DataLock& operator=(const DataLock&) = delete;

 private:
  int file_ = -1;
};

// Whether somebody holds it now. False when there is no folder.
bool data_folder_is_held(const std::string& folder);

}  // namespace hone::cli
