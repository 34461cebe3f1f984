// From a run to an answer: the adapter of a run gets a name, an alias moves to it through its gate, and
// back, on the real program with the demo model ($HONE_MODEL).
#include <gtest/gtest.h>

#include "tests/platform/server_process.h"

namespace hone {
namespace {

class Registry : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("HONE_MODEL") == nullptr) GTEST_SKIP() << "HONE_MODEL names no model";
    server_ = std::make_unique<ServerProcess>();
    owner_ = std::make_unique<Person>(server_->port(), server_->token("manager", "manager"));
  }

  Json asked(const char* method, const std::string& path, std::string_view body, int status) {
    const auto response = owner_->ask(method, path, body);
    EXPECT_EQ(response.status, status) << method << " " << path << ": " << response.body;
    Result<Json> parsed = Json::parse(response.body.empty() ? "{}" : response.body);
    return parsed ? std::move(*parsed) : Json::object();
  }
  // Asks until `member` of it is one of the words.
  Json until(const std::string& path, const char* member, const std::vector<std::string>& words) {
    for (int tries = 0; tries < 12000; ++tries) {
      Json now = asked("GET", path, "", 200);
      for (const std::string& word : words) {
        if (now.at(member).as_string() == word) return now;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw Error(ErrorCode::kInternal, path + " did not come to an end");
  }

  // Labels that prefer the polite answer; the rest of the path is the program's.
  std::string trained_run() {
    const std::string project =
        "/projects/" + asked("POST", "/projects", R"({"name":"p","task_type":"pairwise"})", 201)
                           .at("id")
                           .as_string();
    std::string rows;
    for (int i = 0; i < 16; ++i) {
      const std::string n = std::to_string(i);
      rows += R"({"prompt":"What is )" + n + R"(?","left":"Thank you, it is )" + n +
              R"(.","right":")" + n + "\"}\n";
    }
    asked("POST", project + "/import", rows, 200);
    for (int i = 0; i < 16; ++i) {
      const Json next = asked("POST", project + "/next", "{}", 200);
      const auto& task = next.at("task").at("responses").as_array();
      const bool first =
          task[0].at("text").as_string().size() > task[1].at("text").as_string().size();
      asked("PUT", "/assignments/" + next.at("assignment_id").as_string() + "/annotation",
            first ? R"({"answer":{"winner":"left"}})" : R"({"answer":{"winner":"right"}})", 201);
    }
    const Json run = asked("POST", project + "/runs",
                           R"({"method":"dpo","settings":{"max_steps":1,"max_length":64}})", 202);
    const Json done =
        until("/runs/" + run.at("id").as_string(), "state", {"done", "failed", "cancelled"});
    EXPECT_EQ(done.at("state").as_string(), "done") << done.dump();
    snapshot_ = done.at("snapshot_id").as_string();
    return run.at("id").as_string();
  }

  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Person> owner_;
  std::string snapshot_;
};

