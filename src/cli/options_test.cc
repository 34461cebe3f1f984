// The table of options: the command line, the --config file, and what each refuses.

#include "cli/options.h"

#include <gtest/gtest.h>

#include "base/env.h"
#include "base/error.h"

namespace hone::cli {
namespace {

struct Table {
  std::string model = "none";
  size_t rank = 0;
  double rate = 0.5;
  bool recompute = false;
  std::vector<std::string> modules, rewards;
  Options options{"try", "an example.", ""};

  Table() {
    options.text("model", &model, "MODEL", "");
    options.count("lora-r", &rank, "");
    options.real("learning-rate", &rate, "");
    options.flag("recompute", &recompute, "");
    options.list("lora-target-modules", &modules, "NAME,..", "");
    options.texts("reward", &rewards, "SPEC", "");
  }
  // What reading the text as --config says; "" when it is taken.
  std::string refusal(const std::string& text) {
    try {
      options.read_config(text, "c.yaml");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
      return error.message();
    }
    return "";
  }
};

void expect_refused(const std::string& text, const std::string& part) {
  const std::string said = Table().refusal(text);
  EXPECT_EQ(said.rfind("c.yaml", 0), 0u) << said;
  EXPECT_NE(said.find(part), std::string::npos) << said;
}

TEST(Config, GivesOptionsByEitherSpellingAndListsByEitherForm) {
  Table table;
  EXPECT_EQ(table.refusal("model: a b.gguf\nlora_r: 16\nlearning-rate: 1e-4\nrecompute: true\n"
                          "lora_target_modules: [q_proj, 'k_proj']\n"),
            "");
  EXPECT_EQ(table.model, "a b.gguf");
  EXPECT_EQ(table.rank, 16u);
  EXPECT_EQ(table.rate, 1e-4);
  EXPECT_TRUE(table.recompute);
  EXPECT_EQ(table.modules, (std::vector<std::string>{"q_proj", "k_proj"}));
  EXPECT_EQ(table.refusal("lora_target_modules: v_proj"), "");
  EXPECT_EQ(table.modules, (std::vector<std::string>{"q_proj", "k_proj"}));  // the first word stays
}

TEST(Config, WhatMayComeSeveralTimesKeepsItsCommas) {
  Table table;
  table.options.parse({"--reward", "regex:pattern=a{1,2}", "--reward=exact"});
  EXPECT_EQ(table.rewards, (std::vector<std::string>{"regex:pattern=a{1,2}", "exact"}));
  EXPECT_EQ(table.refusal("reward: [length]"), "");
  EXPECT_EQ(table.rewards.size(), 2u);  // the command line wins
  Table from_file;
  EXPECT_EQ(from_file.refusal("reward: ['regex:pattern=a{1,2}', exact]"), "");
  EXPECT_EQ(from_file.rewards, table.rewards);
}

TEST(Config, TheCommandLineWinsAndNullKeepsTheDefault) {
  Table table;
  table.options.parse({"--lora-r", "3"});
  EXPECT_EQ(table.refusal("lora_r: 16\nmodel: ~\n"), "");
  EXPECT_EQ(table.rank, 3u);
  EXPECT_EQ(table.model, "none");
}

TEST(Config, EverythingElseIsRefusedWithTheFilesName) {
  expect_refused("learnin_rate: 1", "did you mean --learning-rate?");
  expect_refused("learning_rate: fast", "is not a number");
  expect_refused("recompute: perhaps", "true or false");
  expect_refused("a: [1, 2\nb: }", ":2: not YAML");
  expect_refused("hello", "a map of options");
  expect_refused("- model", "a map of options");
  expect_refused("", "a map of options");
  expect_refused("[model]: x", "a name of an option");
  expect_refused("{a: 1}: x", "a name of an option");
  expect_refused("model: {a: 1}", "a single value or a list");
  expect_refused("lora_target_modules: [[q]]", "a single value or a list");
  expect_refused("model: \xff", "byte 7 is not UTF-8");
  expect_refused(std::string(5000, '['), "not YAML");
  expect_refused("model: *nobody", "not YAML");
}

TEST(Config, AFileThatIsNotThereIsNamed) {
  Table table;
  try {
    table.options.parse({"--config", "no/such.yaml"});
    FAIL() << "a missing file was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_NE(error.message().find("--config no/such.yaml"), std::string::npos);
  }
}

}  // namespace
}  // namespace hone::cli
