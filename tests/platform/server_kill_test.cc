// People label while the server is killed with SIGKILL again and again: nothing that was acknowledged
// is lost, no answer counts twice, no task has more valid answers than it wants, and all the work gets done.
// HONE_TEST_LONG: 200 people, 100 kills.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "base/env.h"
#include "base/error.h"
#include "base/json.h"
#include "base/rng.h"
#include "tests/platform/server_process.h"

namespace hone {
namespace {

constexpr size_t kOverlap = 2;
constexpr int kGiveUpSeconds = 600;

bool is_long() { return std::getenv("HONE_TEST_LONG") != nullptr; }

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
  ServerProcess server;
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
    const std::string id = row.at("annotation_id").as_string(),
                      task = row.at("task_id").as_string();
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
