#pragma once
// A folder of our own that is gone afterwards, whatever happens.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "base/env.h"
#include "base/error.h"

namespace hone::cli {

class TemporaryFolder {
 public:
  // Below `parent`, or where the system keeps such folders; `name` begins its own.
  TemporaryFolder(const std::string& parent, const std::string& name) {
    const std::string where =
        parent.empty() ? std::filesystem::temp_directory_path().string() : parent;
    uint64_t number = 0;
    real_env().random_bytes(&number, sizeof number);
    path_ = where + "/" + name + "-" + std::to_string(number);
    real_env().create_directories(path_);
  }
  ~TemporaryFolder() {
    try {
      real_env().remove_all(path_);
    } catch (const Error& error) {
      std::fprintf(stderr, "note: %s\n", error.message().c_str());
    }
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace hone::cli
