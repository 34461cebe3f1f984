#include "base/error.h"
#include "train/config.h"
#include "train/settings_reader.h"

namespace hone::train {

void read_common(Settings& settings, TrainConfig& c) {
  settings.read("learning_rate", &c.learning_rate);
  settings.read("lr_scheduler_type", &c.lr_scheduler_type,
                {Scheduler::kLinear, Scheduler::kCosine, Scheduler::kConstant});
  settings.read("warmup_ratio", &c.warmup_ratio);
  settings.read("warmup_steps", &c.warmup_steps);
  settings.read("num_train_epochs", &c.num_train_epochs);
  settings.read("max_steps", &c.max_steps);
  settings.read("per_device_train_batch_size", &c.per_device_train_batch_size);
  settings.read("gradient_accumulation_steps", &c.gradient_accumulation_steps);
  settings.read("max_length", &c.max_length);
  settings.read("max_prompt_length", &c.max_prompt_length);
  settings.read("weight_decay", &c.weight_decay);
  settings.read("adam_beta1", &c.adam_beta1);
  settings.read("adam_beta2", &c.adam_beta2);
  settings.read("adam_epsilon", &c.adam_epsilon);
  settings.read("max_grad_norm", &c.max_grad_norm);
  settings.read("lora_r", &c.lora_r);
  settings.read("lora_alpha", &c.lora_alpha);
  settings.read("lora_dropout", &c.lora_dropout);
  settings.read("lora_target_modules", &c.lora_target_modules);
  settings.read_if_there("use_rslora", &c.use_rslora);
  settings.read_if_there("use_dora", &c.use_dora);
  settings.read("train_sampling_strategy", &c.train_sampling_strategy,
                {SamplingStrategy::kRandom, SamplingStrategy::kSequential});
  settings.read("prefix_sharing", &c.prefix_sharing);
}

void read_sft(Settings& settings, SftConfig& config) {
  read_common(settings, config);
  settings.read("completion_only_loss", &config.completion_only_loss);
  settings.read("assistant_only_loss", &config.assistant_only_loss);
  settings.read("packing", &config.packing);
}

SftConfig sft_config_from_json(const Json& json) {
  Settings settings(json);
  SftConfig config;
  read_sft(settings, config);
  settings.refuse_unknown();
  validate(config);
  return config;
}

DpoConfig dpo_config_from_json(const Json& json) {
  Settings settings(json);
  DpoConfig config;
  std::vector<std::string> losses;
  read_common(settings, config);
  settings.read("beta", &config.beta);
  settings.read("loss_type", &losses);
  settings.read("loss_weights", &config.loss_weights);
  settings.read("label_smoothing", &config.label_smoothing);
  settings.read("reference_free", &config.reference_free);
  settings.read(
      "f_divergence_type", &config.f_divergence_type,
      {FDivergence::kReverseKl, FDivergence::kForwardKl, FDivergence::kJs, FDivergence::kAlpha});
  settings.read("f_alpha_divergence_coef", &config.f_alpha_divergence_coef);
  settings.read("ld_alpha", &config.ld_alpha);
  settings.read_if_there("ipo_log_probs", &config.ipo_log_probs,
                         {IpoLogProbs::kMean, IpoLogProbs::kSum});
  settings.read_if_there("sft_mean", &config.sft_mean, {SftMean::kTokens, SftMean::kPairs});
  settings.read_if_there("ld_alpha_of_reference", &config.ld_alpha_of_reference);
  settings.refuse_unknown();
  config.loss_type.clear();
  for (const std::string& loss : losses) {
    const auto type = preference_loss_from_name(loss);
    if (!type) throw invalid_input("settings: \"loss_type\": \"" + loss + "\" is not known");
    config.loss_type.push_back(*type);
  }
  validate(config);
  return config;
}

RewardConfig reward_config_from_json(const Json& json) {
  Settings settings(json);
  RewardConfig config;
  read_common(settings, config);
  settings.read("center_rewards_coefficient", &config.center_rewards_coefficient);
  settings.read("process", &config.process);
  settings.read("step_separator", &config.step_separator);
  settings.read("train_on_last_step_only", &config.train_on_last_step_only);
  settings.refuse_unknown();
  validate(config);
  return config;
}

}  // namespace hone::train
