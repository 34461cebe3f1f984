#include "train/config.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace hone::train {
namespace {

DpoConfig unusual() {
  DpoConfig config;
  config.learning_rate = 3.1e-5;
  config.lr_scheduler_type = Scheduler::kCosine;
  config.warmup_ratio = 0.1;
  config.num_train_epochs = 0.3;
  config.per_device_train_batch_size = 3;
  config.lora_r = 7;
  config.lora_target_modules = {"q_proj", "down_proj"};
  config.train_sampling_strategy = SamplingStrategy::kSequential;
  config.prefix_sharing = false;
  config.loss_type = {PreferenceLossType::kSigmoid, PreferenceLossType::kSft};
  config.loss_weights = {1, 0.25};
  config.beta = 0.07;
  return config;
}

std::string refusal(const Json& settings) {
  try {
    dpo_config_from_json(settings);
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

TEST(ConfigFromJson, GivesBackEverySettingThatTheManifestHolds) {
  const Json dpo = unusual().to_json();
  // Through text, as a manifest goes.
  const Json read = Json::parse(dpo.dump_canonical()).value();
  EXPECT_EQ(dpo_config_from_json(read).to_json().dump_canonical(), dpo.dump_canonical());
  SftConfig sft;
  sft.assistant_only_loss = true;
  sft.max_steps = 11;
  EXPECT_EQ(sft_config_from_json(sft.to_json()).to_json(), sft.to_json());
}

TEST(ConfigFromJson, NamesTheSettingThatIsMissingUnknownOrOfAnotherKind) {
  Json settings = unusual().to_json();
  settings["beta"] = "much";
  EXPECT_NE(refusal(settings).find("\"beta\""), std::string::npos) << refusal(settings);
  settings = unusual().to_json();
  settings["bata"] = 1;
  EXPECT_NE(refusal(settings).find("\"bata\" is not known"), std::string::npos);
  settings = unusual().to_json();
  settings["lr_scheduler_type"] = "polynomial";
  EXPECT_NE(refusal(settings).find("\"polynomial\" is not known"), std::string::npos);
  settings = unusual().to_json();
  settings["lora_r"] = -1;
  EXPECT_NE(refusal(settings).find("\"lora_r\""), std::string::npos);
  settings = unusual().to_json();
  settings["loss_type"] = Json(Json::Array{Json("hings")});
  EXPECT_NE(refusal(settings).find("\"hings\" is not known"), std::string::npos);
  SftConfig sft;
  EXPECT_NE(refusal(sft.to_json()).find("\"beta\" is missing"), std::string::npos);
  EXPECT_NE(refusal(Json(3)).find("expected an object"), std::string::npos);
}

}  // namespace
}  // namespace hone::train
