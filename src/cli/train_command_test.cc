// The options of hone train as a person gives them (interfaces.md section 2), on tiny models.
#include <gtest/gtest.h>

#include <cmath>

#include "cli/testing.h"
#include "train/run_directory.h"

namespace hone::cli {
namespace {

const std::string kTied = "tests/golden/torch/llama_tied";
const std::string kUntied = "tests/golden/torch/llama_untied";

class TrainCommand : public FolderTest {
 protected:
  void SetUp() override {
    file("pairs.jsonl",
         "{\"prompt_ids\":[1,2,3],\"chosen_ids\":[4,5,6],\"rejected_ids\":[7,8]}\n"
         "{\"prompt_ids\":[9,2],\"chosen_ids\":[5,6],\"rejected_ids\":[7,8,3,3]}\n"
         "{\"prompt_ids\":[11,12,13,14],\"chosen_ids\":[9],\"rejected_ids\":[10,9]}\n");
    file("rows.jsonl",
         "{\"input_ids\":[1,2,3,4,5]}\n{\"input_ids\":[6,7,8]}\n"
         "{\"input_ids\":[9,10,11,12,13,14,15,16]}\n{\"input_ids\":[1,2]}\n");
  }

  static Answer train(const Arguments& words) { return call(run_train, words); }
  Arguments dpo(const std::string& run, const Arguments& more) const {
    return with({"dpo", "--model", kTied, "--data", path("pairs.jsonl"), "--output", path(run)},
                "--max-steps 2 --logging-steps 1 --lora-r 2 --learning-rate 1e-3 --quiet", more);
  }
  std::vector<Json> metrics(const std::string& run) const {
    return lines_of(run + "/metrics.jsonl");
  }
  double first(const std::string& run, const char* key) const {
    return metrics(run).at(0).at(key).as_double();
  }
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
  EXPECT_EQ(call(run_replay, {path("other"), "--quiet"}).code, 0);
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
  EXPECT_EQ(call(run_replay, {path("form"), "--quiet"}).code, 0);
  const Answer form = train(dpo("x", {"--loss-type", "aot", "--f-divergence-type", "forward_kl"}));
  EXPECT_NE(form.error.find("no meaning for --loss-type aot"), std::string::npos) << form.error;
  const Answer far = train(dpo("x", {"--ld-alpha", "2"}));
  EXPECT_NE(far.error.find("--ld-alpha is 2"), std::string::npos) << far.error;
  const Answer word = train(dpo("x", {"--f-divergence-type", "chi"}));
  EXPECT_NE(word.error.find("js_divergence"), std::string::npos) << word.error;
}

TEST_F(TrainCommand, ATeacherElsewhereTeachesByWhatItSaid) {
  const std::string said = path("said.jsonl");
  EXPECT_EQ(call(run_score, {"--model", kUntied, "--data", path("rows.jsonl"), "--top-logprobs",
                             "4", "--output", said, "--quiet"})
                .code,
            0);
  const auto distill = [&](const std::string& run, const Arguments& more) {
    return train(with(
        {"distill", "--model", kTied, "--data", path("rows.jsonl"), "--output", path(run)},
        "--max-steps 2 --logging-steps 1 --lora-r 2 --learning-rate 1e-3 --lmbda 0 --quiet", more));
  };
  ASSERT_EQ(distill("recorded", {"--teacher-logprobs", said}).error, "");
  ASSERT_EQ(distill("live", {"--teacher", kUntied, "--teacher-top-k", "4"}).error, "");
  EXPECT_EQ(real_env().read_file(path("recorded") + "/steps.jsonl", 1 << 20),
            real_env().read_file(path("live") + "/steps.jsonl", 1 << 20));
  for (const char* run : {"recorded", "live"}) {
    EXPECT_EQ(call(run_replay, {path(run), "--quiet"}).code, 0) << run;
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
  const Arguments sft =
      with({"sft", "--model", kTied, "--data", path("rows.jsonl")},
           "--max-length 8 --per-device-train-batch-size 1 --num-train-epochs 1 --dry-run --quiet");
  const auto steps = [&](const Arguments& more) {
    return Json::parse(train(with(sft, "", more)).out).value();
  };
  EXPECT_EQ(steps({}).at("steps").as_int(), 4);
  const Json packed = steps({"--packing"});
  EXPECT_EQ(packed.at("rows").as_int(), 4);
  EXPECT_EQ(packed.at("sequences").as_int(), 3);  // 8; 5 and 3; 2
  EXPECT_EQ(packed.at("steps").as_int(), 3);
  EXPECT_NE(train(with(sft, "--packing --max-length 0")).error.find("--max-length"),
            std::string::npos);
}

}  // namespace
}  // namespace hone::cli
