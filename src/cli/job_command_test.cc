// hone job as a server calls it, on the demo model ($HONE_MODEL).
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>

#include "base/env.h"
#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "seal/digest.h"

namespace hone::cli {
namespace {

class JobCommand : public testing::Test {
 protected:
  void SetUp() override {
    const char* model = std::getenv("HONE_MODEL");
    if (model == nullptr) GTEST_SKIP() << "HONE_MODEL names no model";
    model_ = model;
    folder_ =
        (std::filesystem::temp_directory_path() /
         (std::string("hone_job_") + testing::UnitTest::GetInstance()->current_test_info()->name()))
            .string();
    real_env().remove_all(folder_);
    real_env().create_directories(folder_);
    write("train.jsonl",
          "{\"prompt\":\"Say yes.\",\"chosen\":\" Yes.\",\"rejected\":\" No.\"}\n"
          "{\"prompt\":\"Say one.\",\"chosen\":\" One.\",\"rejected\":\" Two.\"}\n");
    write("heldout.jsonl",
          "{\"prompt\":\"Say up.\",\"chosen\":\" Up.\",\"rejected\":\" Down.\"}\n");
  }
  void TearDown() override {
    if (!folder_.empty()) real_env().remove_all(folder_);
  }
  void write(const std::string& name, const std::string& text) const {
    write_file_atomically(real_env(), folder_ + "/" + name, text);
  }
  // The lines that the job prints, or its error as one line.
  std::vector<Json> run(const char* kind, const Json& more) const {
    Json spec = Json::object();
    spec["model"] = model_;
    spec["train"] = folder_ + "/train.jsonl";
    spec["heldout"] = folder_ + "/heldout.jsonl";
    spec["output"] = folder_ + "/run";
    spec["answer_tokens"] = 2;
    for (const auto& [key, value] : more.as_object()) spec[key] = value;
    write("spec.json", spec.dump());
    testing::internal::CaptureStdout();
    std::string error;
    try {
      EXPECT_EQ(run_job({kind, folder_ + "/spec.json"}), 0);
    } catch (const Error& e) {
      error = e.message();
    }
    std::istringstream out(testing::internal::GetCapturedStdout());
    std::vector<Json> lines;
    for (std::string line; std::getline(out, line);) lines.push_back(Json::parse(line).value());
    if (!error.empty()) lines.emplace_back(error);
    return lines;
  }
  static Json one_step() {
    Json more = Json::object();
    more["settings"]["max_steps"] = 1;
    return more;
  }

  std::string model_, folder_;
};

// The policy is a thread's own, and the threads that it makes get it.
int turn_after(const std::vector<std::string>& arguments) {
  int turn = -1;
  std::thread([&] {
    EXPECT_THROW(run_job(arguments), Error);
    std::thread([&] { turn = sched_getscheduler(0); }).join();
  }).join();
  return turn;
}

TEST(JobOfAServer, StandsBehindWhoeverWantsTheProcessorWhenItIsToldTo) {
  EXPECT_EQ(turn_after({"train", "--behind", "no such file"}), SCHED_IDLE);
  EXPECT_EQ(turn_after({"plan", "--behind", "no such file"}), SCHED_IDLE);
  EXPECT_EQ(turn_after({"train", "no such file"}), SCHED_OTHER);
}

TEST_F(JobCommand, TrainsWithAllPhasesAndEndsInAComparison) {
  const std::vector<Json> lines = run("train", one_step());
  std::vector<std::string> phases;
  for (const Json& line : lines) {
    ASSERT_TRUE(line.is_object()) << line.dump();
    const std::string& phase = line.at("phase").as_string();
    if (phases.empty() || phases.back() != phase) phases.push_back(phase);
  }
  const std::vector<std::string> expected = {
      "loading",  "measuring before", "answers before", "reference",
      "training", "measuring after",  "answers after",  "done"};
  EXPECT_EQ(phases, expected);
  EXPECT_EQ(lines.back().at("comparison").at("primary").as_string(), "likelihood_accuracy");
  const Json shown =
      Json::parse(real_env().read_file(folder_ + "/run/shown.json", 1 << 20)).value();
  EXPECT_EQ(shown.at("prompts").size(), 1u);
  EXPECT_EQ(shown.at("after").size(), 1u);
  // A second time nothing is computed again.
  EXPECT_EQ(run("train", one_step()).size(), 2u);
}

TEST_F(JobCommand, SftOnTheChosenAnswersTakesTheSameRoad) {
  Json more = one_step();
  more["method"] = "sft";
  EXPECT_EQ(run("train", more).back().at("phase").as_string(), "done");
}

TEST_F(JobCommand, APlanSaysRowsStepsMemoryAndTime) {
  const Json plan = run("plan", one_step()).back();
  EXPECT_EQ(plan.at("rows").as_int(), 2);
  EXPECT_EQ(plan.at("heldout_rows").as_int(), 1);
  EXPECT_EQ(plan.at("steps").as_int(), 1);
  EXPECT_GT(plan.at("memory_bytes").as_int(), 100 << 20);
  EXPECT_GT(plan.at("seconds").as_double(), 0);
}

TEST_F(JobCommand, AnUnknownSettingAndASharedPromptAreRefusedByName) {
  Json more = Json::object();
  more["settings"]["learnin_rate"] = 1;
  EXPECT_NE(run("train", more).back().as_string().find("learnin_rate"), std::string::npos);
  write("heldout.jsonl", "{\"prompt\":\"Say yes.\",\"chosen\":\" Y.\",\"rejected\":\" N.\"}\n");
  EXPECT_NE(run("train", one_step()).back().as_string().find("split the files by prompt"),
            std::string::npos);
}

TEST_F(JobCommand, RowsThatStandInAGatesSetAreRefusedBeforeTheFirstStep) {
  write("gate.jsonl", "{\"prompt\":\"say  ONE.\",\"chosen\":\" A.\",\"rejected\":\" B.\"}\n");
  Json set = Json::object();
  set["alias"] = "assistant";
  set["floor"] = true;
  set["name"] = "last year";
  set["path"] = folder_ + "/gate.jsonl";
  set["digest"] = seal::sha256_file(folder_ + "/gate.jsonl");
  Json more = one_step();
  more["gates"].push_back(set);
  const std::string said = run("train", more).back().as_string();
  EXPECT_NE(said.find("the floor set of the gate of assistant (last year) have 1 prompt in common"
                      " (the first in line 2"),
            std::string::npos)
      << said;
  EXPECT_FALSE(real_env().exists(folder_ + "/run/manifest.json"));
  // A set that has changed says nothing about the one that the gate measures on.
  write("gate.jsonl", "{\"prompt\":\"Other.\",\"chosen\":\" A.\",\"rejected\":\" B.\"}\n");
  EXPECT_NE(run("train", more).back().as_string().find("no longer the file"), std::string::npos);
}

}  // namespace
}  // namespace hone::cli
