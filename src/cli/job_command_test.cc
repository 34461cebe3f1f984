// hone job as a server calls it, on the demo model ($HONE_MODEL).
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <thread>

#include "cli/testing.h"
#include "seal/digest.h"

namespace hone::cli {
namespace {

class JobCommand : public FolderTest {
 protected:
  void SetUp() override {
    const char* model = std::getenv("HONE_MODEL");
    if (model == nullptr) GTEST_SKIP() << "HONE_MODEL names no model";
    model_ = model;
    file("train.jsonl",
         "{\"prompt\":\"Say yes.\",\"chosen\":\" Yes.\",\"rejected\":\" No.\"}\n"
         "{\"prompt\":\"Say one.\",\"chosen\":\" One.\",\"rejected\":\" Two.\"}\n");
    file("heldout.jsonl", "{\"prompt\":\"Say up.\",\"chosen\":\" Up.\",\"rejected\":\" Down.\"}\n");
  }

  // The lines that the job prints, or its error as one line.
  std::vector<Json> run(const char* kind, const Json& more) const {
    Json spec = Json::object();
    spec["model"] = model_;
    spec["train"] = path("train.jsonl");
    spec["heldout"] = path("heldout.jsonl");
    spec["output"] = path("run");
    spec["answer_tokens"] = 2;
    for (const auto& [key, value] : more.as_object()) spec[key] = value;
    file("spec.json", spec.dump());
    const Answer answer = call(run_job, {kind, path("spec.json")});
    std::vector<Json> lines = json_lines(answer.out);
    if (answer.error.empty()) {
      EXPECT_EQ(answer.code, 0);
    } else {
      lines.emplace_back(answer.error);
    }
    return lines;
  }
  static Json one_step() {
    Json more = Json::object();
    more["settings"]["max_steps"] = 1;
    return more;
  }

  std::string model_;
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
  const Json shown = Json::parse(real_env().read_file(path("run/shown.json"), 1 << 20)).value();
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
  file("heldout.jsonl", "{\"prompt\":\"Say yes.\",\"chosen\":\" Y.\",\"rejected\":\" N.\"}\n");
  EXPECT_NE(run("train", one_step()).back().as_string().find("split the files by prompt"),
            std::string::npos);
}

TEST_F(JobCommand, RowsThatStandInAGatesSetAreRefusedBeforeTheFirstStep) {
  file("gate.jsonl", "{\"prompt\":\"say  ONE.\",\"chosen\":\" A.\",\"rejected\":\" B.\"}\n");
  Json set = Json::object();
  set["alias"] = "assistant";
  set["floor"] = true;
  set["name"] = "last year";
  set["path"] = path("gate.jsonl");
  set["digest"] = seal::sha256_file(path("gate.jsonl"));
  Json more = one_step();
  more["gates"].push_back(set);
  const std::string said = run("train", more).back().as_string();
  EXPECT_NE(said.find("the floor set of the gate of assistant (last year) have 1 prompt in common"
                      " (the first in line 2"),
            std::string::npos)
      << said;
  EXPECT_FALSE(real_env().exists(path("run/manifest.json")));
  // A set that has changed says nothing about the one that the gate measures on.
  file("gate.jsonl", "{\"prompt\":\"Other.\",\"chosen\":\" A.\",\"rejected\":\" B.\"}\n");
  EXPECT_NE(run("train", more).back().as_string().find("no longer the file"), std::string::npos);
}

}  // namespace
}  // namespace hone::cli
