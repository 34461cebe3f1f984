#include "cli/openrlhf_rules.h"

#include <cmath>

#include "base/error.h"

namespace hone::cli {

namespace {

// OpenRLHF has no "no limit": longer than any row that it could train on.
constexpr int64_t kNoLimit = 32768;

// --- values ------------------------------------------------------------------------------------

Json scheduler(const ExportSource& source, const Json& ours) {
  const bool warms = source.number("warmup_steps") > 0 || source.number("warmup_ratio") > 0;
  return ours.as_string() == "constant" && warms ? Json("constant_with_warmup") : ours;
}
Json betas(const ExportSource& source, const Json& ours) {
  return Json::Array{ours, source.setting("adam_beta2")};
}
Json lora_alpha(const ExportSource& source, const Json& ours) {
  if (source.integer("lora_r") == 0) return Json();
  const double alpha = ours.as_double() == 0 ? 2 * source.number("lora_r") : ours.as_double();
  if (alpha != std::floor(alpha)) {
    throw invalid_input("lora_alpha is " + ours.dump() +
                        ": OpenRLHF takes whole numbers only; train with one");
  }
  return static_cast<int64_t>(alpha);
}
Json with_lora(const ExportSource& source, const Json& ours) {
  return source.integer("lora_r") == 0 || ours.size() == 0 ? Json() : ours;
}
Json lora_dropout(const ExportSource& source, const Json& ours) {
  return source.integer("lora_r") == 0 ? Json() : ours;
}
Json null_when_zero(const ExportSource&, const Json& ours) {
  return ours.as_double() == 0 ? Json() : ours;
}
Json limit(const ExportSource&, const Json& ours) {
  return ours.as_int() == 0 ? Json(kNoLimit) : ours;
}
Json limit_with_answer(const ExportSource& source, const Json& ours) {
  return ours.as_int() == 0 ? Json(kNoLimit)
                            : Json(ours.as_int() + source.integer("max_completion_length"));
}
Json saves(const ExportSource&, const Json& ours) { return ours.as_int() == 0 ? Json(-1) : ours; }
Json saved(const ExportSource&, const Json& ours) {
  return ours.as_int() == 0 ? Json(1000000) : ours;
}
Json tensorboard(const ExportSource&, const Json& ours) {
  return ours.as_string() == "tensorboard" ? Json("output/tensorboard") : Json();
}
Json clip_range(const ExportSource& source, const Json& ours) {
  const Json& high = source.setting("epsilon_high");
  return Json::Array{ours, high.is_null() ? ours : high};
}
Json same_twice(const ExportSource&, const Json& ours) { return Json::Array{ours, ours}; }
Json estimator(const ExportSource& source, const Json& ours) {
  if (ours.as_string() != "group") return ours;
  return source.setting("scale_rewards").as_string() == "none" ? "dr_grpo" : "group_norm";
}
Json loss_level(const ExportSource&, const Json& ours) {
  return ours.as_string() == "sequence" ? "gspo" : "ppo";
}
Json when_true(const ExportSource&, const Json& ours) { return ours.as_bool() ? ours : Json(); }

// --- rules -------------------------------------------------------------------------------------

constexpr Rule kCommon[] = {
    {"warmup_ratio", nullptr, nullptr, "*"},  // with the number of steps
    {"warmup_steps", nullptr, nullptr, "*"},
    {"num_train_epochs", nullptr, nullptr, "*"},
    {"max_steps", nullptr, nullptr, "*"},
    {"per_device_train_batch_size", nullptr, nullptr, "*"},  // with the number of GPUs
    {"gradient_accumulation_steps", nullptr, nullptr, "*"},
    {"max_length", "data.max_len", limit},
    {"max_prompt_length", nullptr, nullptr, "0", "OpenRLHF cuts whole rows only, at data.max_len"},
    {"adam_beta2", nullptr, nullptr, "*"},
    {"lora_r", "ds.lora.rank", null_when_zero},
    {"lora_alpha", "ds.lora.alpha", lora_alpha},
    {"lora_dropout", "ds.lora.dropout", lora_dropout, "0", "other entries are left out"},
    {"lora_target_modules", "ds.lora.target_modules", with_lora},
    {"train_sampling_strategy", nullptr, nullptr, "\"random\"",
     "OpenRLHF shuffles the rows of every epoch"},
    {"prefix_sharing", nullptr, nullptr, "*"},
    {"logging_steps", "logger.logging_steps"},
    {"eval_steps", nullptr, nullptr, "*"},  // with the held-out rows
    {"save_steps", "ckpt.save_steps", saves},
    {"save_total_limit", "ckpt.max_num", saved},
    {"report_to", "logger.tensorboard_dir", tensorboard},
    {"recompute", nullptr, nullptr, "*"},
    {"max_tokens_per_pass", nullptr, nullptr, "*"},
    {"use_rslora", nullptr, nullptr, "false", nullptr, "OpenRLHF has no rank-stabilised LoRA"},
    {"use_dora", nullptr, nullptr, "false", nullptr, "OpenRLHF has no DoRA"},
    {"log_gradient_norms", nullptr, nullptr, "false", "OpenRLHF logs the norm of all tensors only"},
};
constexpr char kDecay[] =
    "OpenRLHF leaves biases and norms out of the decay, hone decays every trained tensor";
constexpr Rule kOptimizer[] = {
    {"learning_rate", "adam.lr"},
    {"lr_scheduler_type", "lr_scheduler", scheduler},
    {"weight_decay", "adam.weight_decay", nullptr, "0", kDecay},
    {"adam_beta1", "adam.betas", betas},
    {"adam_epsilon", "adam.eps"},
    {"max_grad_norm", "max_norm"},
};
constexpr Rule kActor[] = {
    {"learning_rate", "actor.adam.lr"},
    {"lr_scheduler_type", "actor.lr_scheduler", scheduler},
    {"weight_decay", "actor.adam.weight_decay", nullptr, "0", kDecay},
    {"adam_beta1", "actor.adam.betas", betas},
    {"adam_epsilon", "actor.adam.eps"},
    {"max_grad_norm", "actor.max_norm"},
    {"max_length", "data.max_len", limit_with_answer, "0",
     "OpenRLHF counts prompt and answer together"},
    {"num_generations", "rollout.n_samples_per_prompt"},
    {"num_generations_eval", "eval.n_samples_per_prompt", null_when_zero},
    {"max_completion_length", "rollout.max_new_tokens"},
    {"temperature", "rollout.temperature"},
    {"top_p", "rollout.top_p"},
    {"top_k", nullptr, nullptr, "0", nullptr, "OpenRLHF has no top-k; train with 0"},
    {"min_p", nullptr, nullptr, "0", nullptr, "OpenRLHF has no min-p; train with 0"},
    {"beta", "algo.kl.init_coef"},
    {"num_iterations", "train.max_epochs"},
    {"steps_per_generation", nullptr, nullptr, "*"},  // in rollout.batch_size
    {"epsilon", "actor.eps_clip_low_high", clip_range},
    {"epsilon_high", nullptr, nullptr, "*"},
    {"rewards", nullptr, nullptr, "*"},
    {"reward_weights", nullptr, nullptr, "*"},
    {"rollout_batch_size", nullptr, nullptr, "*"},
    {"log_completions", nullptr, nullptr, "*"},
    {"recorded_rollouts", nullptr, nullptr, "false", nullptr,
     "OpenRLHF draws its own answers; train on recorded ones here"},
};

constexpr Rule kSft[] = {
    {"completion_only_loss", nullptr, nullptr, "true", nullptr,
     "OpenRLHF trains on completions only; train with true"},
    // Of message rows: note_messages.
    {"assistant_only_loss", nullptr, nullptr, "*"},
    {"packing", "ds.packing_samples", when_true, "false",
     "OpenRLHF packs the rows of a micro-batch, and a batch still counts rows"},
};
constexpr Rule kDpo[] = {
    {"beta", "model.beta"},
    {"loss_type", nullptr, nullptr, "*"},  // set_dpo_losses
    {"loss_weights", nullptr, nullptr, "*"},
    {"label_smoothing", "model.label_smoothing"},
    {"ipo_log_probs", nullptr, nullptr, "*"},  // set_dpo_losses
    {"sft_mean", nullptr, nullptr, "*"},       // pairs, as with --compat openrlhf
    {"f_divergence_type", nullptr, nullptr, "\"reverse_kl\"", nullptr,
     "OpenRLHF's DPO has the reverse KL only"},
    {"f_alpha_divergence_coef", nullptr, nullptr, "*"},
    {"ld_alpha", nullptr, nullptr, "null", nullptr, "OpenRLHF's DPO does not weigh long answers"},
    {"reference_free", nullptr, nullptr, "false", nullptr,
     "OpenRLHF has no DPO without a reference"},
};
constexpr Rule kReward[] = {
    {"center_rewards_coefficient", nullptr, nullptr, "0",
     "OpenRLHF does not centre rewards: scores may drift by a constant"},
    {"process", nullptr, nullptr, "false", nullptr,
     "OpenRLHF 0.11 has no trainer of process reward models; train it here"},
    {"step_separator", nullptr, nullptr, "*"},
    {"train_on_last_step_only", nullptr, nullptr, "*"},
};
constexpr char kNoTwin[] = "OpenRLHF has no such loss";
constexpr char kItsOwn[] = "OpenRLHF has a formula of its own (hone's with --compat openrlhf)";
constexpr Rule kGrpo[] = {
    {"loss_type", nullptr, nullptr, "\"dapo\"",
     "OpenRLHF averages over all tokens of the batch (dapo), whatever the loss is called here"},
    {"importance_sampling_level", "actor.policy_loss_type", loss_level},
    {"advantage_estimator", "algo.advantage.estimator", estimator, nullptr,
     "its group_norm divides by the deviation + 1e-9, as hone's with --compat openrlhf; else "
     "hone's (as TRL's) by + 1e-4"},
    {"advantage_epsilon", nullptr, nullptr, "*"},
    {"advantage_whitening", nullptr, nullptr, "\"tokens_population\"", kItsOwn},
    {"kl_clamp", nullptr, nullptr, "\"all\"", kItsOwn},
    {"clamp_log_ratio", nullptr, nullptr, "*"},
    {"dual_clip", "actor.dual_clip"},
    {"scale_rewards", nullptr, nullptr, "*"},
    {"multi_objective_aggregation", nullptr, nullptr, "\"sum_then_normalize\"", nullptr,
     "OpenRLHF normalises the sum of rewards only"},
    {"delta", nullptr, nullptr, "null", "OpenRLHF has no upper bound of the ratio of that kind"},
    {"use_bias_correction_kl", nullptr, nullptr, "*"},
    {"off_policy_mask_threshold", nullptr, nullptr, "null", "no answer is masked as off-policy"},
    {"sapo_temperature_pos", nullptr, nullptr, "*", kNoTwin},
    {"sapo_temperature_neg", nullptr, nullptr, "*", kNoTwin},
    {"vespo_k_pos", nullptr, nullptr, "*", kNoTwin},
    {"vespo_lambda_pos", nullptr, nullptr, "*", kNoTwin},
    {"vespo_k_neg", nullptr, nullptr, "*", kNoTwin},
    {"vespo_lambda_neg", nullptr, nullptr, "*", kNoTwin},
    {"mask_truncated_completions", nullptr, nullptr, "false", "answers that were cut train too"},
    {"top_entropy_quantile", nullptr, nullptr, "1", "all tokens train, not those of most entropy"},
    {"entropy_coef", nullptr, nullptr, "0", "no entropy is taken from the loss"},
    {"use_adaptive_entropy", nullptr, nullptr, "false", "no entropy is taken from the loss"},
    {"entropy_coef_min", nullptr, nullptr, "*"},
    {"entropy_coef_max", nullptr, nullptr, "*"},
    {"entropy_coef_delta", nullptr, nullptr, "*"},
    {"entropy_target", nullptr, nullptr, "*"},
    {"dynamic_sampling", "algo.dynamic_filtering_enable", when_true, "false",
     "OpenRLHF keeps groups whose mean score is inside algo.dynamic_filtering_range, hone those "
     "with a spread"},
    {"max_generation_batches", nullptr, nullptr, "*"},
};
constexpr Rule kRloo[] = {
    {"normalize_advantages", nullptr, nullptr, "false", "OpenRLHF's rloo does not normalise"},
    {"reward_clip_range", nullptr, nullptr, "*"},          // set_rewards
    {"importance_sampling_level", nullptr, nullptr, "*"},  // a token's, as with --compat openrlhf
    {"clamp_log_ratio", nullptr, nullptr, "*"},
    {"dual_clip", "actor.dual_clip"},
};
constexpr Rule kPpo[] = {
    {"num_mini_batches", nullptr, nullptr, "*"},  // in train.batch_size
    {"kl_estimator", "algo.kl.estimator"},
    {"score_position", nullptr, nullptr, "\"last_token\"", kItsOwn},
    {"advantage_whitening", nullptr, nullptr, "\"tokens_population\"", kItsOwn},
    {"kl_clamp", nullptr, nullptr, "\"all\"", kItsOwn},
    {"clamp_log_ratio", nullptr, nullptr, "*"},
    {"dual_clip", "actor.dual_clip"},
    {"kl_target", "algo.kl.target", null_when_zero},
    {"kl_horizon", "algo.kl.horizon"},
    {"whiten_rewards", nullptr, nullptr, "false", "OpenRLHF does not whiten rewards"},
    {"epsilon", nullptr, nullptr, "*"},  // PPO's is cliprange
    {"cliprange", "actor.eps_clip_low_high", same_twice},
    {"cliprange_value", "critic.value_clip"},
    {"vf_coef", nullptr, nullptr, nullptr,
     "OpenRLHF's critic is a model of its own with its own optimiser, so its loss has no weight"},
    {"gamma", "algo.advantage.gamma"},
    {"lam", "algo.advantage.lambd"},
    {"missing_eos_penalty", nullptr, nullptr, "null",
     "OpenRLHF has another penalty (reward.stop_properly_penalty_coef), which is not set"},
    {"value_warmup_steps", "critic.freezing_steps", null_when_zero},
    {"value_model", nullptr, nullptr, "*"},  // set_critic
    {"value_learning_rate", "critic.adam.lr", nullptr, "null"},
    {"num_generations", "rollout.n_samples_per_prompt"},
};

// --- rows --------------------------------------------------------------------------------------

Json pair_row(const data::Row& row, const ExportRows& rows) {
  Json json = plain_row(row, rows);
  if (json.find("prompt") != nullptr) return json;
  Result<data::SplitPreference> split = data::split_shared_prompt(row.chosen, row.rejected);
  if (!split) {
    throw invalid_input(row.file + ":" + std::to_string(row.line) + ": " + split.error().message());
  }
  json["prompt"] = split.value().prompt;
  json["chosen"] = split.value().chosen;
  json["rejected"] = split.value().rejected;
  return json;
}

// The columns that rewards read, as one: OpenRLHF hands a reward one label.
Json prompt_row(const data::Row& row, const ExportRows&) {
  Json json = Json::object();
  json["prompt"] = row.prompt;
  json["label"] = row.provenance.dump();
  return json;
}

// --- methods -----------------------------------------------------------------------------------

constexpr OpenRlhfMethod kMethods[] = {
    {"sft", "openrlhf.cli.train_sft", kSft, kOptimizer, kCommon, "model.model_name_or_path"},
    {"dpo", "openrlhf.cli.train_dpo", kDpo, kOptimizer, kCommon, "model.model_name_or_path",
     pair_row},
    {"reward", "openrlhf.cli.train_rm", kReward, kOptimizer, kCommon, "model.model_name_or_path",
     pair_row},
    {"grpo", "openrlhf.cli.train_ppo_ray", kGrpo, kActor, kCommon, "actor.model_name_or_path",
     prompt_row},
    {"rloo", "openrlhf.cli.train_ppo_ray", kRloo, kActor, kCommon, "actor.model_name_or_path",
     prompt_row},
    {"ppo", "openrlhf.cli.train_ppo_ray", kPpo, kActor, kCommon, "actor.model_name_or_path",
     prompt_row},
};

}  // namespace

const OpenRlhfMethod& openrlhf_method(const std::string& name) {
  for (const OpenRlhfMethod& method : kMethods) {
    if (name == method.name) return method;
  }
  throw invalid_input("OpenRLHF 0.11 has no trainer for " + name +
                      ": use --to trl, or train it here");
}

}  // namespace hone::cli
