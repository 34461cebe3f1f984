#pragma once
// For tests of this room and of those above it: a folder that is gone afterwards, and the code of
// the Error that an action throws.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/error.h"
#include "store/sqlite_database.h"

namespace hone::store {

class TestFolder {
 public:
  TestFolder() {
    uint64_t unique = 0;
    real_env().random_bytes(&unique, sizeof unique);
    path_ = (std::filesystem::temp_directory_path() / ("hone_store_" + std::to_string(unique)))
                .string();
    real_env().create_directories(path_);
  }
  ~TestFolder() { real_env().remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline Error error_from(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return {ErrorCode::kInternal, "no error was thrown"};
}
inline ErrorCode code_from(const std::function<void()>& act) { return error_from(act).code(); }

inline std::unique_ptr<Database> open_test_database(const TestFolder& folder) {
  SqliteOptions options;
  options.path = folder.file("test.db");
  return open_sqlite(options, real_env());
}

}  // namespace hone::store
