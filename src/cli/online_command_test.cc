// hone train grpo and rloo, their replay, and hone eval rewards, as a person gives them, on a tiny
// model without words.
#include <gtest/gtest.h>

#include "cli/testing.h"
#include "llm/formats/model_writer.h"
#include "llm/testing.h"
#include "train/final_model.h"

namespace hone::cli {
namespace {

const std::string kModel = "tests/golden/torch/llama_tied";

class OnlineCommand : public FolderTest {
 protected:
  void SetUp() override {
    file("prompts.jsonl",
         "{\"prompt_ids\":[1,2,3],\"answer\":3}\n"
         "{\"prompt_ids\":[9,2],\"answer\":4}\n"
         "{\"prompt_ids\":[11,12,13,14],\"answer\":5}\n"
         "{\"prompt_ids\":[5],\"answer\":6}\n");
  }

  Arguments words(const std::string& method, const std::string& run,
                  const Arguments& more = {}) const {
    return with(
        {method, "--model", kModel, "--data", path("prompts.jsonl"), "--output", path(run)},
        "--max-steps 4 --logging-steps 1 --num-generations 4 --per-device-train-batch-size 8 "
        "--max-completion-length 6 --learning-rate 1e-2 --quiet",
        more);
  }
};

TEST_F(OnlineCommand, GrpoLeavesARunThatReplaysToTheBit) {
  const Answer answer =
      call(run_train,
           words("grpo", "run",
                 {"--reward", "length:target=3,as=three", "--reward", "ended", "--reward-weights",
                  "1,0.5", "--beta", "0.1", "--num-iterations", "2", "--save-steps", "1"}));
  ASSERT_EQ(answer.code, 0) << answer.error;
  const std::vector<Json> metrics = lines_of("run/metrics.jsonl");
  ASSERT_EQ(metrics.size(), 4u);
  for (const char* key :
       {"reward", "reward_std", "frac_reward_zero_std", "rewards/three/mean", "rewards/ended/std",
        "completions/mean_length", "completions/clipped_ratio", "entropy", "kl",
        "clip_ratio/region_mean", "sampling/sampling_logp_difference/max", "num_tokens"}) {
    EXPECT_TRUE(metrics[0].find(key) != nullptr) << key;
  }
  EXPECT_EQ(metrics[0].at("sampling/sampling_logp_difference/max").as_double(), 0);
  EXPECT_EQ(lines_of("run/completions.jsonl").size(), 16u);
  EXPECT_TRUE(real_env().exists(path("run/final/config.json")));
  EXPECT_EQ(call(run_replay, {path("run"), "--quiet"}).code, 0);
  // From a checkpoint in the middle of a generation.
  EXPECT_EQ(call(run_replay, {path("run"), "--steps", "4:4", "--quiet", "--threads", "2"}).code, 0);
}

TEST_F(OnlineCommand, RlooOverAnAdapterReplaysToo) {
  const Answer answer = call(run_train, words("rloo", "run",
                                              {"--reward", "length:target=2", "--lora-r", "2",
                                               "--temperature", "0.7", "--top-k", "20"}));
  ASSERT_EQ(answer.code, 0) << answer.error;
  EXPECT_EQ(
      lines_of("run/metrics.jsonl")[0].at("sampling/sampling_logp_difference/max").as_double(), 0);
  EXPECT_EQ(call(run_replay, {path("run"), "--quiet"}).code, 0);
}

TEST_F(OnlineCommand, RunsWithFormulasOfOthersReplayToTheBit) {
  const std::pair<const char*, Arguments> runs[] = {
      {"grpo", {"--compat", "verl", "--advantage-estimator", "reinforce", "--beta", "0.1"}},
      {"rloo", {"--compat", "openrlhf", "--beta", "0"}}};
  for (const auto& [method, more] : runs) {
    Arguments all = {"--reward", "length:target=3"};
    all.insert(all.end(), more.begin(), more.end());
    const Answer answer = call(run_train, words(method, method, all));
    ASSERT_EQ(answer.code, 0) << answer.error;
    const Json manifest =
        Json::parse(real_env().read_file(path(std::string(method) + "/manifest.json"), 1 << 20))
            .value();
    EXPECT_TRUE(manifest.at("settings").at("clamp_log_ratio").as_bool());
    EXPECT_EQ(call(run_replay, {path(method), "--quiet"}).code, 0) << method;
  }
}

TEST_F(OnlineCommand, AReplayRunsNoProgramThatOnlyTheManifestNames) {
  const std::string spec =
      "program:timeout=20,command=while read line; do echo "
      "'{\"rewards\":[1,0,1,0,0,1,0,1]}'; done";
  ASSERT_EQ(call(run_train, words("grpo", "run", {"--reward", spec})).code, 0);
  EXPECT_NE(call(run_replay, {path("run"), "--quiet"}).error.find("runs a program"),
            std::string::npos);
  EXPECT_EQ(call(run_replay, {path("run"), "--quiet", "--reward", spec}).code, 0);
}

TEST_F(OnlineCommand, RecordedAnswersAreTrainedOnAndReplayed) {
  const Json golden =
      Json::parse(real_env().read_file("tests/golden/train/online_runs.json", 1 << 24)).value();
  std::string text, wrong;
  for (const Json& row : golden.at("rollouts").as_array()) text += row.dump() + "\n";
  wrong = text;
  wrong.replace(wrong.find("\"logprobs\":[-"), 13, "\"logprobs\":[-9");
  file("rollouts.jsonl", text);
  file("wrong.jsonl", wrong);
  const auto train = [&](const std::string& method, const std::string& file,
                         const Arguments& more = {}) {
    Arguments all = words(method, "run", {"--rollouts", path(file), "--overwrite"});
    all.erase(all.begin() + 3, all.begin() + 5);  // --data
    all.insert(all.end(), more.begin(), more.end());
    return call(run_train, all);
  };
  for (const char* method : {"grpo", "rloo"}) {
    const Answer answer = train(method, "rollouts.jsonl");
    ASSERT_EQ(answer.code, 0) << answer.error;
    EXPECT_EQ(lines_of("run/metrics.jsonl").size(), 4u);
    EXPECT_TRUE(lines_of("run/metrics.jsonl")[0].find("rewards/reward/mean") != nullptr);
    EXPECT_EQ(call(run_replay, {path("run"), "--quiet"}).code, 0);
  }
  EXPECT_NE(train("grpo", "wrong.jsonl").error.find("wrong.jsonl:1: completion_ids[0]"),
            std::string::npos);
  EXPECT_EQ(train("grpo", "wrong.jsonl", {"--rollout-tolerance", "100"}).code, 0);
  EXPECT_NE(train("grpo", "rollouts.jsonl", {"--reward", "ended"}).error.find("carry rewards"),
            std::string::npos);
  EXPECT_NE(train("grpo", "rollouts.jsonl", {"--data", path("prompts.jsonl")})
                .error.find("--data and --rollouts are both given"),
            std::string::npos);
  EXPECT_NE(train("grpo", "rollouts.jsonl", {"--num-generations", "2"}).error.find("has 4 answers"),
            std::string::npos);
  EXPECT_NE(train("grpo", "rollouts.jsonl", {"--eval-data", path("prompts.jsonl")})
                .error.find("--eval-data needs"),
            std::string::npos);
  EXPECT_NE(train("grpo", "rollouts.jsonl", {"--rollout-tolerance", "-1"}).error.find("0 or more"),
            std::string::npos);
  EXPECT_NE(train("grpo", "prompts.jsonl").error.find("prompts.jsonl:1"), std::string::npos);
}

TEST_F(OnlineCommand, WhatIsWrongIsSaidBeforeTheWork) {
  const auto said = [&](const Arguments& more) {
    return call(run_train, words("grpo", "run", more)).error;
  };
  EXPECT_NE(said({}).find("there is no reward"), std::string::npos);
  EXPECT_NE(said({"--reward", "exakt"}).find("there is no reward exakt"), std::string::npos);
  EXPECT_NE(said({"--reward", "ended", "--num-generations", "3"}).find("multiple of"),
            std::string::npos);
  EXPECT_NE(said({"--reward", "ended", "--gradient-accumulation-steps", "9"}).find("only 4"),
            std::string::npos);
  EXPECT_NE(said({"--reward", "ended", "--loss-type", "dappo"}).find("dapo"), std::string::npos);
  EXPECT_NE(said({"--reward", "ended", "--compat", "lf"}).find("LLaMA-Factory has no GRPO"),
            std::string::npos);
  EXPECT_NE(said({"--reward", "ended", "--compat", "verl", "--use-bias-correction-kl"})
                .find("leave one of them out"),
            std::string::npos);
  EXPECT_NE(said({"--reward", "ended", "--reward-weights", "1,2"}).find("one each"),
            std::string::npos);
  EXPECT_NE(said({"--reward", "numeric:column=gone"}).find("needs the column \"gone\""),
            std::string::npos);
  EXPECT_NE(said({"--reward", "program:command=exit 1", "--overwrite"}).find("ended with code 1"),
            std::string::npos);
}

class PpoCommand : public OnlineCommand {
 protected:
  Arguments ppo(const std::string& run, const Arguments& more) const {
    return with({"ppo", "--model", kModel, "--data", path("prompts.jsonl"), "--output", path(run)},
                "--max-steps 5 --logging-steps 1 --save-steps 1 --save-total-limit 0 "
                "--per-device-train-batch-size 4 --num-ppo-epochs 3 --response-length 6 "
                "--reward length:target=6 --learning-rate 1e-3 --quiet",
                more);
  }
  // A tiny model of another vocabulary.
  void write_other_model(const std::string& folder) const {
    llm::testing::TinyShape shape;
    shape.vocab = 64;
    const llm::Model model = llm::testing::random_model(shape);
    llm::write_huggingface_directory(real_env(), folder, model.config, tensor::DataType::kF32,
                                     train::model_rows(model), {1}, {});
  }
};

TEST_F(PpoCommand, AValueModelApartTrainsResumesAndReplays) {
  const std::string reward = "tests/golden/torch/adapter_reward_start";
  const std::vector<Arguments> kinds = {
      {"--value-model", reward, "--lora-r", "2", "--value-learning-rate", "9e-3"},
      {"--value-model", reward},  // folded into weights of its own
      {"--value-model", "tests/golden/torch/llama3"},
      {"--value-model", kModel, "--lora-r", "2", "--use-dora"}};
  for (size_t i = 0; i < kinds.size(); ++i) {
    const std::string run = "run" + std::to_string(i);
    const Answer answer = call(run_train, ppo(run, kinds[i]));
    ASSERT_EQ(answer.code, 0) << i << answer.error;
    const std::vector<Json> metrics = lines_of(run + "/metrics.jsonl");
    EXPECT_GT(metrics[0].at("value/grad_norm").as_double(), 0) << i;
    const bool reward_model = kinds[i][1] == reward;
    const Json manifest =
        Json::parse(real_env().read_file(path(run + "/manifest.json"), 1 << 20)).value();
    EXPECT_TRUE(manifest.at("digests").find("value_model") != nullptr);
    EXPECT_TRUE(manifest.at("settings").at("value_model").as_bool());
    EXPECT_EQ(call(run_replay, {path(run), "--quiet"}).code, 0) << i;
    EXPECT_EQ(call(run_replay, {path(run), "--steps", "5:5", "--quiet", "--threads", "2"}).code, 0);
    const std::string lost =
        call(run_replay, {path(run), "--quiet", "--value-model", "tests/golden/torch/qwen3"}).error;
    EXPECT_NE(lost.find("is not what the run used as value_model"), std::string::npos) << lost;
    // final/ is the policy: nothing in it scores.
    EXPECT_EQ(real_env()
                  .read_file(path(run + (i == 0 || i == 3 ? "/final/adapter_config.json"
                                                          : "/final/config.json")),
                             1 << 20)
                  .find("score"),
              std::string::npos);
    if (!reward_model) continue;
    Arguments resumed = ppo(run, kinds[i]);
    for (std::string& word : resumed) {
      if (word == reward) word = kModel;
    }
    resumed.push_back("--resume");
    EXPECT_NE(call(run_train, resumed).error.find("value_model"), std::string::npos);
  }
}

TEST_F(PpoCommand, AWrongValueModelIsRefusedBeforeTheWork) {
  write_other_model(path("other"));
  const auto said = [&](const Arguments& more) { return call(run_train, ppo("run", more)).error; };
  EXPECT_NE(said({"--value-model", path("none")}).find("--value-model " + path("none")),
            std::string::npos);
  EXPECT_NE(said({"--value-model", path("other")}).find("has a vocabulary of 64 and --model one"),
            std::string::npos);
  const std::string base = said({"--model", "tests/golden/torch/qwen3", "--lora-r", "2",
                                 "--value-model", "tests/golden/torch/adapter_rslora"});
  EXPECT_NE(base.find("its base must be --model"), std::string::npos) << base;
  EXPECT_NE(base.find("belongs to another model"), std::string::npos) << base;
  EXPECT_NE(said({"--value-learning-rate", "1e-4"}).find("--value-model"), std::string::npos);
  EXPECT_NE(said({"--value-model", kModel, "--value-learning-rate", "0"}).find("above 0"),
            std::string::npos);
  EXPECT_FALSE(real_env().exists(path("run/manifest.json")));
}

TEST_F(PpoCommand, TheMemoryOfAValueModelIsSaidAndRefused) {
  const auto bytes = [&](const Arguments& more) {
    Arguments words = ppo("run", more);
    words.push_back("--dry-run");
    const Answer answer = call(run_train, words);
    EXPECT_EQ(answer.code, 0) << answer.error;
    return Json::parse(answer.out).value().at("memory").at("parts");
  };
  const char* part = "value model: gradients, moments and activations";
  EXPECT_TRUE(bytes({}).find(part) == nullptr);
  const Json shared = bytes({"--lora-r", "2", "--value-model", kModel});
  EXPECT_TRUE(shared.find("weights of the value model") == nullptr);
  EXPECT_GT(shared.at(part).as_int(), 0);
  const Json own = bytes({"--value-model", kModel});
  EXPECT_GT(own.at("weights of the value model").as_int(), 0);
  EXPECT_GT(own.at(part).as_int(), shared.at(part).as_int());
  const std::string refused =
      call(run_train, ppo("run", {"--value-model", kModel, "--memory-limit", "1M"})).error;
  EXPECT_NE(refused.find(part), std::string::npos) << refused;
}

TEST_F(OnlineCommand, EvalRewardsGivesAReportThatCompares) {
  const Arguments common = {
      "rewards",  "--model",         kModel,    "--data",       path("prompts.jsonl"),
      "--reward", "length:target=3", "--quiet", "--max-tokens", "6"};
  const auto eval = [&](const std::string& output, const Arguments& more) {
    Arguments all = common;
    all.insert(all.end(), {"--output", path(output)});
    all.insert(all.end(), more.begin(), more.end());
    return call(run_eval, all);
  };
  ASSERT_EQ(eval("a.json", {"--n", "3"}).code, 0);
  ASSERT_EQ(eval("b.json", {"--n", "3", "--threads", "2"}).code, 0);
  EXPECT_EQ(real_env().read_file(path("a.json"), 1 << 20),
            real_env().read_file(path("b.json"), 1 << 20));
  const Json report = Json::parse(real_env().read_file(path("a.json"), 1 << 20)).value();
  EXPECT_EQ(report.at("items").size(), 4u);
  EXPECT_EQ(call(run_compare, {path("a.json"), path("b.json")}).code, 3);  // equal is not better
  EXPECT_NE(eval("c.json", {"--n", "0"}).error.find("at least one"), std::string::npos);
}

}  // namespace
}  // namespace hone::cli