TEST_F(Registry, ARunBecomesAModelAndAnAliasMovesThroughItsGateAndBack) {
  const std::string run = trained_run();
  const Json added = asked("POST", "/models", R"({"name":"polite","run_id":")" + run + "\"}", 201);
  EXPECT_TRUE(added.at("served").as_bool()) << added.dump();
  EXPECT_EQ(added.at("origin").at("run").as_string(), run);
  EXPECT_GT(added.at("bytes").as_int(), 1000);
  const std::string base = added.at("parent").as_string();
  asked("POST", "/models", R"({"name":"again","run_id":")" + run + "\"}", 409);

  asked("POST", "/aliases/assistant/promote", R"({"model":")" + base + "\"}", 200);
  asked("PUT", "/aliases/assistant/gate", R"({"heldout":")" + snapshot_ + "\"}", 200);
  const Json started = asked("POST", "/aliases/assistant/promote", R"({"model":"polite"})", 202);
  const Json job =
      until("/jobs/" + started.at("job_id").as_string(), "state", {"done", "failed", "cancelled"});
  ASSERT_EQ(job.at("state").as_string(), "done") << job.dump();
  const Json decision =
      asked("GET", "/aliases/assistant/decisions", "", 200).at("items").as_array()[0];
  EXPECT_EQ(decision.at("candidate").as_string(), "polite");
  // One step on twelve pairs shows nothing on four: the name stays where it was.
  EXPECT_EQ(decision.at("outcome").as_string(), "too_few") << decision.dump();
  EXPECT_FALSE(decision.at("moved").as_bool());
  const Json& main = decision.at("evidence").at("main");
  EXPECT_GE(main.at("n").as_int(), 1);
  EXPECT_EQ(main.at("candidate").as_string(), added.at("digest").as_string());
  EXPECT_EQ(decision.at("evidence").at("overlap_main").as_int(), 0);
  EXPECT_EQ(decision.at("evidence").at("training_data").as_string().size(), 64u);

  asked("POST", "/aliases/assistant/promote",
        R"({"model":"polite","force":true,"reason":"to see it"})", 200);
  EXPECT_EQ(asked("GET", "/aliases/assistant", "", 200)
                .at("targets")
                .as_array()[0]
                .at("model")
                .as_string(),
            "polite");
  asked("POST", "/aliases/assistant/rollback", "", 200);
  EXPECT_EQ(asked("GET", "/aliases/assistant", "", 200)
                .at("targets")
                .as_array()[0]
                .at("model")
                .as_string(),
            base);
  // The first model of a name with a gate has nobody to beat.
  asked("PUT", "/aliases/first/gate", R"({"heldout":")" + snapshot_ + "\"}", 200);
  const Json first = asked("POST", "/aliases/first/promote", R"({"model":"polite"})", 202);
  until("/jobs/" + first.at("job_id").as_string(), "state", {"done"});
  EXPECT_EQ(asked("GET", "/aliases/first", "", 200).at("version").as_int(), 1);
}

TEST_F(Registry, ARunThatWouldTrainOnAGatesTestDoesNotStart) {
  const auto project_of = [&](int seed) {
    const std::string project =
        "/projects/" + asked("POST", "/projects", R"({"name":"p","task_type":"pairwise"})", 201)
                           .at("id")
                           .as_string();
    std::string rows;
    for (int i = 0; i < 12; ++i) {
      const std::string n = std::to_string(i);
      rows += R"({"prompt":"What is )" + n + R"(?","left":"Yes )" + n + R"(.","right":"No )" + n +
              "\"}\n";
    }
    asked("POST", project + "/import", rows, 200);
    asked("POST", project + "/splits",
          R"({"heldout_fraction":0.5,"seed":)" + std::to_string(seed) + "}", 201);
    for (int i = 0; i < 12; ++i) {
      const Json next = asked("POST", project + "/next", "{}", 200);
      asked("PUT", "/assignments/" + next.at("assignment_id").as_string() + "/annotation",
            R"({"answer":{"winner":"left"}})", 201);
    }
    return project;
  };
  const auto snapshot_of = [&](const std::string& project, const char* name) {
    return asked("POST", project + "/snapshots", std::string(R"({"name":")") + name + "\"}", 201)
        .at("id")
        .as_string();
  };
  const std::string first = project_of(1), second = project_of(2);
  const std::string test_set = snapshot_of(first, "the test"), data = snapshot_of(second, "data");
  asked("PUT", "/aliases/assistant/gate", R"({"heldout":")" + test_set + "\"}", 200);
  const std::string wish = R"({"method":"dpo","settings":{"max_steps":1},"snapshot_id":")";
  const Json refused = asked("POST", second + "/runs", wish + data + "\"}", 409);
  const std::string said = refused.dump();
  EXPECT_NE(said.find("the training rows of data and the held-out set of the gate of assistant "
                      "(the test) have"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("in common (the first in line"), std::string::npos) << said;
  // Nothing was made.
  EXPECT_EQ(asked("GET", second + "/runs", "", 200).at("items").size(), 0u);
  // The project whose split holds the test out trains.
  const Json started = asked("POST", first + "/runs", wish + test_set + "\"}", 202);
  asked("POST", "/runs/" + started.at("id").as_string() + "/cancel", "", 202);
}

}  // namespace
}  // namespace hone
