#include "base/env.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"

namespace hone {
namespace {

class RealEnv : public testing::Test {
 protected:
  void SetUp() override {
    uint64_t unique = 0;
    env_.random_bytes(&unique, sizeof unique);
    folder_ =
        (std::filesystem::temp_directory_path() / ("hone_env_" + std::to_string(unique))).string();
    env_.create_directories(folder_);
  }
  void TearDown() override { env_.remove_all(folder_); }

  ErrorCode code_of(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.code();
    }
    ADD_FAILURE() << "no error was thrown";
    return ErrorCode::kInternal;
  }

  Env& env_ = real_env();
  std::string folder_;
};

TEST_F(RealEnv, ReadsBackWhatWasWrittenAndAppended) {
  std::string path = folder_ + "/file", large(200000, 'x');
  auto file = env_.create_file(path);
  file->append("one ");
  file->append(large);
  file->sync();
  file->close();
  auto more = env_.append_file(path);
  more->append(" two");
  more->close();
  EXPECT_EQ(env_.read_file(path, 1 << 20), "one " + large + " two");
  EXPECT_EQ(env_.file_size(path), 200008u);
  env_.truncate(path, 3);
  EXPECT_EQ(env_.read_file(path, 3), "one");
  EXPECT_TRUE(env_.is_file(path));
  EXPECT_FALSE(env_.is_file(folder_) || env_.is_file("/dev/null") || env_.is_file(path + "2"));
  EXPECT_EQ(code_of([&] { env_.read_file(path, 2); }), ErrorCode::kTooLarge);
}

TEST_F(RealEnv, SaysWhatIsMissingAndWhatCannotBeDone) {
  EXPECT_EQ(code_of([&] { env_.read_file(folder_ + "/none", 9); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { env_.list_directory(folder_ + "/none"); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { env_.file_size(folder_ + "/none"); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { env_.create_file(folder_); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { env_.read_file(folder_, 9); }), ErrorCode::kInvalidInput);
  EXPECT_FALSE(env_.exists(folder_ + "/none"));
  env_.remove_all(folder_ + "/none");
}

TEST_F(RealEnv, ListsNamesInOrder) {
  for (const char* name : {"b", "a", "c"}) env_.create_file(folder_ + "/" + name)->close();
  EXPECT_EQ(env_.list_directory(folder_), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(RealEnv, WritingAtomicallyReplacesAndLeavesNothingElse) {
  std::string path = folder_ + "/file";
  write_file_atomically(env_, path, "old");
  write_file_atomically(env_, path, "new");
  EXPECT_EQ(env_.read_file(path, 10), "new");
  EXPECT_EQ(env_.list_directory(folder_).size(), 1u);
  env_.create_directories(folder_ + "/folder");
  EXPECT_THROW(write_file_atomically(env_, folder_ + "/folder", "x"), Error);
  EXPECT_EQ(env_.list_directory(folder_).size(), 2u);
}

}  // namespace
}  // namespace hone
