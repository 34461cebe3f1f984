// The commands as a person calls them, on the tiny models of tests/golden/torch.

#include <gtest/gtest.h>

#include <cmath>

#include "cli/common.h"
#include "cli/testing.h"
#include "data/dataset.h"
#include "llm/formats/model_file.h"
#include "train/dpo.h"

namespace hone::cli {
namespace {

const std::string kModels = "tests/golden/torch/";

Json json_of(const Answer& answer) { return Json::parse(answer.out).value(); }

class CommandsTest : public FolderTest {
 protected:
  std::string pairs() const {
    return file("pairs.jsonl", R"({"prompt_ids":[1,2,3],"chosen_ids":[4,5,6],"rejected_ids":[7,8]})"
                               "\n"
                               R"({"prompt_ids":[9,2],"chosen_ids":[5,6],"rejected_ids":[7,8,3,3]})"
                               "\n"
                               R"({"prompt_ids":[1,2,3],"chosen_ids":[9,9],"rejected_ids":[9,9]})"
                               "\n");
  }

  // Four steps of LoRA DPO, with a checkpoint after the second.
  std::string trained_run(const std::string& data_path) const {
    tensor::Compute compute(1);
    LoadedModel loaded = load(compute, {kModels + "llama_tied", ""});
    const data::Dataset dataset = data::load_dataset(real_env(), data_path);
    train::DpoConfig config;
    config.lora_r = 4;
    config.learning_rate = 1e-3;
    config.per_device_train_batch_size = 2;
    config.max_steps = 4;
    config.save_steps = 2;
    const auto pairs = llm::tokenize_preferences(dataset.rows, nullptr, {}, loaded.model.config);
    train::TrainJob job{compute, real_env(), loaded.model, path("run")};
    job.manifest.digests["model"] = model_digest(kModels + "llama_tied");
    job.manifest.digests["data"] = dataset.digest;
    job.sources = {{"model", kModels + "llama_tied"}, {"data", data_path}};
    train::train_dpo(job, config, pairs, {}, {nullptr, nullptr, "same"});
    return job.output;
  }
};

TEST_F(CommandsTest, SelfcheckAgreesInEveryWayForEveryFamily) {
  for (const char* model : {"llama_tied", "llama3", "mistral", "qwen2", "qwen3"}) {
    const Answer one =
        call(run_selfcheck, {"--model", kModels + model, "--threads", "1", "--json"});
    const Answer two =
        call(run_selfcheck, {"--model", kModels + model, "--threads", "2", "--json"});
    ASSERT_EQ(one.code, 0) << model << one.error << one.out;
    ASSERT_EQ(two.code, 0) << model << two.error << two.out;
    EXPECT_EQ(json_of(one).at("hash"), json_of(two).at("hash"));
    EXPECT_TRUE(json_of(one).at("expected").is_null());
    EXPECT_GT(json_of(one).at("ways").size(), 15u);
  }
}

TEST_F(CommandsTest, SelfcheckOfAnotherModelHasAnotherHash) {
  const Answer a = call(run_selfcheck, {"--model", kModels + "llama3", "--json", "--quiet"});
  const Answer b = call(run_selfcheck, {"--model", kModels + "mistral", "--json", "--quiet"});
  EXPECT_NE(json_of(a).at("hash"), json_of(b).at("hash"));
}

TEST_F(CommandsTest, SelfcheckRefusesAModelThatIsNotThere) {
  EXPECT_NE(call(run_selfcheck, {"--model", path("none")}).error.find("no such file"),
            std::string::npos);
  EXPECT_NE(call(run_selfcheck, {}).error.find("needs --model"), std::string::npos);
}

TEST_F(CommandsTest, DataCheckCountsWhatTrainingWouldSee) {
  const Answer answer = call(run_data, {"check", pairs(), "--model", kModels + "llama_tied",
                                        "--eval-data", pairs(), "--json"});
  ASSERT_EQ(answer.code, 0) << answer.error;
  const Json report = json_of(answer);
  EXPECT_EQ(report.at("method").as_string(), "dpo");
  EXPECT_EQ(report.at("rows").as_int(), 3);
  EXPECT_EQ(report.at("distinct_prompts").as_int(), 2);
  EXPECT_EQ(report.at("equal_pairs").at("count").as_int(), 1);
  EXPECT_EQ(report.at("shared_rows").at("count").as_int(), 3);
  EXPECT_EQ(report.at("trained_tokens").as_int(), 5 + 6 + 4);
  EXPECT_EQ(report.at("tokens").as_int(), 8 + 8 + 7);
  EXPECT_EQ(report.at("lengths").at("longest").as_int(), 6);
  EXPECT_EQ(report.at("rows_cut").as_int(), 0);
  const Json cut = json_of(call(run_data, {"check", pairs(), "--model", kModels + "llama_tied",
                                           "--max-length", "5", "--json"}));
  EXPECT_EQ(cut.at("rows_cut").as_int(), 2);
  EXPECT_EQ(cut.at("tokens_cut").as_int(), 2);
}

TEST_F(CommandsTest, DataCheckSaysNoWhenTrainingWouldRefuseARow) {
  const std::string rows = file("rows.jsonl", "{\"input_ids\":[1,2]}\n{\"input_ids\":[1,999]}\n");
  const Answer answer = call(run_data, {"check", rows, "--model", kModels + "llama_tied"});
  EXPECT_EQ(answer.code, 3) << answer.error;
  EXPECT_NE(answer.out.find("rows.jsonl:2: token id 999"), std::string::npos) << answer.out;
  const std::string masked = file("masked.jsonl", "{\"input_ids\":[1,2],\"labels\":[-100,-100]}\n");
  EXPECT_NE(call(run_data, {"check", masked}).error.find("masked.jsonl:1:"), std::string::npos);
  const std::string broken = file("broken.jsonl", "{\"text\": \n");
  EXPECT_NE(call(run_data, {"check", broken}).error.find("broken.jsonl:1:"), std::string::npos);
  EXPECT_NE(call(run_data, {"chek", rows}).error.find("did you mean check"), std::string::npos);
}

TEST_F(CommandsTest, ModelGoesToGgufAndBackWithoutOneOtherBit) {
  for (const char* model : {"llama_tied", "qwen2", "llama3"}) {
    const std::string name = model;
    ASSERT_EQ(call(run_model, {"export", kModels + name, "--output", path(name + ".gguf")}).code,
              0);
    ASSERT_EQ(call(run_model, {"export", path(name + ".gguf"), "--output", path(name)}).code, 0);
    const auto before = llm::ModelFile::open(kModels + name);
    const auto after = llm::ModelFile::open(path(name));
    for (const llm::TensorShape& shape : llm::tensor_shapes(before->config())) {
      std::vector<float> a(std::max(shape.rows, shape.cols)), b(a.size());
      for (size_t row = 0; row < (shape.cols == 1 ? 1 : shape.rows); ++row) {
        llm::read_row(before->at(shape.name), row, a.data());
        llm::read_row(after->at(shape.name), row, b.data());
        ASSERT_EQ(a, b) << name << " " << shape.name << " row " << row;
      }
    }
  }
}

TEST_F(CommandsTest, ModelNeverReplacesWhatItWasNotToldTo) {
  const std::string target = file("m.gguf", "mine");
  const Arguments words = {"quantize", kModels + "llama_tied", "--type", "Q8_0", "--output",
                           target};
  EXPECT_NE(call(run_model, words).error.find("--overwrite"), std::string::npos);
  EXPECT_EQ(real_env().read_file(target, kMaxTestBytes), "mine");
  Arguments overwrite = words;
  overwrite.push_back("--overwrite");
  EXPECT_EQ(call(run_model, overwrite).code, 0);
  // A folder that is no model is never removed.
  file("photo.jpg", "mine");
  EXPECT_NE(call(run_model, {"export", kModels + "llama_tied", "--output", folder_, "--overwrite"})
                .error.find("not a model"),
            std::string::npos);
  EXPECT_TRUE(real_env().exists(path("photo.jpg")));
  EXPECT_NE(call(run_model,
                 {"quantize", kModels + "llama_tied", "--type", "Q9", "--output", path("x.gguf")})
                .error.find("choose one of"),
            std::string::npos);
  EXPECT_NE(call(run_model, {"info", kModels + "adapter_rslora"}).error.find("is an adapter"),
            std::string::npos);
}

TEST_F(CommandsTest, MergedModelScoresAsBaseAndAdapterDo) {
  const std::string base = kModels + "llama_tied", adapter = kModels + "adapter_dpo_after_start";
  ASSERT_EQ(call(run_model, {"merge", base, "--adapter", adapter, "--output", path("merged")}).code,
            0);
  const std::string rows = file("rows.jsonl", "{\"input_ids\":[1,5,9,2,77,31,4,4,100]}\n");
  const auto score = [&](const Arguments& model) {
    Arguments words = {"--data", rows, "--quiet"};
    words.insert(words.end(), model.begin(), model.end());
    const Answer answer = call(run_score, words);
    EXPECT_EQ(answer.code, 0) << answer.error;
    return json_of(answer).at("sum").as_double();
  };
  const double apart = score({"--model", base, "--adapter", adapter});
  EXPECT_NEAR(score({"--model", path("merged")}), apart, 1e-4);
  EXPECT_GT(std::abs(score({"--model", base}) - apart), 1e-3);
}

TEST_F(CommandsTest, ReplayFindsTheSameBitsFromTheStartAndFromACheckpoint) {
  const std::string run = trained_run(pairs());
  const Answer whole = call(run_replay, {run, "--json"});
  ASSERT_EQ(whole.code, 0) << whole.error << whole.out;
  EXPECT_EQ(json_of(whole).at("first_step").as_int(), 1);
  EXPECT_EQ(json_of(whole).at("steps").as_int(), 4);
  const Answer later = call(run_replay, {run, "--steps", "3:3", "--threads", "2", "--json"});
  ASSERT_EQ(later.code, 0) << later.error << later.out;
  EXPECT_EQ(json_of(later).at("first_step").as_int(), 3);
  EXPECT_EQ(json_of(later).at("steps").as_int(), 1);
}

TEST_F(CommandsTest, ReplayNamesTheFirstStepThatIsNotTheSame) {
  const std::string run = trained_run(pairs());
  std::string steps = real_env().read_file(run + "/steps.jsonl", kMaxTestBytes);
  const size_t third = steps.find("\"step\":3");
  const size_t hash = steps.find("\"hash\":\"", third) + 8;
  steps[hash] = steps[hash] == '0' ? '1' : '0';
  write_file_atomically(real_env(), run + "/steps.jsonl", steps);
  const Answer answer = call(run_replay, {run, "--json"});
  EXPECT_EQ(answer.code, 3) << answer.error;
  EXPECT_EQ(json_of(answer).at("first_difference").at("step").as_int(), 3);
  EXPECT_EQ(json_of(answer).at("first_difference").at("field").as_string(), "hash");
}

TEST_F(CommandsTest, ReplayRefusesOtherFilesAndStepsThatAreNotThere) {
  const std::string run = trained_run(pairs());
  const std::string other =
      file("other.jsonl", R"({"prompt_ids":[1],"chosen_ids":[4],"rejected_ids":[7]})"
                          "\n");
  EXPECT_NE(call(run_replay, {run, "--data", other}).error.find("not what the run used as data"),
            std::string::npos);
  EXPECT_NE(call(run_replay, {run, "--model", kModels + "llama3"}).error.find("used as model"),
            std::string::npos);
  EXPECT_NE(call(run_replay, {run, "--steps", "3:9"}).error.find("steps 1 to 4"),
            std::string::npos);
  EXPECT_NE(call(run_replay, {run, "--steps", "x"}).error.find("not a range"), std::string::npos);
  EXPECT_NE(call(run_replay, {folder_}).error.find("not a run"), std::string::npos);
  real_env().remove_all(run + "/sources.json");
  EXPECT_NE(call(run_replay, {run}).error.find("--model"), std::string::npos);
}

TEST_F(CommandsTest, RunsAreListedShownAndCompared) {
  const std::string run = trained_run(pairs());
  const Json listed = json_of(call(run_runs, {"list", folder_, "--json"}));
  EXPECT_EQ(listed.at("steps").as_int(), 4);
  EXPECT_EQ(listed.at("run").as_string(), run);
  EXPECT_NE(call(run_runs, {"show", run}).out.find("learning_rate"), std::string::npos);
  const Json same = json_of(call(run_runs, {"diff", run, run, "--json"}));
  EXPECT_EQ(same.at("manifest").size(), 0u);
  EXPECT_TRUE(same.at("first_other_step").is_null());
  EXPECT_NE(call(run_runs, {"show", folder_}).error.find("not a run"), std::string::npos);
  EXPECT_NE(call(run_runs, {"lst"}).error.find("list [DIR]"), std::string::npos);
}

TEST_F(CommandsTest, ChatAndBenchRefuseWhatTheyCannotDo) {
  EXPECT_NE(call(run_chat, {"--model", kModels + "llama_tied", "--compare"})
                .error.find("nothing to compare"),
            std::string::npos);
  EXPECT_NE(call(run_chat, {"--model", kModels + "llama_tied"}).error.find("no tokenizer"),
            std::string::npos);
  EXPECT_NE(call(run_bench, {"everything"}).error.find("prefill, decode"), std::string::npos);
  EXPECT_NE(call(run_bench, {"decode", "--model", kModels + "llama_tied"}).error.find("context"),
            std::string::npos);
}

}  // namespace
}  // namespace hone::cli
