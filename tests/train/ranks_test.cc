// hone train under the real mpirun: 1, 2 and 4 ranks leave the same files, byte by byte, with every
// method; a rank that is killed ends the run in words, and any number of ranks goes on to the same
// files; wrong starts are refused in one sentence. One thread a rank.
//
// With HONE_TEST_LONG=1 also ranks that share no network but a cable (two_machines.sh).
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "tests/train/program.h"

namespace hone {
namespace {

const std::string kModel = "tests/golden/torch/llama_tied";

class Ranks : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    // Open MPI keeps memory until its end, and is not built for sanitisers.
    setenv("LSAN_OPTIONS", "exitcode=0", 0);
    setenv("TSAN_OPTIONS", "ignore_noninstrumented_modules=1", 0);
    // A container's root is nobody's root.
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    if (run({"mpirun", "--version"}) != 0) {
      GTEST_SKIP() << "SKIPPED: there is no mpirun (Debian: openmpi-bin)";
    }
    if (!std::filesystem::exists(library())) {
      GTEST_SKIP() << "SKIPPED: hone was built without MPI (Debian: libopenmpi-dev)";
    }
    write_data();
  }

  static std::filesystem::path library() {
    return std::filesystem::path(HONE_PROGRAM).parent_path() / "libhone_mpi.so";
  }

