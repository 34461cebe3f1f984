// People label while a run trains: what keeps their pages quick is that every thread of the run stands
// behind those of the server. How quick they are is hone bench platform --training's to say.
#include <gtest/gtest.h>
#include <sched.h>

#include "tests/platform/server_process.h"

namespace hone {
namespace {

std::string file_of(pid_t pid, const char* name) {
  try {
    return real_env().read_file("/proc/" + std::to_string(pid) + "/" + name, 1 << 16);
  } catch (const Error&) {
    return "";  // it ended meanwhile
  }
}

// The process that the server started for the run.
pid_t run_of(pid_t server) {
  const std::string parent = "\nPPid:\t" + std::to_string(server) + "\n";
  for (const std::string& name : real_env().list_directory("/proc")) {
    const pid_t pid = std::atoi(name.c_str());
    if (pid <= 0 || file_of(pid, "status").find(parent) == std::string::npos) continue;
    if (file_of(pid, "cmdline").find(std::string("job\0train", 9)) != std::string::npos) return pid;
  }
  return -1;
}

std::vector<int> turns_of(pid_t pid) {
  std::vector<int> turns;
  for (const std::string& thread :
       real_env().list_directory("/proc/" + std::to_string(pid) + "/task")) {
    turns.push_back(sched_getscheduler(std::atoi(thread.c_str())));
  }
  return turns;
}

Json asked(Person& person, const char* method, const std::string& path, std::string_view body,
           int status) {
  const auto response = person.ask(method, path, body);
  EXPECT_EQ(response.status, status) << path << ": " << response.body;
  return Json::parse(response.body).value();
}

TEST(TrainingBeside, EveryThreadOfARunStandsBehindThoseOfTheServer) {
  if (std::getenv("HONE_MODEL") == nullptr) GTEST_SKIP() << "HONE_MODEL names no model";
  ServerProcess server(true);
  Person manager(server.port(), server.token("manager", "manager"));
  const std::string project =
      "/projects/" + Json::parse(real_env().read_file(server.data() + "/demo.json", 4096))
                         .value()
                         .at("project")
                         .as_string();
  asked(manager, "POST", project + "/splits", R"({"heldout_fraction":0.3,"seed":1})", 201);
  const std::string run =
      "/runs/" +
      asked(manager, "POST", project + "/runs", R"({"method":"dpo"})", 202).at("id").as_string();
  std::string phase;
  for (int tries = 0; tries < 1200 && phase != "measuring before"; ++tries) {
    const Json now = asked(manager, "GET", run, "", 200);
    ASSERT_NE(now.at("state").as_string(), "failed") << now.dump();
    phase = now.at("phase").as_string();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ASSERT_EQ(phase, "measuring before");
  const pid_t child = run_of(server.pid());
  ASSERT_GT(child, 0);
  for (const int turn : turns_of(child)) EXPECT_EQ(turn, SCHED_IDLE);
  for (const int turn : turns_of(server.pid())) EXPECT_EQ(turn, SCHED_OTHER);
  asked(manager, "POST", run + "/cancel", "{}", 202);
}

}  // namespace
}  // namespace hone
