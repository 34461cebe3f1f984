// The options of hone train as a person gives them (interfaces.md section 2), on tiny models.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "train/run_directory.h"

namespace hone::cli {
namespace {

const std::string kTied = "tests/golden/torch/llama_tied";
const std::string kUntied = "tests/golden/torch/llama_untied";

class TrainCommand : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() /
               (std::string("hone_train_") +
                testing::UnitTest::GetInstance()->current_test_info()->name()))
                  .string();
    real_env().remove_all(folder_);
    real_env().create_directories(folder_);
    write_file_atomically(
        real_env(), path("pairs.jsonl"),
        "{\"prompt_ids\":[1,2,3],\"chosen_ids\":[4,5,6],\"rejected_ids\":[7,8]}\n"
        "{\"prompt_ids\":[9,2],\"chosen_ids\":[5,6],\"rejected_ids\":[7,8,3,3]}\n"
        "{\"prompt_ids\":[11,12,13,14],\"chosen_ids\":[9],\"rejected_ids\":[10,9]}\n");
    write_file_atomically(real_env(), path("rows.jsonl"),
                          "{\"input_ids\":[1,2,3,4,5]}\n{\"input_ids\":[6,7,8]}\n"
                          "{\"input_ids\":[9,10,11,12,13,14,15,16]}\n{\"input_ids\":[1,2]}\n");
  }
  void TearDown() override { real_env().remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  struct Answer {
    int code = -1;
    std::string out, error;
  };
  Answer train(Arguments words) const {
    Answer answer;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    try {
      answer.code = run_train(words);
    } catch (const Error& error) {
      answer.error = error.message();
    }
    testing::internal::GetCapturedStderr();
    answer.out = testing::internal::GetCapturedStdout();
    return answer;
  }
  Arguments dpo(const std::string& run, const Arguments& more) const {
    Arguments words = {"dpo",
                       "--model",
                       kTied,
                       "--data",
                       path("pairs.jsonl"),
                       "--output",
                       path(run),
                       "--max-steps",
                       "2",
                       "--logging-steps",
                       "1",
                       "--lora-r",
                       "2",
                       "--learning-rate",
                       "1e-3",
                       "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::vector<Json> metrics(const std::string& run) const {
    std::vector<Json> lines;
    const std::string text = real_env().read_file(path(run) + "/metrics.jsonl", 1 << 24);
    for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      lines.push_back(Json::parse(std::string_view(text).substr(begin, end - begin)).value());
    }
    return lines;
  }
  double first(const std::string& run, const char* key) const {
    return metrics(run).at(0).at(key).as_double();
  }

  std::string folder_;
};

TEST_F(TrainCommand, ReferencesAreTheModelAnotherOneOrNothing) {
  ASSERT_EQ(train(dpo("own", {"--precompute-ref-log-probs"})).code, 0);
  ASSERT_EQ(train(dpo("same", {"--ref-model", kTied})).code, 0);
  ASSERT_EQ(train(dpo("other", {"--ref-model", kUntied})).code, 0);
  ASSERT_EQ(train(dpo("free", {"--reference-free"})).code, 0);
  EXPECT_EQ(first("own", "loss"), std::log(2.0));  // B is 0: policy and reference are one
  EXPECT_EQ(first("same", "loss"), first("own", "loss"));
  EXPECT_NE(first("other", "loss"), first("own", "loss"));
  EXPECT_NEAR(first("free", "rewards/chosen"), 0.1 * first("free", "logps/chosen"), 1e-12);
  EXPECT_FALSE(real_env().exists(path("free") + "/reference.json") &&
               first("free", "loss") == first("own", "loss"));
  const auto manifest = train::RunDirectory::read_manifest(real_env(), path("other"));
  EXPECT_TRUE(manifest.digests.contains("ref_model"));
  // A replay finds the reference again.
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_replay({path("other"), "--quiet"}), 0);
  testing::internal::GetCapturedStdout();
}

TEST_F(TrainCommand, LossesHaveTheirWeights) {
  ASSERT_EQ(train(dpo("mix", {"--loss-type", "sigmoid,sft", "--loss-weights", "2,0.5"})).code, 0);
  const Json line = metrics("mix").at(0);
  ASSERT_EQ(train(dpo("sft", {"--loss-type", "sft"})).code, 0);
  EXPECT_NEAR(line.at("loss").as_double(), 2 * std::log(2.0) + 0.5 * first("sft", "loss"), 1e-12);
  const Answer short_list = train(dpo("x", {"--loss-type", "sigmoid,sft", "--loss-weights", "2"}));
  EXPECT_NE(short_list.error.find("give one each"), std::string::npos) << short_list.error;
}

TEST_F(TrainCommand, FormsOfDpoReplayAndWrongOnesAreNamed) {
  ASSERT_EQ(train(dpo("form", {"--loss-type", "aot,sigmoid", "--ld-alpha", "0.5"})).code, 0);
  const Json settings = train::RunDirectory::read_manifest(real_env(), path("form")).settings;
  EXPECT_EQ(settings.at("ld_alpha").as_double(), 0.5);
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_replay({path("form"), "--quiet"}), 0);
  testing::internal::GetCapturedStdout();
  const Answer form = train(dpo("x", {"--loss-type", "aot", "--f-divergence-type", "forward_kl"}));
  EXPECT_NE(form.error.find("no meaning for --loss-type aot"), std::string::npos) << form.error;
  const Answer far = train(dpo("x", {"--ld-alpha", "2"}));
  EXPECT_NE(far.error.find("--ld-alpha is 2"), std::string::npos) << far.error;
  const Answer word = train(dpo("x", {"--f-divergence-type", "chi"}));
  EXPECT_NE(word.error.find("js_divergence"), std::string::npos) << word.error;
}

