#include "base/fault_env.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"

namespace hone {
namespace {

constexpr uint64_t kManyBytes = 1 << 20;

ErrorCode code_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error was thrown";
  return ErrorCode::kInternal;
}

void write(Env& env, const std::string& path, std::string_view bytes, bool sync) {
  const auto file = env.create_file(path);
  file->append(bytes);
  if (sync) file->sync();
  file->close();
}

TEST(FaultEnv, WithoutFaultsIsADisk) {
  FaultEnv env;
  env.create_directories("runs/one");
  write(env, "runs/one/b", "hello", false);
  const auto more = env.append_file("runs/one/b");
  more->append(" again");
  more->close();
  write(env, "runs/one/a", "", false);
  EXPECT_EQ(env.read_file("./runs//one/b", kManyBytes), "hello again");
  EXPECT_EQ(env.file_size("runs/one/b"), 11u);
  EXPECT_EQ(env.list_directory("runs/one"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(env.is_directory("runs"));
  EXPECT_FALSE(env.is_directory("runs/one/b"));

  env.rename("runs/one/b", "runs/one/a");
  EXPECT_EQ(env.read_file("runs/one/a", kManyBytes), "hello again");
  EXPECT_FALSE(env.exists("runs/one/b"));
  env.truncate("runs/one/a", 5);
  EXPECT_EQ(env.read_file("runs/one/a", 5), "hello");
  EXPECT_EQ(code_of([&] { env.read_file("runs/one/a", 4); }), ErrorCode::kTooLarge);

  env.remove_all("runs");
  env.remove_all("runs");
  EXPECT_FALSE(env.exists("runs/one/a"));
}

TEST(FaultEnv, RefusesAsTheSystemDoes) {
  FaultEnv env;
  write(env, "file", "x", false);
  env.create_directories("folder/inner");
  EXPECT_EQ(code_of([&] { env.read_file("none", kManyBytes); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { env.create_file("none/file"); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { env.read_file("folder", kManyBytes); }), ErrorCode::kInvalidInput);
  EXPECT_EQ(code_of([&] { env.create_file("folder"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { env.create_directories("file/folder"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { env.rename("file", "folder"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { env.rename("folder", "folder/inner/deep"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([&] { env.list_directory("file"); }), ErrorCode::kUnavailable);
}

TEST(FaultEnv, ACrashForgetsContentsThatWereNotSynced) {
  FaultEnv env;
  const auto file = env.create_file("log");
  file->append("kept");
  file->sync();
  env.sync_directory(".");
  file->append(" lost");
  EXPECT_EQ(env.read_file("log", kManyBytes), "kept lost");
  env.crash();
  EXPECT_EQ(env.read_file("log", kManyBytes), "kept");
  EXPECT_EQ(code_of([&] { file->append("late"); }), ErrorCode::kUnavailable);
}

TEST(FaultEnv, ACrashForgetsNamesWhoseFolderWasNotSynced) {
  FaultEnv env;
  write(env, "old", "old", true);
  env.create_directories("folder");
  env.sync_directory(".");
  write(env, "folder/new", "new", true);
  env.rename("old", "renamed");
  env.crash();
  EXPECT_FALSE(env.exists("folder/new"));
  EXPECT_FALSE(env.exists("renamed"));
  EXPECT_EQ(env.read_file("old", kManyBytes), "old");

  env.remove_all("old");
  env.crash();
  EXPECT_TRUE(env.exists("old"));
  env.remove_all("old");
  env.sync_directory(".");
  env.crash();
  EXPECT_FALSE(env.exists("old"));
}

TEST(FaultEnv, FailsOneOperationAndChangesNothing) {
  FaultEnv env;
  write(env, "file", "x", false);
  env.fail_at(2);
  EXPECT_EQ(env.read_file("file", kManyBytes), "x");
  EXPECT_EQ(code_of([&] { env.rename("file", "other"); }), ErrorCode::kUnavailable);
  EXPECT_TRUE(env.exists("file"));
  env.rename("file", "other");
  EXPECT_TRUE(env.exists("other"));
}

TEST(FaultEnv, IsFullAfterSoManyBytes) {
  FaultEnv env;
  env.full_after(6);
  const auto file = env.create_file("file");
  file->append("four");
  EXPECT_EQ(code_of([&] { file->append("four"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(env.read_file("file", kManyBytes), "fourfo");
  EXPECT_EQ(code_of([&] { file->append("x"); }), ErrorCode::kUnavailable);
  env.full_after(1);
  file->append("x");
}

TEST(FaultEnv, TimeStandsAndEntropyRepeats) {
  FaultEnv one, two;
  one.set_now_ms(1234);
  one.set_steady_seconds(0.5);
  EXPECT_EQ(one.now_ms(), 1234);
  EXPECT_EQ(one.now_ms(), 1234);
  EXPECT_EQ(one.steady_seconds(), 0.5);
  uint64_t a = 0, b = 0, c = 0;
  one.random_bytes(&a, sizeof a);
  two.random_bytes(&b, sizeof b);
  two.random_bytes(&c, sizeof c);
  EXPECT_EQ(a, b);
  EXPECT_NE(b, c);
}

// What write_file_atomically promises, at each place where it can be cut or refused.
TEST(WriteFileAtomically, LeavesTheOldFileOrTheNewOneWhereverItFails) {
  FaultEnv counting;
  write_file_atomically(counting, "file", "new");
  const uint64_t operations = counting.operations();
  ASSERT_GE(operations, 5u);
  for (const bool then_crash : {false, true}) {
    for (uint64_t n = 1; n <= operations + 1; ++n) {
      FaultEnv env;
      write(env, "file", "old", true);
      env.sync_directory(".");
      env.fail_at(n);
      bool done = true;
      try {
        write_file_atomically(env, "file", "new");
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
        done = false;
      }
      env.fail_at(0);
      if (then_crash) env.crash();
      const std::string found = env.read_file("file", kManyBytes);
      EXPECT_TRUE(found == "new" || (found == "old" && !done))
          << "failing operation " << n << ": " << found;
      EXPECT_EQ(done, n > operations);
      EXPECT_EQ(env.list_directory(".").size(), 1u) << "a temporary file stayed";
    }
  }
}

TEST(WriteFileAtomically, OnAFullDiskKeepsTheOldFile) {
  FaultEnv env;
  write(env, "file", "old", true);
  env.full_after(2);
  EXPECT_EQ(code_of([&] { write_file_atomically(env, "file", "new"); }), ErrorCode::kUnavailable);
  EXPECT_EQ(env.read_file("file", kManyBytes), "old");
  EXPECT_EQ(env.list_directory("."), (std::vector<std::string>{"file"}));
}

TEST(CreateDirectoriesDurably, NamesEveryNewFolderAcrossACutOfPower) {
  for (const char* path : {"one", "one/two/three", "/abs/two"}) {
    FaultEnv plain, durable;
    plain.create_directories(path);
    plain.crash();
    EXPECT_FALSE(plain.is_directory(path)) << path;
    create_directories_durably(durable, path);
    create_directories_durably(durable, path);  // there already: nothing to do
    durable.crash();
    EXPECT_TRUE(durable.is_directory(path)) << path;
  }
}

}  // namespace
}  // namespace hone
