#include "cli/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/cpu_limits.h"
#include "base/error.h"

extern char** environ;

namespace hone::cli {

namespace {

constexpr size_t kMaxLineBytes = 4 << 20;

Error failed(const std::string& what, int reason) {
  return {ErrorCode::kUnavailable, what + ": " + std::strerror(reason)};
}

// What the child does between fork and exec; freed in any case.
class Actions {
 public:
  Actions() { posix_spawn_file_actions_init(&actions_); }
  ~Actions() { posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments,
                           const std::string& stderr_path) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw failed("cannot make a pipe to a child process", errno);
  Actions actions;
  posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(actions.get(), ends[1], 1);
  posix_spawn_file_actions_addopen(actions.get(), 2, stderr_path.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const char* const program = "/proc/self/exe";
  std::vector<char*> argv = {const_cast<char*>("hone")};
  for (const std::string& word : arguments) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  // Signals that this thread holds back would be held back in the child too.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  const OnAllCores for_the_child;
  const int result = posix_spawn(&pid_, program, actions.get(), &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  close(ends[1]);
  if (result != 0) {
    close(ends[0]);
    throw failed("cannot start a child process", result);
  }
  out_ = ends[0];
}

ChildProcess::~ChildProcess() {
  if (out_ >= 0) close(out_);
  if (!code_) {
    kill();
    wait();
  }
}

std::optional<std::string> ChildProcess::take_line() {
  const size_t end = buffer_.find('\n');
  if (end == std::string::npos) {
    if (!ended_ || buffer_.empty()) return std::nullopt;
    return std::exchange(buffer_, {});
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return line;
}

std::optional<std::string> ChildProcess::next_line(int timeout_ms) {
  if (auto line = take_line()) return line;
  if (ended_) return std::nullopt;
  pollfd poller = {out_, POLLIN, 0};
  const int ready = poll(&poller, 1, timeout_ms);
  if (ready <= 0) return std::nullopt;  // a signal counts as no line yet
  char piece[1 << 16];
  const ssize_t count = read(out_, piece, sizeof piece);
  if (count > 0) {
    buffer_.append(piece, static_cast<size_t>(count));
    if (buffer_.size() > kMaxLineBytes) buffer_.resize(kMaxLineBytes);
  } else if (count == 0 || errno != EINTR) {
    ended_ = true;
  }
  return take_line();
}

void ChildProcess::terminate() {
  if (!code_) ::kill(pid_, SIGTERM);
}

void ChildProcess::kill() {
  if (!code_) ::kill(pid_, SIGKILL);
}

int ChildProcess::wait() {
  if (code_) return *code_;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) throw failed("cannot wait for a child process", errno);
  }
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return *code_;
}

}  // namespace hone::cli