TEST_F(TrainCommand, ATeacherElsewhereTeachesByWhatItSaid) {
  const std::string said = path("said.jsonl");
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_score({"--model", kUntied, "--data", path("rows.jsonl"), "--top-logprobs", "4",
                       "--output", said, "--quiet"}),
            0);
  testing::internal::GetCapturedStdout();
  const auto distill = [&](const std::string& run, const Arguments& more) {
    Arguments words = {"distill",
                       "--model",
                       kTied,
                       "--data",
                       path("rows.jsonl"),
                       "--output",
                       path(run),
                       "--max-steps",
                       "2",
                       "--logging-steps",
                       "1",
                       "--lora-r",
                       "2",
                       "--learning-rate",
                       "1e-3",
                       "--lmbda",
                       "0",
                       "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return train(words);
  };
  ASSERT_EQ(distill("recorded", {"--teacher-logprobs", said}).error, "");
  ASSERT_EQ(distill("live", {"--teacher", kUntied, "--teacher-top-k", "4"}).error, "");
  EXPECT_EQ(real_env().read_file(path("recorded") + "/steps.jsonl", 1 << 20),
            real_env().read_file(path("live") + "/steps.jsonl", 1 << 20));
  for (const char* run : {"recorded", "live"}) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(run_replay({path(run), "--quiet"}), 0) << run;
    testing::internal::GetCapturedStdout();
  }
  EXPECT_NE(distill("x", {"--teacher-logprobs", said, "--teacher", kUntied}).error.find("take one"),
            std::string::npos);
  EXPECT_NE(distill("x", {}).error.find("--teacher is missing"), std::string::npos);
  EXPECT_NE(distill("x", {"--teacher-logprobs", path("rows.jsonl")}).error.find("rows.jsonl:1"),
            std::string::npos);
  EXPECT_NE(distill("x", {"--teacher-logprobs", said, "--max-length", "3"}).error.find("token_ids"),
            std::string::npos);
}

TEST_F(TrainCommand, WithoutSharedPromptsOnlyRoundingDiffers) {
  ASSERT_EQ(train(dpo("shared", {})).code, 0);
  ASSERT_EQ(train(dpo("apart", {"--no-prefix-sharing"})).code, 0);
  EXPECT_EQ(first("shared", "loss"), first("apart", "loss"));
  const double norm = first("shared", "grad_norm");
  EXPECT_NEAR(first("apart", "grad_norm"), norm, 1e-5 * norm);
  const auto manifest = train::RunDirectory::read_manifest(real_env(), path("apart"));
  EXPECT_FALSE(manifest.settings.at("prefix_sharing").as_bool());
}

TEST_F(TrainCommand, GradientNormsOfEachTensorAreLoggedWhenAskedFor) {
  ASSERT_EQ(train(dpo("norms", {"--log-gradient-norms"})).code, 0);
  EXPECT_GT(first("norms", "grad_norm/model.layers.0.mlp.down_proj.lora_B.weight"), 0);
  ASSERT_EQ(train(dpo("plain", {})).code, 0);
  const auto lines = metrics("plain");
  for (const auto& [key, value] : lines.at(0).as_object()) {
    EXPECT_FALSE(key.starts_with("grad_norm/")) << key;
  }
}

TEST_F(TrainCommand, EventFilesComeWhenAskedFor) {
  ASSERT_EQ(train(dpo("events", {"--report-to", "tensorboard"})).code, 0);
  EXPECT_GT(real_env().file_size(path("events") + "/events.out.tfevents.hone"), 300u);
  ASSERT_EQ(train(dpo("none", {})).code, 0);
  EXPECT_FALSE(real_env().exists(path("none") + "/events.out.tfevents.hone"));
  EXPECT_NE(train(dpo("x", {"--report-to", "wandb"})).error.find("tensorboard"), std::string::npos);
}

TEST_F(TrainCommand, DropoutNeedsAnAdapterAndAShare) {
  ASSERT_EQ(train(dpo("dropped", {"--lora-dropout", "0.2"})).code, 0);
  ASSERT_EQ(train(dpo("plain", {})).code, 0);
  EXPECT_EQ(first("dropped", "loss"), first("plain", "loss"));  // B is 0 still
  EXPECT_NE(first("dropped", "grad_norm"), first("plain", "grad_norm"));
  EXPECT_NE(train(dpo("x", {"--lora-dropout", "1"})).error.find("[0, 1)"), std::string::npos);
  EXPECT_NE(train(dpo("x", {"--lora-r", "0", "--lora-dropout", "0.1"})).error.find("--lora-r"),
            std::string::npos);
}

TEST_F(TrainCommand, PackingCountsSequences) {
  const Arguments sft = {"sft",
                         "--model",
                         kTied,
                         "--data",
                         path("rows.jsonl"),
                         "--max-length",
                         "8",
                         "--per-device-train-batch-size",
                         "1",
                         "--num-train-epochs",
                         "1",
                         "--dry-run",
                         "--quiet"};
  const auto steps = [&](const Arguments& more) {
    Arguments words = sft;
    words.insert(words.end(), more.begin(), more.end());
    return Json::parse(train(words).out).value();
  };
  EXPECT_EQ(steps({}).at("steps").as_int(), 4);
  const Json packed = steps({"--packing"});
  EXPECT_EQ(packed.at("rows").as_int(), 4);
  EXPECT_EQ(packed.at("sequences").as_int(), 3);  // 8; 5 and 3; 2
  EXPECT_EQ(packed.at("steps").as_int(), 3);
  Arguments endless = sft;
  endless.insert(endless.end(), {"--packing", "--max-length", "0"});
  EXPECT_NE(train(endless).error.find("--max-length"), std::string::npos);
}

}  // namespace
}  // namespace hone::cli
