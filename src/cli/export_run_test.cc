// hone export-run as a person meets it; that TRL reads the result is tests/clients'.
#include <gtest/gtest.h>

#include "cli/testing.h"
#include "data/run_manifest.h"
#include "seal/digest.h"
#include "train/dpo.h"

namespace hone::cli {
namespace {

constexpr char kPair[] = "{\"prompt\":\"a\",\"chosen\":\" b\",\"rejected\":\" c\"}\n";

class ExportRun : public FolderTest {
 protected:
  void SetUp() override {
    file("pairs.jsonl", kPair);
    file("sums.jsonl", "{\"prompt\":\"1 + 1 =\",\"answer\":\"2\"}\n");
    file("chats.jsonl",
         "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
         "{\"role\":\"assistant\",\"content\":\"b\"}]}\n");
  }

  bool has(const std::string& name, const std::string& text) const {
    return text_of(name).find(text) != std::string::npos;
  }
  // The sentence of the error, or nothing.
  static std::string run(const Arguments& words) {
    const Answer answer = call(run_export_run, words);
    EXPECT_EQ(answer.code, answer.error.empty() ? 0 : -1);
    return answer.error;
  }
  std::string config(const std::string& method, const std::string& yaml, const std::string& data,
                     Arguments more = {"--to", "trl"}) const {
    file("c.yaml", yaml);
    Arguments words = {path("c.yaml"), "--method", method,     "--data",
                       path(data),     "--output", path("out")};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  void expect_refusal(const std::string& error, const std::string& part) const {
    EXPECT_NE(error.find(part), std::string::npos) << "said: " << error;
    EXPECT_FALSE(real_env().exists(path("out")));
    EXPECT_FALSE(real_env().exists(path("out.part")));
  }
  data::RunManifest manifest(const std::string& digest) const {
    data::RunManifest manifest;
    manifest.method = "dpo";
    manifest.settings = train::DpoConfig().to_json();
    manifest.seeds["seed"] = 7;
    manifest.digests["data"] = digest;
    manifest.digests["model"] = std::string(64, 'a');
    manifest.program_version = "0.1.0";
    manifest.program_commit = "c0ffee";
    manifest.recipe = "exact-f32/1";
    return manifest;
  }
  void write_run(const data::RunManifest& what) const {
    real_env().create_directories(path("run"));
    data::write_run_manifest(real_env(), path("run") + "/manifest.json", what);
    Json sources = Json::object();
    sources["data"] = path("pairs.jsonl");
    sources["model"] = "m.gguf";
    file("run/sources.json", sources.dump());
  }
};

TEST_F(ExportRun, ARunBecomesConfigRowsScriptAndAReadme) {
  write_run(manifest(seal::sha256_hex(kPair)));
  EXPECT_EQ(run({path("run"), "--to", "trl", "--output", path("out")}), "");
  EXPECT_EQ(text_of("out/data/train.jsonl"), kPair);
  EXPECT_TRUE(has("out/config.yaml", "learning_rate: 0.000001\n"));
  EXPECT_TRUE(has("out/config.yaml", "adam_epsilon: 1.0e-8\n"));  // YAML 1.1: with a point
  EXPECT_TRUE(has("out/config.yaml", "loss_type: [\"sigmoid\"]\n"));
  EXPECT_TRUE(has("out/config.yaml", "seed: 7\n"));
  EXPECT_TRUE(has("out/config.yaml", "max_steps: -1\n"));
  EXPECT_TRUE(has("out/config.yaml", "eval_strategy: \"no\"\n"));  // no alone is false in YAML 1.1
  EXPECT_TRUE(has("out/config.yaml", "model_name_or_path: \"./model\"\n"));
  EXPECT_TRUE(has("out/launch.sh", "exec trl dpo --config config.yaml"));
  EXPECT_TRUE(has("out/README.txt", std::string(64, 'a')));
  EXPECT_TRUE(has("out/README.txt", "hone model export m.gguf"));
  EXPECT_TRUE(has("out/requirements.txt", "trl==1.16.0"));
  EXPECT_FALSE(has("out/config.yaml", folder_));  // no path of this machine
}

TEST_F(ExportRun, OtherRowsThanTheRunsAreRefused) {
  write_run(manifest(std::string(64, '0')));
  expect_refusal(run({path("run"), "--to", "trl", "--output", path("out")}),
                 "is not what the run used as data");
}

TEST_F(ExportRun, ASettingOfANewerProgramIsNamedAsNotCarriedOver) {
  data::RunManifest newer = manifest(seal::sha256_hex(kPair));
  newer.settings["sparkle"] = 3;
  write_run(newer);
  EXPECT_EQ(run({path("run"), "--to", "trl", "--output", path("out")}), "");
  EXPECT_TRUE(has("out/README.txt", "sparkle = 3: this version of hone export-run"));
}

TEST_F(ExportRun, EverySettingOfEveryMethodIsNamedInTheReadme) {
  const std::pair<const char*, const char*> methods[] = {
      {"sft", "chats.jsonl"},  {"dpo", "pairs.jsonl"},       {"reward", "pairs.jsonl"},
      {"orpo", "pairs.jsonl"}, {"cpo", "pairs.jsonl"},       {"grpo", "sums.jsonl"},
      {"rloo", "sums.jsonl"},  {"online_dpo", "sums.jsonl"}, {"distill", "chats.jsonl"}};
  for (const auto& [method, data] : methods) {
    const std::string yaml = std::string(data) == "sums.jsonl" ? "reward: numeric" : "seed: 1";
    ASSERT_EQ(config(method, yaml, data), "") << method;
    const std::string readme = text_of("out/README.txt");
    EXPECT_EQ(readme.find("does not know it"), std::string::npos) << method << "\n" << readme;
    EXPECT_NE(readme.find("prefix_sharing"), std::string::npos) << method;
    real_env().remove_all(path("out"));
  }
  for (const char* method : {"sft", "dpo", "reward", "grpo", "rloo", "ppo"}) {
    const std::string data = std::string(method) == "sft" ? "chats"
                             : std::string(method) == "dpo" || std::string(method) == "reward"
                                 ? "pairs"
                                 : "sums";
    ASSERT_EQ(config(method, data == "sums" ? "reward: numeric" : "seed: 1", data + ".jsonl",
                     {"--to", "openrlhf"}),
              "")
        << method;
    EXPECT_FALSE(has("out/README.txt", "does not know it")) << method << text_of("out/README.txt");
    EXPECT_TRUE(has("out/launch.sh", "adam.betas 0.9 0.999")) << text_of("out/launch.sh");
    real_env().remove_all(path("out"));
  }
}

TEST_F(ExportRun, FormulasOfTheOtherProgramAreKnownThere) {
  const std::string yaml = "reward: numeric\ncompat: verl";
  ASSERT_EQ(config("grpo", yaml, "sums.jsonl", {"--to", "openrlhf"}), "");
  EXPECT_TRUE(has("out/launch.sh", "actor.dual_clip 3")) << text_of("out/launch.sh");
  EXPECT_TRUE(has("out/README.txt", "kl_clamp = \"k3\": OpenRLHF has a formula"))
      << text_of("out/README.txt");
  real_env().remove_all(path("out"));
  ASSERT_EQ(config("grpo", yaml, "sums.jsonl"), "");
  EXPECT_TRUE(has("out/README.txt", "dual_clip = 3: TRL has a formula"))
      << text_of("out/README.txt");
  real_env().remove_all(path("out"));
  ASSERT_EQ(config("dpo", "loss_type: ipo\ncompat: openrlhf", "pairs.jsonl", {"--to", "openrlhf"}),
            "");
  EXPECT_FALSE(has("out/README.txt", "does not know it")) << text_of("out/README.txt");
  EXPECT_FALSE(has("out/README.txt", "another beta fits"));
  real_env().remove_all(path("out"));
  expect_refusal(config("dpo", "compat: verl", "pairs.jsonl"), "verl has no DPO");
  expect_refusal(config("sft", "compat: lf", "chats.jsonl"), "formulas of TRL alone");
}

TEST_F(ExportRun, RowsThatTheOtherProgramCannotWeighAreNamed) {
  file("pairs.jsonl",
       "{\"prompt\":\"a\",\"chosen\":\" b\",\"rejected\":\" c\",\"weight\":2}\n"
       "{\"prompt\":\"d\",\"chosen\":\" e\",\"rejected\":\" f\",\"probability\":0.25}\n"
       "{\"prompt\":\"g\",\"chosen\":\" h\",\"rejected\":\" i\",\"weight\":0}\n");
  EXPECT_EQ(config("dpo", "beta: 0.2", "pairs.jsonl"), "");
  EXPECT_TRUE(has("out/README.txt", "1 training row with a weight other than 1"));
  EXPECT_TRUE(has("out/README.txt", "1 training row with weight 0 left out"));
  EXPECT_TRUE(has("out/README.txt", "1 training row with a probability other than 1"));
  EXPECT_EQ(text_of("out/data/train.jsonl"),
            "{\"prompt\":\"a\",\"chosen\":\" b\",\"rejected\":\" c\"}\n"
            "{\"prompt\":\"d\",\"chosen\":\" f\",\"rejected\":\" e\"}\n");
}

TEST_F(ExportRun, AStepsBatchIsDividedAmongTheGpus) {
  const std::string yaml =
      "per_device_train_batch_size: 4\ngradient_accumulation_steps: 8\nreport_to: tensorboard";
  EXPECT_EQ(config("dpo", yaml, "pairs.jsonl", {"--to", "trl", "--gpus", "8"}), "");
  EXPECT_TRUE(has("out/config.yaml", "per_device_train_batch_size: 4\n"));
  EXPECT_TRUE(has("out/config.yaml", "gradient_accumulation_steps: 1\n"));
  EXPECT_TRUE(has("out/accelerate.yaml", "num_processes: 8\n"));
  real_env().remove_all(path("out"));
  expect_refusal(config("dpo", yaml, "pairs.jsonl", {"--to", "trl", "--gpus", "3"}),
                 "not cut evenly over 3 GPUs");
  expect_refusal(config("dpo", yaml, "pairs.jsonl", {"--to", "openrlhf", "--gpus", "3"}),
                 "not cut evenly over 3 GPUs");
  expect_refusal(config("dpo", yaml, "pairs.jsonl", {"--to", "trl", "--gpus", "0"}), "--gpus 0");
}

TEST_F(ExportRun, AValueModelBecomesTheCritic) {
  ASSERT_EQ(config("ppo", "reward: numeric\nvalue_model: critic.gguf\nvalue_learning_rate: 9e-6",
                   "sums.jsonl", {"--to", "openrlhf", "--value-model", "org/critic"}),
            "");
  EXPECT_TRUE(has("out/launch.sh", "critic.model_name_or_path 'org/critic'"))
      << text_of("out/launch.sh");
  EXPECT_TRUE(has("out/launch.sh", "critic.adam.lr 9e-06") ||
              has("out/launch.sh", "critic.adam.lr 9e-6") ||
              has("out/launch.sh", "critic.adam.lr 0.000009"))
      << text_of("out/launch.sh");
  EXPECT_FALSE(has("out/README.txt", "does not know it")) << text_of("out/README.txt");
  EXPECT_FALSE(has("out/README.txt", "sits on the policy's own layers"));
  real_env().remove_all(path("out"));
  expect_refusal(config("ppo", "reward: numeric\nvalue_learning_rate: 9e-6", "sums.jsonl",
                        {"--to", "openrlhf"}),
                 "value_model");
}

TEST_F(ExportRun, WhatTheOtherProgramHasNotIsRefusedOrNamed) {
  expect_refusal(config("ppo", "reward: numeric", "sums.jsonl"), "TRL 1.16 has no trainer for ppo");
  expect_refusal(config("kto", "beta: 1", "pairs.jsonl", {"--to", "openrlhf"}), "pairs.jsonl:1");
  expect_refusal(config("orpo", "beta: 1", "pairs.jsonl", {"--to", "openrlhf"}),
                 "OpenRLHF 0.11 has no trainer for orpo");
  expect_refusal(config("dpo", "reference_free: true", "pairs.jsonl"), "reference_free is true");
  expect_refusal(config("dpo", "loss_type: hinge", "pairs.jsonl", {"--to", "openrlhf"}),
                 "use --to trl");
  expect_refusal(config("grpo", "beta: 0", "sums.jsonl"), "no --reward is named");
  expect_refusal(config("grpo", "reward: \"json\"", "sums.jsonl"), "has no form");
  expect_refusal(config("grpo", "reward: \"program:command=true\"", "sums.jsonl"), "has no form");
  expect_refusal(config("grpo", "reward: \"length:target=4\"", "sums.jsonl", {"--to", "openrlhf"}),
                 "counts tokens");
  EXPECT_EQ(config("grpo", "reward: numeric\ndynamic_sampling: true", "sums.jsonl"), "");
  EXPECT_TRUE(has("out/README.txt", "dynamic_sampling = true: TRL does not refill"));
  EXPECT_TRUE(has("out/config.yaml", "reward_funcs: [\"rewards.reward_numeric\"]"));
  EXPECT_TRUE(has("out/rewards.py", "def reward_numeric("));
}

TEST_F(ExportRun, WrongInputIsASentenceAndLeavesNothing) {
  expect_refusal(config("dpo", "bata: 0.1", "pairs.jsonl"), "bata");
  expect_refusal(config("dpo", "beta: -1", "pairs.jsonl"), "--beta");
  expect_refusal(config("dpo", "beta: much", "pairs.jsonl"), "is not a number");
  expect_refusal(config("dop", "beta: 1", "pairs.jsonl"), "did you mean dpo?");
  expect_refusal(config("dpo", "beta: 1", "nothing.jsonl"), "is not there");
  expect_refusal(config("dpo", "beta: 1", "pairs.jsonl", {"--to", "verl"}), "verl");
  expect_refusal(config("dpo", "beta: 1", "pairs.jsonl", {}), "--to");
  expect_refusal(run({path("nowhere"), "--to", "trl", "--output", path("out")}),
                 "there is no such");
  expect_refusal(run({path("c.yaml"), "--to", "trl", "--output", path("out")}), "--method");
  file("pairs.jsonl", "{\"prompt_ids\":[1],\"chosen_ids\":[2],\"rejected_ids\":[3]}\n");
  expect_refusal(config("dpo", "beta: 1", "pairs.jsonl"), "tokenised already");
  file("pairs.jsonl", std::string(kPair) +
                          "{\"prompt\":[{\"role\":\"user\",\"content\":\"a\"}],"
                          "\"chosen\":[{\"role\":\"assistant\",\"content\":\"b\"}],"
                          "\"rejected\":[{\"role\":\"assistant\",\"content\":\"c\"}]}\n");
  expect_refusal(config("dpo", "beta: 1", "pairs.jsonl"), "pairs.jsonl:2");
  file("out", "mine");
  EXPECT_NE(config("dpo", "beta: 1", "sums.jsonl").find("exists already"), std::string::npos);
  EXPECT_EQ(text_of("out"), "mine");
}

}  // namespace
}  // namespace hone::cli
