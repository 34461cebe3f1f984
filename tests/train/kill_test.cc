// hone train as a process: kill -9 at random moments, SIGTERM and Ctrl-C, --resume; every file of
// the run ends equal to an uninterrupted run's, byte by byte, and hone replay agrees.
//
// On tiny models always; on the demo model (HONE_MODEL) with HONE_LONG_PROOF=1, which takes a
// quarter of an hour on two cores.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "tests/train/program.h"

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;

struct Training {
  std::string name;
  Arguments options;  // behind "hone train"
};

class Kill : public ProgramTest {
 protected:
  Arguments command(const Training& training, const std::string& run, bool resume) const {
    Arguments words = {HONE_PROGRAM, "train"};
    words.insert(words.end(), training.options.begin(), training.options.end());
    words.insert(words.end(), {"--output", path(run)});
    if (resume) words.push_back("--resume");
    return words;
  }
  // Kills at random moments until the run is done; the moments lie inside a `window` after the
  // start. Returns the kills that hit a running program.
  size_t kill_until_done(const Training& training, Clock::duration window, uint64_t seed) {
    Rng rng(seed, rng_stream("kill", rng_stream(training.name)));
    size_t kills = 0, resumed_late = 0;
    for (size_t attempt = 0; attempt < 400; ++attempt) {
      if (steps_of("killed") > 0) ++resumed_late;
      Process process(command(training, "killed", attempt > 0), path("stderr"));
      std::this_thread::sleep_for(window * rng.uniform());
      if (process.running()) {
        process.signal(SIGKILL);
        if (process.wait() == -SIGKILL) ++kills;
        // Each round a little longer: a slow machine gets there too.
        window += window / 16;
        continue;
      }
      EXPECT_EQ(process.wait(), 0) << errors();
      break;
    }
    std::printf("%s: %zu kills, %zu starts behind a step\n", training.name.c_str(), kills,
                resumed_late);
    return kills;
  }

  void prove(const Training& training) {
    const auto begin = Clock::now();
    ASSERT_EQ(run(command(training, "whole", false)), 0) << errors();
    const Clock::duration whole = Clock::now() - begin;
    EXPECT_GE(kill_until_done(training, whole / 6, 42), 2u);
    expect_same_files("whole", "killed", training.name + " after kill -9");
    for (const int signal : {SIGTERM, SIGINT}) {
      real_env().remove_all(path("stopped"));
      Process process(command(training, "stopped", false), path("stderr"));
      while (process.running() && steps_of("stopped") == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      process.signal(signal);
      EXPECT_EQ(process.wait(), 130) << errors();
      EXPECT_NE(errors().find("--resume"), std::string::npos) << errors();
      EXPECT_FALSE(real_env().list_directory(path("stopped") + "/checkpoints").empty());
      EXPECT_FALSE(real_env().exists(path("stopped") + "/final"));
      ASSERT_EQ(run(command(training, "stopped", true)), 0) << errors();
      expect_same_files("whole", "stopped", training.name + " after a stop");
    }
    EXPECT_EQ(run({HONE_PROGRAM, "replay", path("killed")}), 0) << errors();
    for (const char* name : {"whole", "killed", "stopped"}) real_env().remove_all(path(name));
  }
};

TEST_F(Kill, ATinyRunThatWasKilledAnywhereEndsWithTheSameFiles) {
  Rng rng(1, rng_stream("kill-data"));
  std::string rows, pairs;
  for (size_t i = 0; i < 24; ++i) {
    rows += R"({"input_ids":)" + ids(rng, 8 + i) + "}\n";
    pairs += R"({"prompt_ids":)" + ids(rng, 3 + i) + R"(,"chosen_ids":)" + ids(rng, 2 + i % 5) +
             R"(,"rejected_ids":)" + ids(rng, 3 + i % 4) + "}\n";
  }
  const std::string model = "tests/golden/torch/llama_tied";
  const Arguments often = {"--max-steps",
                           "60",
                           "--save-steps",
                           "4",
                           "--logging-steps",
                           "3",
                           "--learning-rate",
                           "1e-3",
                           "--report-to",
                           "tensorboard",
                           "--per-device-train-batch-size",
                           "4"};
  Training sft{"full sft", {"sft", "--model", model, "--data", file("rows.jsonl", rows)}};
  Training dpo{
      "lora dpo",
      {"dpo", "--model", model, "--data", file("pairs.jsonl", pairs), "--eval-data",
       file("held.jsonl", pairs), "--eval-steps", "7", "--lora-r", "4", "--lora-dropout", "0.1"}};
  for (Training* training : {&sft, &dpo}) {
    training->options.insert(training->options.end(), often.begin(), often.end());
    prove(*training);
  }
}

TEST_F(Kill, TheDemoModelToo) {
  const char* model = std::getenv("HONE_MODEL");
  if (std::getenv("HONE_LONG_PROOF") == nullptr || model == nullptr) {
    GTEST_SKIP() << "SKIPPED: set HONE_LONG_PROOF=1 and HONE_MODEL for the proof on the demo model";
  }
  const std::string pairs = "examples/quickstart/train.jsonl";
  // The chosen answers as an SFT set: prompt and completion.
  std::string answers;
  const std::string text = real_env().read_file(pairs, kMaxBytes);
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    const Json row = Json::parse(std::string_view(text).substr(begin, end - begin)).value();
    Json answer = Json::object();
    answer["prompt"] = row.at("prompt");
    answer["completion"] = row.at("chosen");
    answers += answer.dump() + "\n";
  }
  const std::string sft = file("answers.jsonl", answers);
  const Arguments few = {"--max-steps",
                         "5",
                         "--save-steps",
                         "1",
                         "--logging-steps",
                         "1",
                         "--learning-rate",
                         "2e-5",
                         "--per-device-train-batch-size",
                         "2"};
  std::vector<Training> all = {
      {"lora sft", {"sft", "--model", model, "--data", sft, "--lora-r", "16"}},
      {"lora dpo", {"dpo", "--model", model, "--data", pairs, "--lora-r", "16"}},
      {"full sft", {"sft", "--model", model, "--data", sft}},
      {"full dpo", {"dpo", "--model", model, "--data", pairs}}};
  for (Training& training : all) {
    training.options.insert(training.options.end(), few.begin(), few.end());
    prove(training);
  }
}

}  // namespace
}  // namespace hone
