#pragma once
// What the tests of the real program share: processes, a folder of their own, the files of a run.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/rng.h"

namespace hone {

using Arguments = std::vector<std::string>;

inline constexpr uint64_t kMaxBytes = uint64_t{1} << 32;

class Process {
 public:
  // stderr goes to the file.
  Process(const Arguments& arguments, const std::string& error_file) {
    std::vector<char*> words;
    for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    id_ = fork();
    if (id_ != 0) return;
    const int file = open(error_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDERR_FILENO);
    const int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    execvp(words[0], words.data());
    _exit(127);
  }
  ~Process() {
    if (!running()) return;
    signal(SIGKILL);
    wait();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  bool running() {
    if (!ended_) ended_ = waitpid(id_, &status_, WNOHANG) == id_;
    return !ended_;
  }
  void signal(int number) const { kill(id_, number); }
  pid_t id() const { return id_; }
  // The exit code, or minus the signal that ended it.
  int wait() {
    if (!ended_) ended_ = waitpid(id_, &status_, 0) == id_;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
  }

 private:
  pid_t id_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / ("hone_runs_" + std::to_string(getpid())))
                  .string();
    real_env().remove_all(folder_);
    real_env().create_directories(folder_);
  }
  void TearDown() override { real_env().remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string file(const std::string& name, const std::string& text) const {
    write_file_atomically(real_env(), path(name), text);
    return path(name);
  }
  std::string errors() const { return real_env().read_file(path("stderr"), kMaxBytes); }
  int run(const Arguments& words) const { return Process(words, path("stderr")).wait(); }

  // Every file of a run but sources.json (paths) and the checkpoints' temporary folder.
  std::map<std::string, std::string> files_of(const std::string& run) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path(run))) {
      if (!entry.is_regular_file()) continue;
      const std::string name = std::filesystem::relative(entry.path(), path(run)).string();
      if (name == "sources.json") continue;
      files[name] = real_env().read_file(entry.path().string(), kMaxBytes);
    }
    return files;
  }
  void expect_same_files(const std::string& a, const std::string& b, const std::string& what) {
    const auto first = files_of(a), second = files_of(b);
    std::vector<std::string> names[2];
    for (const auto& [name, bytes] : first) names[0].push_back(name);
    for (const auto& [name, bytes] : second) names[1].push_back(name);
    EXPECT_EQ(names[0], names[1]) << what;
    for (const auto& [name, bytes] : first) {
      const auto other = second.find(name);
      EXPECT_TRUE(other != second.end() && other->second == bytes) << what << ": " << name;
    }
  }

  size_t steps_of(const std::string& run) const {
    const std::string steps = path(run) + "/steps.jsonl";
    if (!real_env().exists(steps)) return 0;
    const std::string text = real_env().read_file(steps, kMaxBytes);
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  std::string folder_;
};

// A list of token ids of the tiny models, as JSON.
inline std::string ids(Rng& rng, size_t count) {
  std::string out = "[";
  for (size_t i = 0; i < count; ++i) {
    out += (i > 0 ? "," : "") + std::to_string(rng.below(128));
  }
  return out + "]";
}

}  // namespace hone