  static Arguments on(size_t ranks, const Arguments& words) {
    Arguments all = {"mpirun", "--oversubscribe", "-n", std::to_string(ranks)};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
  Arguments train(const Arguments& options, const std::string& output,
                  const Arguments& more = {}) const {
    Arguments words = {HONE_PROGRAM, "train"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--model", kModel, "--output", path(output), "--learning-rate",
                               "1e-3", "--logging-steps", "1", "--threads", "1"});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  // Batches of several weight-gradient groups, so that 4 ranks have something each.
  void write_data() {
    Rng rng(1, rng_stream("ranks-data"));
    std::string rows, pairs, prompts, thumbs, answers;
    for (size_t i = 0; i < 16; ++i) {
      rows += R"({"input_ids":)" + ids(rng, 90 + i) + "}\n";
      const std::string prompt = R"({"prompt_ids":)" + ids(rng, 60 + i);
      prompts += prompt + "}\n";
      pairs += prompt + R"(,"chosen_ids":)" + ids(rng, 20 + i % 5) + R"(,"rejected_ids":)" +
               ids(rng, 30 + i % 4) + "}\n";
      answers += prompt + R"(,"completion_ids":)" + ids(rng, 25 + i % 3) + "}\n";
      thumbs += prompt + R"(,"completion_ids":)" + ids(rng, 25 + i % 3) + R"(,"label":)" +
                (i % 3 == 0 ? "false}\n" : "true}\n");
    }
    rows_ = file("rows.jsonl", rows);
    pairs_ = file("pairs.jsonl", pairs);
    prompts_ = file("prompts.jsonl", prompts);
    answers_ = file("answers.jsonl", answers);
    thumbs_ = file("thumbs.jsonl", thumbs);
  }

  // What the model says of these rows, by hone score.
  std::string scored(const std::string& rows, const Arguments& more = {}) const {
    Arguments words = {HONE_PROGRAM, "score",      "--model",  kModel,
                       "--data",     rows,         "--output", path("scored.jsonl"),
                       "--quiet",    "--overwrite"};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(run(words), 0) << errors();
    return path("scored.jsonl");
  }

  // Two answers to each of eight prompts as another program would have recorded them.
  std::string write_rollouts() const {
    Rng rng(2, rng_stream("ranks-rollouts"));
    std::string rows, rollouts;
    for (size_t i = 0; i < 8; ++i) {
      const std::string prompt = R"({"prompt_ids":)" + ids(rng, 60 + i);
      for (size_t k = 0; k < 2; ++k) {
        rows += prompt + R"(,"completion_ids":)" + ids(rng, 9 + i % 3 + k) + "}\n";
      }
    }
    const std::string said = real_env().read_file(scored(file("said.jsonl", rows)), kMaxBytes);
    size_t row = 0, at = 0, line_at = 0;
    for (; row < 16; ++row) {
      const size_t end = rows.find('\n', at), line_end = said.find('\n', line_at);
      Json answer = Json::parse(rows.substr(at, end - at)).value();
      const Json line = Json::parse(said.substr(line_at, line_end - line_at)).value();
      const Json::Array& all = line.at("logprobs").as_array();
      const size_t prompt = answer.at("prompt_ids").size();
      Json log_probs = Json::array();
      for (size_t t = prompt; t < all.size(); ++t) log_probs.push_back(all[t]);
      answer["logprobs"] = std::move(log_probs);
      answer["group"] = uint64_t{row / 2};
      answer["reward"] = static_cast<double>(row % 3) / 2;
      rollouts += answer.dump() + "\n";
      at = end + 1;
      line_at = line_end + 1;
    }
    return file("rollouts.jsonl", rollouts);
  }

  // named_again: what hone replay must be told of a run whose reward is a program.
  void expect_same(const std::string& what, const Arguments& options,
                   const Arguments& named_again = {}) {
    const Arguments few = {"--max-steps", "3", "--save-steps", "2", "--quiet"};
    ASSERT_EQ(run(train(options, "one", few)), 0) << what << errors();
    for (const size_t ranks : {2, 4}) {
      ASSERT_EQ(run(on(ranks, train(options, "many", few))), 0) << what << errors();
      expect_same_files("one", "many", what + " on " + std::to_string(ranks) + " ranks");
      if (ranks == 2) {
        Arguments replay = {HONE_PROGRAM, "replay", path("many"), "--threads", "1"};
        replay.insert(replay.end(), named_again.begin(), named_again.end());
        EXPECT_EQ(run(replay), 0) << errors();
      }
      real_env().remove_all(path("many"));
    }
    real_env().remove_all(path("one"));
  }

  // The processes that mpirun has started, and so on down.
  static std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> all;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream stat(entry.path() / "stat");
      std::string text((std::istreambuf_iterator<char>(stat)), {});
      const size_t end = text.rfind(')');
      if (end == std::string::npos) continue;
      char state = 0;
      int of = 0;
      if (std::sscanf(text.c_str() + end + 1, " %c %d", &state, &of) != 2 || of != parent) continue;
      all.push_back(std::stoi(name));
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  Arguments long_sft() const { return {"sft", "--data", rows_, "--eval-data", rows_}; }
  static Arguments many_steps() { return {"--max-steps", "40", "--save-steps", "3"}; }
  // Starts 3 ranks and does something to them behind a checkpoint; mpirun's exit code.
  int interrupt(const std::string& output, const std::function<void(const Process&)>& act) {
    Process process(on(3, train(long_sft(), output, many_steps())), path("stderr"));
    while (process.running() && steps_of(output) < 5) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    act(process);
    return process.wait();
  }
  void expect_goes_on(size_t ranks, const std::string& output) {
    Arguments words = train(long_sft(), output, many_steps());
    words.insert(words.end(), {"--resume", "--quiet"});
    ASSERT_EQ(run(ranks == 1 ? words : on(ranks, words)), 0) << errors();
    expect_same_files("whole", output, output + " went on with " + std::to_string(ranks));
  }

  std::string rows_, pairs_, prompts_, thumbs_, answers_;
};

TEST_F(Ranks, OfAMethodOnRowsLeaveTheFilesOfOne) {
  expect_same("sft lora", {"sft", "--data", rows_, "--lora-r", "4", "--lora-dropout", "0.1",
                           "--eval-data", rows_, "--report-to", "tensorboard"});
  expect_same("sft full", {"sft", "--data", rows_});
  expect_same("sft packed", {"sft", "--data", rows_, "--packing", "--max-length", "200",
                             "--per-device-train-batch-size", "2"});
  expect_same("dpo", {"dpo", "--data", pairs_, "--eval-data", pairs_, "--lora-r", "4"});
  expect_same("reward", {"reward", "--data", pairs_, "--lora-r", "4"});
  expect_same("kto", {"kto", "--data", thumbs_, "--lora-r", "4"});
  expect_same("orpo", {"orpo", "--data", pairs_});
  expect_same("cpo", {"cpo", "--data", pairs_});
  expect_same("sft, DoRA", {"sft", "--data", rows_, "--lora-r", "4", "--use-dora"});
  // Pairs of a micro-batch are sorted against each other, whichever rank has them.
  expect_same("dpo, aot", {"dpo", "--data", pairs_, "--loss-type", "aot", "--lora-r", "4"});
  expect_same("jepa", {"jepa", "--data", answers_, "--eval-data", answers_, "--lora-r", "4",
                       "--jepa-lambda", "1", "--jepa-predictors", "1"});
  expect_same("jepa, infonce", {"jepa", "--data", answers_, "--jepa-loss", "infonce"});
}

TEST_F(Ranks, OfAMethodOnWhatOthersSaidLeaveTheFilesOfOne) {
  expect_same("grpo, recorded", {"grpo", "--rollouts", write_rollouts(), "--num-generations", "2",
                                 "--per-device-train-batch-size", "12", "--max-completion-length",
                                 "16", "--lora-r", "4", "--beta", "0.1"});
  expect_same("distill, recorded teacher",
              {"distill", "--teacher-logprobs", scored(answers_, {"--top-logprobs", "8"}), "--data",
               answers_, "--lora-r", "4", "--lmbda", "0"});
}

TEST_F(Ranks, OfAMethodOnOwnAnswersLeaveTheFilesOfOne) {
  // Says more the longer it runs: it must be asked once, in the order of prompts.
  const std::string judge = file("judge.sh",
                                 "n=0\nwhile read -r line; do\n  n=$((n + 1))\n  values=\n"
                                 "  for i in $(seq $(printf %s \"$line\" | grep -o '\"ended\"' | "
                                 "wc -l)); do values=\"$values,$n.$((i % 7))\"; done\n"
                                 "  echo \"{\\\"rewards\\\":[${values#,}]}\"\ndone\n");
  const Arguments rewards = {"--reward", "length:target=12", "--reward",
                             "program:command=sh " + judge};
  const std::string longest = "16";
  const auto same = [&](const std::string& what, Arguments options) {
    options.insert(options.end(), {"--data", prompts_, "--lora-r", "4"});
    options.insert(options.end(), rewards.begin(), rewards.end());
    expect_same(what, options, rewards);
  };
  same("grpo", {"grpo", "--num-generations", "4", "--per-device-train-batch-size", "24",
                "--max-completion-length", longest, "--beta", "0.1", "--dynamic-sampling",
                "--top-entropy-quantile", "0.5", "--eval-data", prompts_});
  same("grpo, two steps a generation",
       {"grpo", "--num-generations", "4", "--per-device-train-batch-size", "24",
        "--max-completion-length", longest, "--steps-per-generation", "2"});
  same("rloo", {"rloo", "--num-generations", "2", "--per-device-train-batch-size", "12",
                "--max-completion-length", longest});
  same("online dpo",
       {"online_dpo", "--per-device-train-batch-size", "6", "--max-completion-length", longest});
  same("ppo", {"ppo", "--per-device-train-batch-size", "6", "--response-length", longest,
               "--num-ppo-epochs", "2"});
  same("ppo as OpenRLHF's", {"ppo", "--per-device-train-batch-size", "6", "--response-length",
                             longest, "--num-ppo-epochs", "2", "--compat", "openrlhf"});
  same("reinforce as verl's", {"grpo", "--num-generations", "4", "--per-device-train-batch-size",
                               "24", "--max-completion-length", longest, "--advantage-estimator",
                               "reinforce", "--compat", "verl"});
  same("ppo with a value model", {"ppo", "--per-device-train-batch-size", "6", "--response-length",
                                  longest, "--num-ppo-epochs", "2", "--value-model", kModel});
  expect_same("distill",
              {"distill", "--teacher", kModel, "--data", answers_, "--eval-data", answers_,
               "--lora-r", "4", "--lmbda", "0.5", "--max-new-tokens", longest});
}

TEST_F(Ranks, OneThatIsKilledEndsTheRunAndAnyNumberGoesOnToTheSameFiles) {
  ASSERT_EQ(run(train(long_sft(), "whole", many_steps())), 0) << errors();
  const size_t ranks_again[] = {1, 2};
  for (const size_t victim : {0, 2}) {
    const std::string output = "killed" + std::to_string(victim);
    EXPECT_NE(interrupt(output,
                        [&](const Process& mpirun) {
                          const auto children = children_of(mpirun.id());
                          ASSERT_EQ(children.size(), 3u);
                          kill(children[victim], SIGKILL);
                        }),
              0);
    EXPECT_NE(errors().find("another rank died"), std::string::npos) << errors();
    EXPECT_NE(errors().find("--resume"), std::string::npos) << errors();
    EXPECT_FALSE(real_env().exists(path(output) + "/final"));
    expect_goes_on(ranks_again[victim / 2], output);
  }
}

TEST_F(Ranks, ThatAreAskedToStopSaveTheStepAndAnyNumberGoesOn) {
  ASSERT_EQ(run(train(long_sft(), "whole", many_steps())), 0) << errors();
  EXPECT_EQ(interrupt("stopped", [](const Process& mpirun) { mpirun.signal(SIGUSR1); }), 130);
  EXPECT_NE(errors().find("everything is saved"), std::string::npos) << errors();
  expect_goes_on(4, "stopped");
}

TEST_F(Ranks, AreRefusedInWordsWhereTheyCannotRun) {
  const auto says = [&](const Arguments& words, const std::string& sentence, size_t times = 1) {
    EXPECT_EQ(run(words), 2) << errors();
    size_t found = 0;
    const std::string said = errors();
    for (size_t at = 0; (at = said.find(sentence, at)) != std::string::npos; ++at) ++found;
    EXPECT_EQ(found, times) << said;
  };
  says(on(2, train({"sft", "--data", path("nothing.jsonl")}, "x")), "there is no such file");
  says(on(2, {HONE_PROGRAM, "generate", "--model", kModel}), "only hone train runs on many ranks");
  // Settings of one rank that are not the others'.
  const std::string other = file(
      "other.sh", "[ \"$OMPI_COMM_WORLD_RANK\" = 0 ] || set -- \"$@\" --seed 7\nexec \"$@\"\n");
  Arguments odd = {"sh", other};
  const Arguments words = train({"sft", "--data", rows_}, "x", {"--quiet"});
  odd.insert(odd.end(), words.begin(), words.end());
  says(on(2, odd), "rank 1 would not compute what rank 0 does (seeds.seed");
  EXPECT_FALSE(real_env().exists(path("x")));
  // An error of one rank while the other waits for it.
  const std::string blind = file(
      "blind.sh",
      "[ \"$OMPI_COMM_WORLD_RANK\" = 0 ] || set -- \"$@\" --data nothing.jsonl\nexec \"$@\"\n");
  odd[1] = blind;
  says(on(2, odd), "rank 1 of 2: hone: ");
  // A program without its library, as where MPI is not installed.
  const std::string bare = path("hone");
  std::filesystem::copy_file(HONE_PROGRAM, bare);
  Arguments missing = train({"sft", "--data", rows_}, "x");
  missing[0] = bare;
  says(on(2, missing), "install the package libopenmpi3");
  EXPECT_EQ(run(on(1, missing)), 0) << errors();  // one process needs no MPI
}

TEST_F(Ranks, OnTwoMachinesLeaveTheFilesOfOne) {
  if (std::getenv("HONE_TEST_LONG") == nullptr) {
    GTEST_SKIP() << "SKIPPED: set HONE_TEST_LONG=1 for ranks in network namespaces of their own";
  }
  const std::string script = "tests/train/two_machines.sh";
  if (run({"sh", script, "true"}) != 0) {
    GTEST_SKIP() << "SKIPPED: this machine allows no network namespaces: " << errors();
  }
  const Arguments few = {"--max-steps", "10", "--save-steps", "4"};
  for (const Arguments& options :
       {Arguments{"sft", "--data", rows_},
        Arguments{"grpo", "--data", prompts_, "--reward", "length:target=12", "--num-generations",
                  "4", "--per-device-train-batch-size", "24", "--max-completion-length", "16"}}) {
    ASSERT_EQ(run(train(options, "one", few)), 0) << errors();
    Arguments far = {"sh", script};
    const Arguments words = train(options, "far", few);
    far.insert(far.end(), words.begin(), words.end());
    ASSERT_EQ(run(far), 0) << errors();
    expect_same_files("one", "far", options[0] + " on two machines");
    for (const char* name : {"one", "far"}) real_env().remove_all(path(name));
  }
}

}  // namespace
}  // namespace hone
