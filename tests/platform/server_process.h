#pragma once
// The real program ($HONE_PROGRAM) as a server on a folder of its own, and somebody who speaks to it
// with a key. Of the thread that made it.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/env.h"
#include "base/error.h"
#include "base/json.h"
#include "http/client.h"

extern char** environ;

namespace hone {

inline std::string program() {
  const char* path = std::getenv("HONE_PROGRAM");
  return path == nullptr ? "" : path;
}

// Starts the program with its stdout in a file.
inline pid_t start(const std::vector<std::string>& words, const std::string& out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, (out + ".err").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const std::string path = program();
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int result = posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (result != 0) throw Error(ErrorCode::kUnavailable, "cannot start " + path);
  return pid;
}
inline int wait_for(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class ServerProcess {
 public:
  explicit ServerProcess(bool demo = false) : demo_(demo) {
    folder_ =
        (std::filesystem::temp_directory_path() / ("hone_server_test." + std::to_string(getpid())))
            .string();
    std::filesystem::create_directories(folder_);
    run();
  }
  ~ServerProcess() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void run() {
    const std::string out = folder_ + "/out";
    std::vector<std::string> words = {"up",   "--quiet",  "--data-dir",
                                      data(), "--listen", "127.0.0.1:" + std::to_string(port_)};
    if (!demo_) words.emplace_back("--no-demo");
    pid_ = start(words, out);
    for (int tries = 0; tries < 1200; ++tries) {
      const std::string text = real_env().read_file(out, 1 << 16);
      const size_t line = text.find("listening on http://127.0.0.1:");
      if (line != std::string::npos && text.find('\n', line) != std::string::npos) {
        port_ = static_cast<uint16_t>(std::stoul(text.substr(line + 30)));
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw Error(ErrorCode::kUnavailable,
                "the server did not start: " + real_env().read_file(out + ".err", 1 << 16));
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait_for(pid_);
    pid_ = -1;
  }
  uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }
  std::string data() const { return folder_ + "/data"; }
  std::string token(const std::string& name, const char* role) const {
    const std::string out = folder_ + "/user";
    const pid_t pid = start(
        {"user", "add", name, "--role", role, "--token", "--json", "--data-dir", data()}, out);
    if (wait_for(pid) != 0) {
      throw Error(ErrorCode::kInternal, real_env().read_file(out + ".err", 1 << 16));
    }
    return Json::parse(real_env().read_file(out, 1 << 16)).value().at("token").as_string();
  }

 private:
  const bool demo_;
  std::string folder_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

class Person {
 public:
  Person(uint16_t port, std::string token) : port_(port), token_(std::move(token)) {}

  http::ClientResponse ask(const char* method, const std::string& path, std::string_view body) {
    http::ClientRequest request;
    request.method = method;
    request.target = "/api/v1" + path;
    request.headers.set("Authorization", "Bearer " + token_);
    if (!body.empty()) request.headers.set("Content-Type", "application/json");
    request.body = body;
    http::ClientOptions options;
    options.port = port_;
    options.timeout_ms = 20'000;
    if (!client_) client_ = std::make_unique<http::HttpClient>(options);
    return client_->request(request);
  }

 private:
  uint16_t port_;
  std::string token_;
  std::unique_ptr<http::HttpClient> client_;
};

}  // namespace hone
