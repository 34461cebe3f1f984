// People label while the server is killed with SIGKILL again and again: nothing that was acknowledged
// is lost, no answer counts twice, no task has more valid answers than it wants, and all the work gets done.
// HONE_TEST_LONG: 200 people, 100 kills.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "base/env.h"
#include "base/error.h"
#include "base/json.h"
#include "base/rng.h"
#include "http/client.h"

extern char** environ;

namespace hone {
namespace {

constexpr size_t kOverlap = 2;
constexpr int kGiveUpSeconds = 600;

bool is_long() { return std::getenv("HONE_TEST_LONG") != nullptr; }
std::string program() {
  const char* path = std::getenv("HONE_PROGRAM");
  return path == nullptr ? "" : path;
}

// Starts the program with its stdout in a file.
pid_t start(const std::vector<std::string>& words, const std::string& out) {
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
int wait_for(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class KilledServer {
 public:
  KilledServer() {
    folder_ =
        (std::filesystem::temp_directory_path() / ("hone_server_kill." + std::to_string(getpid())))
            .string();
    std::filesystem::create_directories(folder_);
    run();
  }
  ~KilledServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void run() {
    const std::string out = folder_ + "/out";
    pid_ = start({"up", "--no-demo", "--quiet", "--data-dir", folder_ + "/data", "--listen",
                  "127.0.0.1:" + std::to_string(port_)},
                 out);
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
  std::string token(const std::string& name, const char* role) const {
    const std::string out = folder_ + "/user";
    const pid_t pid = start(
        {"user", "add", name, "--role", role, "--token", "--json", "--data-dir", folder_ + "/data"},
        out);
    if (wait_for(pid) != 0) {
      throw Error(ErrorCode::kInternal, real_env().read_file(out + ".err", 1 << 16));
    }
    return Json::parse(real_env().read_file(out, 1 << 16)).value().at("token").as_string();
  }

 private:
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

struct Acknowledged {
  std::string annotation, task, answer;
};

struct Work {
  std::string project;
  std::atomic<bool> killing{true};
  std::mutex mutex;
  // Guarded by mutex.
  std::vector<Acknowledged> acknowledged;
  std::vector<std::string> refused;
};

// Labels until nothing is left; asks again, with the same words, whatever got no answer.
void label(Work& work, Person& person, uint64_t number) {
  Rng rng(7, rng_stream("person", number));
  const double end = real_env().steady_seconds() + kGiveUpSeconds;
  int nothing = 0;
  while (real_env().steady_seconds() < end && nothing < 3) {
    try {
      const auto next = person.ask("POST", "/projects/" + work.project + "/next", "{}");
      if (next.status == 204) {
        if (!work.killing) ++nothing;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        continue;
      }
      if (next.status != 200) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        continue;
      }
      const Json assignment = Json::parse(next.body).value();
      const char* answers[] = {"left", "right", "tie", "both_bad"};
      const std::string answer = answers[rng.below(4)];
      const std::string path =
          "/assignments/" + assignment.at("assignment_id").as_string() + "/annotation";
      const std::string body = "{\"answer\":{\"winner\":\"" + answer + "\"}}";
      while (real_env().steady_seconds() < end) {
        try {
          const auto said = person.ask("PUT", path, body);
          if (said.status == 201) {
            const std::lock_guard lock(work.mutex);
            work.acknowledged.push_back(
                {Json::parse(said.body).value().at("annotation_id").as_string(),
                 assignment.at("task_id").as_string(), answer});
            break;
          }
          if (said.status < 500 && said.status != 429) {
            const std::lock_guard lock(work.mutex);
            work.refused.push_back(said.body);
            break;
          }
        } catch (const Error&) {
          std::this_thread::sleep_for(std::chrono::milliseconds(20));  // killed: say it again
        }
      }
    } catch (const Error&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

TEST(ServerKill, NothingAcknowledgedIsLostNothingCountsTwiceAndAllGetsDone) {
  if (program().empty()) GTEST_SKIP() << "HONE_PROGRAM names no program";
  const size_t people = is_long() ? 200 : 12, kills = is_long() ? 100 : 12;
  const size_t tasks = is_long() ? 3000 : 400;
  KilledServer server;
  Person manager(server.port(), server.token("manager", "manager"));
  Work work;
  const auto made = manager.ask("POST", "/projects",
                                "{\"name\":\"kill\",\"task_type\":\"pairwise\",\"overlap\":2}");
  ASSERT_EQ(made.status, 201) << made.body;
  work.project = Json::parse(made.body).value().at("id").as_string();
  std::string rows;
  for (size_t i = 0; i < tasks; ++i) {
    const std::string n = std::to_string(i);
    rows += "{\"prompt\":\"q" + n + "\",\"left\":\"a" + n + "\",\"right\":\"b" + n + "\"}\n";
  }
  const auto imported =
      manager.ask("POST", "/projects/" + work.project + "/import?format=jsonl&name=k.jsonl", rows);
  ASSERT_EQ(imported.status, 200) << imported.body;

  std::vector<std::unique_ptr<Person>> crowd;
  for (size_t i = 0; i < people; ++i) {
    crowd.push_back(std::make_unique<Person>(
        server.port(), server.token("person " + std::to_string(i), "annotator")));
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < people; ++i) {
    threads.emplace_back([&, i] { label(work, *crowd[i], i); });
  }
  Rng rng(11, rng_stream("kills"));
  for (size_t i = 0; i < kills; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30 + rng.below(300)));
    server.kill();
    server.run();
  }
  work.killing = false;
  for (std::thread& thread : threads) thread.join();

  const auto exported =
      manager.ask("GET", "/projects/" + work.project + "/export?format=annotations", "");
  ASSERT_EQ(exported.status, 200);
  std::map<std::string, std::string> task_of, status_of;
  std::map<std::string, size_t> valid;
  std::set<std::pair<std::string, std::string>> by_person;
  std::istringstream lines(exported.body);
  for (std::string line; std::getline(lines, line);) {
    const Json row = Json::parse(line).value();
    const std::string id = row.at("annotation_id").as_string(), task = row.at("task_id").as_string();
    EXPECT_TRUE(task_of.emplace(id, task).second) << "twice in the export: " << id;
    status_of[id] = row.at("status").as_string();
    if (status_of[id] == "valid") ++valid[task];
    EXPECT_TRUE(by_person.emplace(task, row.at("worker").as_string()).second)
        << "one person answered a task twice: " << line;
  }
  EXPECT_TRUE(work.refused.empty()) << work.refused.front();
  std::set<std::string> seen;
  for (const Acknowledged& answer : work.acknowledged) {
    EXPECT_TRUE(seen.insert(answer.annotation).second) << "acknowledged twice";
    ASSERT_TRUE(task_of.contains(answer.annotation))
        << "acknowledged and lost: " << answer.annotation;
    EXPECT_EQ(task_of[answer.annotation], answer.task);
  }
  EXPECT_EQ(valid.size(), tasks) << "every task was given out";
  for (const auto& [task, count] : valid) EXPECT_EQ(count, kOverlap) << task;
  const auto chain = manager.ask("GET", "/audit/verify", "");
  EXPECT_TRUE(Json::parse(chain.body).value().at("intact").as_bool()) << chain.body;
  std::printf("%zu people, %zu kills: %zu answers acknowledged, %zu kept, %zu tasks\n", people,
              kills, work.acknowledged.size(), task_of.size(), tasks);
}

}  // namespace
}  // namespace hone
