#include "reward/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/cpu_limits.h"
#include "base/error.h"

namespace hone::reward {

namespace {

constexpr size_t kMaxAnswerBytes = size_t{64} << 20;
using Clock = std::chrono::steady_clock;

// The process and a socket to its stdin and stdout.
class Child {
 public:
  explicit Child(const std::string& command) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      throw Error(ErrorCode::kUnavailable,
                  std::string("a reward's program cannot be started: ") + std::strerror(errno));
    }
    const OnAllCores for_the_child;
    pid_ = fork();
    if (pid_ < 0) {
      close(ends[0]);
      close(ends[1]);
      throw Error(ErrorCode::kUnavailable,
                  std::string("a reward's program cannot be started: ") + std::strerror(errno));
    }
    if (pid_ == 0) {
      // Only calls that are safe between fork and exec.
      setpgid(0, 0);
      dup2(ends[1], STDIN_FILENO);
      dup2(ends[1], STDOUT_FILENO);
      execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    setpgid(pid_, pid_);
    close(ends[1]);
    socket_ = ends[0];
    fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);
  }
  ~Child() {
    close(socket_);
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // One line there and one back. Empty `why` when it came.
  std::string ask(const std::string& line, Clock::time_point until, std::string* why) {
    size_t sent = 0;
    while (true) {
      const size_t end = answer_.find('\n');
      if (end != std::string::npos) {
        std::string first = answer_.substr(0, end);
        answer_.erase(0, end + 1);
        return first;
      }
      if (answer_.size() > kMaxAnswerBytes) return fail(why, "wrote too long a line");
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
      if (left <= 0) return fail(why, "gave no answer in time");
      pollfd ready{socket_, static_cast<short>(POLLIN | (sent < line.size() ? POLLOUT : 0)), 0};
      const int count = poll(&ready, 1, static_cast<int>(std::min<long long>(left, 1000)));
      if (count < 0 && errno != EINTR) return fail(why, std::strerror(errno));
      if (count <= 0) continue;
      if ((ready.revents & POLLOUT) != 0) {
        const ssize_t n = send(socket_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
        if (n > 0) sent += static_cast<size_t>(n);
        // It reads no more; what it wrote before it ended is still there.
        if (n < 0 && errno != EAGAIN && errno != EINTR) sent = line.size();
      }
      if ((ready.revents & (POLLIN | POLLHUP)) != 0) {
        char bytes[1 << 14];
        const ssize_t n = read(socket_, bytes, sizeof bytes);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return fail(why, ended());
        if (n > 0) answer_.append(bytes, static_cast<size_t>(n));
      }
    }
  }

 private:
  static std::string fail(std::string* why, std::string reason) {
    *why = std::move(reason);
    return {};
  }
  // How it ended, when its end of the socket is closed.
  std::string ended() const {
    // A process closes its files a moment before it has ended.
    for (int look = 0; look < 50; ++look) {
      siginfo_t info{};
      if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
          info.si_pid == pid_) {
        return info.si_code == CLD_EXITED ? "ended with code " + std::to_string(info.si_status)
                                          : "was ended by signal " + std::to_string(info.si_status);
      }
      usleep(10000);
    }
    return "closed its output";
  }

  pid_t pid_ = -1;
  int socket_ = -1;
  std::string answer_;
};

class Program : public RewardFunction {
 public:
  explicit Program(Spec spec)
      : name_(spec.name()),
        timeout_(spec.number_of("timeout", 60)),
        command_(spec.needed("command")) {
    spec.done();
    if (!(timeout_ > 0 && timeout_ <= 86400)) {
      throw invalid_input("--reward \"" + spec.text() +
                          "\": timeout must be above 0 and at most 86400 seconds");
    }
  }
  const std::string& name() const override { return name_; }
  bool judges_alone() const override { return false; }  // it may keep what it saw

  std::vector<std::optional<double>> score(std::span<const Sample> samples) override {
    if (samples.empty()) return {};
    if (child_ == nullptr) child_ = std::make_unique<Child>(command_);
    const auto until =
        Clock::now() + std::chrono::milliseconds(static_cast<long long>(timeout_ * 1000));
    std::string why;
    const std::string line = child_->ask(question(samples), until, &why);
    if (!why.empty()) {
      child_.reset();
      throw Error(ErrorCode::kUnavailable,
                  "reward " + name_ + ": the program \"" + command_ + "\" " + why +
                      (why.find("in time") == std::string::npos
                           ? ""
                           : " (timeout=" + std::to_string(static_cast<long long>(timeout_)) +
                                 " seconds)") +
                      ": try it alone with one line on its stdin");
    }
    return answer(line);
  }

 private:
  static std::string question(std::span<const Sample> samples) {
    Json list = Json::array();
    for (const Sample& sample : samples) {
      Json one = Json::object(), ids = Json::array();
      one["prompt"] = sample.prompt;
      one["completion"] = sample.completion;
      for (int32_t id : sample.completion_ids) ids.push_back(int64_t{id});
      one["completion_ids"] = std::move(ids);
      one["ended"] = sample.ended;
      one["row"] = sample.row == nullptr ? Json::object() : *sample.row;
      list.push_back(std::move(one));
    }
    Json json = Json::object();
    json["samples"] = std::move(list);
    return json.dump() + "\n";
  }

  std::vector<std::optional<double>> answer(const std::string& line) const {
    const auto wrong = [&](const std::string& what) {
      return Error(ErrorCode::kUnavailable,
                   "reward " + name_ + ": the program \"" + command_ + "\" wrote \"" +
                       line.substr(0, 80) + "\": " + what +
                       "; expected one line {\"rewards\": [number or null, ..]}");
    };
    const Result<Json> json = Json::parse(line);
    if (!json) throw wrong(json.error().message());
    const Json* rewards = json->find("rewards");
    if (rewards == nullptr || !rewards->is_array()) throw wrong("there is no list \"rewards\"");
    std::vector<std::optional<double>> out;
    for (const Json& value : rewards->as_array()) {
      if (!value.is_null() && !value.is_number()) {
        throw wrong("a reward is a " + std::string(value.kind_name()));
      }
      out.push_back(value.is_null() ? std::nullopt : std::optional<double>(value.as_double()));
    }
    return out;
  }

  std::string name_;
  double timeout_;
  std::string command_;
  std::unique_ptr<Child> child_;
};

}  // namespace

std::unique_ptr<RewardFunction> make_program(Spec spec) {
  return std::make_unique<Program>(std::move(spec));
}

}  // namespace hone::reward
