#pragma once
// What the tests of the commands share: a command called as a person calls it, and a folder of its
// own for each test. In hone::cli itself: a namespace testing in it would hide gtest's.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"

namespace hone::cli {

inline constexpr uint64_t kMaxTestBytes = 1 << 26;

struct Answer {
  int code = -1;
  ErrorCode error_code = ErrorCode::kInternal;
  std::string out, note, error;  // note: stderr; error: the message of what was thrown
};

inline Answer call(int (*command)(const Arguments&), const Arguments& words) {
  Answer answer;
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  try {
    answer.code = command(words);
  } catch (const Error& error) {
    answer.error = error.message();
    answer.error_code = error.code();
  }
  answer.note = ::testing::internal::GetCapturedStderr();
  answer.out = ::testing::internal::GetCapturedStdout();
  return answer;
}

// The words, those of `options` (apart by spaces), and more.
inline Arguments with(Arguments words, const std::string& options, const Arguments& more = {}) {
  std::istringstream apart(options);
  for (std::string word; apart >> word;) words.push_back(word);
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

inline std::vector<Json> json_lines(const std::string& text) {
  std::istringstream rest(text);
  std::vector<Json> lines;
  for (std::string line; std::getline(rest, line);) lines.push_back(Json::parse(line).value());
  return lines;
}

// Each test has an empty folder, which is gone afterwards.
class FolderTest : public ::testing::Test {
 protected:
  FolderTest() {
    const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        (std::filesystem::temp_directory_path() /
         ("hone-" + std::to_string(getpid()) + "-" + test.test_suite_name() + "-" + test.name()))
            .string();
    real_env().remove_all(folder_);
    real_env().create_directories(folder_);
  }
  ~FolderTest() override { real_env().remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  // Writes it, with the folders above it; its path.
  std::string file(const std::string& name, const std::string& text) const {
    real_env().create_directories(std::filesystem::path(path(name)).parent_path().string());
    write_file_atomically(real_env(), path(name), text);
    return path(name);
  }
  std::string text_of(const std::string& name) const {
    return real_env().read_file(path(name), kMaxTestBytes);
  }
  std::vector<Json> lines_of(const std::string& name) const { return json_lines(text_of(name)); }

  std::string folder_;
};

}  // namespace hone::cli
