// hone model add | gate | promote | rollback, as an operator calls them on a data folder.

#include <gtest/gtest.h>

#include "api/setup.h"
#include "cli/common.h"
#include "cli/testing.h"
#include "data/run_manifest.h"
#include "eval/report.h"
#include "seal/digest.h"

namespace hone::cli {
namespace {

std::string rows(size_t begin, size_t count) {
  std::string text;
  for (size_t i = begin; i < begin + count; ++i) {
    text += R"({"prompt":"question )" + std::to_string(i) + R"(","chosen":"yes","rejected":"no"})" +
            "\n";
  }
  return text;
}

class RegistryCommandTest : public FolderTest {
 protected:
  void SetUp() override {
    api::PlatformOptions options;
    options.data_dir = path("data");
    options.version = "test";
    const auto platform = api::Platform::open(real_env(), std::move(options));
    api::add_organisation(*platform, {.name = "Acme", .owner_name = "Ada"}, "system");
  }

  Answer call(const Arguments& words) const {
    return cli::call(run_model, with(words, "", {"--data-dir", path("data")}));
  }
  // A base, and an adapter "new" with the run that made it from `training`.
  void add_models(const std::string& training) {
    ASSERT_EQ(call({"add", "base", file("base.gguf", "weights")}).code, 0);
    file("run/final/adapter_config.json", "{}");
    file("run/final/adapter_model.safetensors", "deltas");
    data::RunManifest manifest;
    manifest.method = "dpo";
    manifest.digests["data"] = seal::sha256_file(training);
    manifest.digests["model"] = std::string(64, '0');
    manifest.recipe = "exact-f32/1";
    data::write_run_manifest(real_env(), path("run/manifest.json"), manifest);
    const Answer added = call({"add", "new", "--adapter", path("run/final"), "--base", "base"});
    ASSERT_EQ(added.code, 0) << added.error;
  }
  // right of 100 items, on that data, by base or by the adapter on it.
  std::string report(const std::string& name, const std::string& data, size_t right,
                     bool adapter) const {
    eval::Report report;
    report.measured = "preferences";
    report.digests["data"] = seal::sha256_file(data);
    report.digests["model"] = model_digest(path("base.gguf"));
    if (adapter) report.digests["adapter"] = model_digest(path("run/final"));
    report.recipe = "exact-f32/1";
    report.better = {{"accuracy", eval::Better::kHigher}};
    report.primary = "accuracy";
    for (size_t i = 0; i < 100; ++i) {
      report.items.push_back({"i" + std::to_string(i), {{"accuracy", i < right ? 1.0 : 0.0}}});
    }
    eval::write_report(real_env(), path(name), report, false);
    return path(name);
  }
};

TEST_F(RegistryCommandTest, AnAliasMovesThroughItsGateAndBack) {
  const std::string training = file("train.jsonl", rows(0, 20));
  const std::string heldout = file("heldout.jsonl", rows(100, 10));
  add_models(training);
  ASSERT_EQ(call({"promote", "assistant", "base"}).code, 0);
  ASSERT_EQ(call({"gate", "assistant", "--heldout", heldout}).code, 0);
  EXPECT_NE(call({"promote", "assistant", "new"}).error.find("has a gate"), std::string::npos);

  const Arguments promote = {"promote",
                             "assistant",
                             "new",
                             "--against",
                             report("old.json", heldout, 30, false),
                             "--training-data",
                             training,
                             "--heldout",
                             heldout,
                             "--report"};
  const auto with = [&](const std::string& made) {
    Arguments words = promote;
    words.push_back(made);
    return call(words);
  };
  const Answer worse = with(report("worse.json", heldout, 5, true));
  EXPECT_EQ(worse.code, 3) << worse.error;
  EXPECT_NE(worse.out.find("assistant: worse, still version 1, new"), std::string::npos);
  const Answer better = with(report("better.json", heldout, 70, true));
  EXPECT_EQ(better.code, 0) << better.error;
  EXPECT_NE(better.out.find("assistant: promoted, version 1 to 2, new"), std::string::npos);
  EXPECT_NE(call({"list"}).out.find("assistant -> new version 2, with a gate"), std::string::npos);

  EXPECT_NE(call({"rollback", "assistant", "--reason", "capitals"}).out.find("version 2 to 1"),
            std::string::npos);
  const Answer history = call({"history", "assistant", "--json"});
  EXPECT_NE(history.out.find(R"("outcome":"worse")"), std::string::npos);
  EXPECT_NE(history.out.find(R"("verdict":"better")"), std::string::npos);
  EXPECT_NE(history.out.find("capitals"), std::string::npos);
}

TEST_F(RegistryCommandTest, AModelThatSawTheTestIsKeptBack) {
  const std::string training = file("train.jsonl", rows(0, 20));
  const std::string heldout = file("heldout.jsonl", rows(19, 10));  // question 19 stands in both
  add_models(training);
  call({"promote", "assistant", "base"});
  call({"gate", "assistant", "--heldout", heldout});
  const std::string old_report = report("old.json", heldout, 30, false);
  const std::string new_report = report("new.json", heldout, 90, true);
  const Answer seen = call({"promote", "assistant", "new", "--report", new_report, "--against",
                            old_report, "--training-data", training, "--heldout", heldout});
  EXPECT_EQ(seen.code, 3) << seen.error;
  EXPECT_NE(seen.out.find("1 prompts of the tests stand in"), std::string::npos) << seen.out;

  // Another file than the one that the run names does not pass for the training data.
  const std::string other = file("other.jsonl", rows(500, 20));
  EXPECT_NE(call({"promote", "assistant", "new", "--report", new_report, "--against", old_report,
                  "--training-data", other, "--heldout", heldout})
                .error.find("is not what new was trained on"),
            std::string::npos);
  EXPECT_NE(call({"promote", "assistant", "new", "--report", new_report, "--against", old_report,
                  "--training-data", training, "--heldout", other})
                .error.find("is not the file that the gate names"),
            std::string::npos);
  EXPECT_NE(call({"promote", "assistant", "new", "--report", new_report, "--against", old_report})
                .error.find("--training-data"),
            std::string::npos);
}

TEST_F(RegistryCommandTest, ATrainingThatNamesTheGateIsRefusedRowsOfItsTest) {
  const std::string training = file("train.jsonl", rows(0, 20));
  const std::string heldout = file("heldout.jsonl", rows(18, 10));  // 18 and 19 stand in both
  const std::string floor = file("floor.jsonl", rows(100, 10));
  ASSERT_EQ(call({"add", "base", file("base.gguf", "weights")}).code, 0);
  call({"promote", "assistant", "base"});
  call({"gate", "assistant", "--heldout", heldout, "--second", floor});
  const auto train = [&](const std::string& data, Arguments more) {
    Arguments words = {"dpo",      "--model",   path("base.gguf"), "--data",    data,
                       "--output", path("out"), "--gate",          "assistant", "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    try {
      run_train(words);
    } catch (const Error& error) {
      return error.message();
    }
    return std::string();
  };
  const Arguments here = {"--data-dir", path("data")};
  const std::string said = train(training, here);
  EXPECT_NE(said.find("the held-out set of the gate of assistant"), std::string::npos) << said;
  EXPECT_NE(said.find("2 prompts in common (the first in line 19"), std::string::npos) << said;
  EXPECT_NE(said.find("train.jsonl"), std::string::npos) << said;
  EXPECT_FALSE(real_env().exists(path("out")));
  EXPECT_NE(train(file("b.jsonl", rows(105, 1)), here).find("the floor set"), std::string::npos);
  // Rows of their own get as far as the model, which is none.
  EXPECT_EQ(train(file("c.jsonl", rows(500, 5)), here).find("in common"), std::string::npos);
  EXPECT_NE(train(training, {"--data-dir", path("data"), "--gate", "nobody"}).find("nobody"),
            std::string::npos);
  file("heldout.jsonl", rows(900, 10));
  EXPECT_NE(train(training, here).find("no longer the file that it names"), std::string::npos);
}

TEST_F(RegistryCommandTest, ReportsOfOtherModelsAreNoEvidence) {
  const std::string training = file("train.jsonl", rows(0, 20));
  const std::string heldout = file("heldout.jsonl", rows(100, 10));
  add_models(training);
  call({"promote", "assistant", "base"});
  call({"gate", "assistant", "--heldout", heldout});
  const std::string of_base = report("base.json", heldout, 30, false);
  EXPECT_NE(call({"promote", "assistant", "new", "--report", of_base, "--against", of_base,
                  "--training-data", training, "--heldout", heldout})
                .error.find("is not about the candidate"),
            std::string::npos);
}

TEST_F(RegistryCommandTest, WrongWordsAreOneSentence) {
  const auto said = [&](const Arguments& words) { return call(words).error; };
  EXPECT_NE(said({"add", "only-a-name"}).find("NAME MODEL"), std::string::npos);
  EXPECT_NE(said({"add", "x", path("none.gguf")}).find("no such file"), std::string::npos);
  EXPECT_NE(said({"add", "x", "--adapter", folder_}).find("--base"), std::string::npos);
  EXPECT_NE(said({"gate", "a"}).find("--heldout"), std::string::npos);
  EXPECT_NE(said({"gate", "a", "--heldout", "h", "--floor", "1"}).find("--second"),
            std::string::npos);
  EXPECT_NE(said({"split", "a", "b=1"}).find("twice"), std::string::npos);
  EXPECT_NE(said({"split", "a", "b=1", "c=x"}).find("MODEL=WEIGHT"), std::string::npos);
  EXPECT_NE(said({"rollback", "a"}).find("there is no alias"), std::string::npos);
  EXPECT_NE(said({"promote", "a", "b"}).find("there is no model"), std::string::npos);
  EXPECT_NE(said({"history", "a"}).find("there is no alias"), std::string::npos);
  EXPECT_NE(said({"promotee"}).find("did you mean promote"), std::string::npos);
}

}  // namespace
}  // namespace hone::cli
