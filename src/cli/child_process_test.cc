#include "cli/child_process.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "base/cpu_limits.h"
#include "base/env.h"
#include "base/error.h"
#include "base/thread_pool.h"

namespace hone::cli {
namespace {

// The children are this test program itself, asked for one of these: by itself each would end the
// program or wait, so they are disabled and run only when asked for by name.
TEST(ChildProcessChild, DISABLED_SpeaksAndFails) {
  std::printf("first line\nsecond line\nno end");
  std::fflush(stdout);
  std::fprintf(stderr, "a complaint\n");
  std::_Exit(7);
}
TEST(ChildProcessChild, DISABLED_CountsItsCores) {
  std::printf("cores %zu\n", allowed_cores().size());
  std::fflush(stdout);
  std::_Exit(0);
}
TEST(ChildProcessChild, DISABLED_Waits) {
  std::printf("ready\n");
  std::fflush(stdout);
  std::this_thread::sleep_for(std::chrono::minutes(2));
}
TEST(ChildProcessChild, DISABLED_WaitsForItsParent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::printf("ready\n");
  std::fflush(stdout);
  std::this_thread::sleep_for(std::chrono::minutes(2));
}

std::string error_file() {
  return (std::filesystem::temp_directory_path() / "hone_child_process_test.txt").string();
}
std::vector<std::string> child(const std::string& name) {
  return {"--gtest_also_run_disabled_tests", "--gtest_filter=ChildProcessChild.DISABLED_" + name};
}
std::string line_after(ChildProcess& process, const std::string& wanted) {
  while (!process.ended()) {
    const auto line = process.next_line(20'000);
    if (line && line->find(wanted) != std::string::npos) return *line;
  }
  return {};
}

TEST(ChildProcess, HasAllCoresThoughAPoolPinnedTheThreadThatStartsIt) {
  const size_t cores = allowed_cores().size();
  if (cores == 1) GTEST_SKIP() << "this process may use one core";
  ThreadPool pool(cores);
  pool.run(cores, [](size_t, size_t) {});
  ChildProcess process(child("CountsItsCores"), error_file());
  EXPECT_EQ(line_after(process, "cores"), "cores " + std::to_string(cores));
}

TEST(ChildProcess, LinesComeOneByOneAndTheExitCodeAtTheEnd) {
  ChildProcess process(child("SpeaksAndFails"), error_file());
  EXPECT_EQ(line_after(process, "first"), "first line");
  EXPECT_EQ(process.next_line(20'000), "second line");
  EXPECT_EQ(line_after(process, "no end"), "no end");
  EXPECT_EQ(process.wait(), 7);
  EXPECT_EQ(process.wait(), 7);
  EXPECT_EQ(process.next_line(0), std::nullopt);
  EXPECT_TRUE(process.ended());
  EXPECT_EQ(real_env().read_file(error_file(), 1000), "a complaint\n");
}

TEST(ChildProcess, ASignalEndsItAndIsToldAs128AndMore) {
  ChildProcess process(child("Waits"), error_file());
  EXPECT_EQ(line_after(process, "ready"), "ready");
  EXPECT_EQ(process.next_line(10), std::nullopt);
  EXPECT_FALSE(process.ended());
  process.terminate();
  EXPECT_EQ(process.wait(), 128 + SIGTERM);
}

TEST(ChildProcess, OneThatIsForgottenIsKilled) {
  const ChildProcess process(child("Waits"), error_file());
}

TEST(ChildProcess, TheEndOfTheThreadThatStartedItEndsOneThatAsksForThat) {
  std::unique_ptr<ChildProcess> process;
  std::thread([&] {
    process = std::make_unique<ChildProcess>(child("WaitsForItsParent"), error_file());
    EXPECT_EQ(line_after(*process, "ready"), "ready");
  }).join();
  EXPECT_EQ(process->wait(), 128 + SIGTERM);
}

TEST(ChildProcess, AnErrorFileThatCannotBeMadeIsAnError) {
  try {
    ChildProcess process({}, "/nowhere/errors.txt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  }
}

}  // namespace
}  // namespace hone::cli
