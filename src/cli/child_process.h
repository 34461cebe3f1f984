#pragma once
// A child process of this very program, and what it prints, line by line.
//
// The child reads nothing, writes its stdout into a pipe and its stderr into a file, and gets
// SIGTERM when the thread that started it ends (hone job asks for that): a server that is killed leaves no
// trainings behind. A line has a bound; a longer one is cut. Destroying a ChildProcess that still
// runs kills it. Used by the thread that started it. Errors: unavailable, with the system's reason.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace hone::cli {

class ChildProcess {
 public:
  // arguments: behind the program's name ("job", "train", "spec.json"). stderr_path is truncated.
  ChildProcess(const std::vector<std::string>& arguments, const std::string& stderr_path);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The next line without its end; nothing when none came in time, or when there will be none (ended()).
  std::optional<std::string> next_line(int timeout_ms);
  pid_t pid() const { return pid_; }
  bool ended() const { return ended_; }  // its stdout is closed and read

  void terminate();  // SIGTERM: save and stop
  void kill();       // SIGKILL
  // Waits for the end: the exit code, or 128 + the signal.
  int wait();

 private:
  std::optional<std::string> take_line();

  pid_t pid_ = -1;
  int out_ = -1;
  std::string buffer_;
  bool ended_ = false;
  std::optional<int> code_;
};

}  // namespace hone::cli
