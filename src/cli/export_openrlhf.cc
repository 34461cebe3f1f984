// hone export-run --to openrlhf: for OpenRLHF 0.11, a launch script with the flags of its
// openrlhf.cli.train_sft, train_dpo, train_rm and train_ppo_ray (GRPO, RLOO and REINFORCE++ are
// estimators of the last one).

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cli/export_run.h"

namespace hone::cli {

namespace {

constexpr char kRequirements[] = "openrlhf[vllm]==0.11.0\n";
constexpr char kInput[] = "data.input_key", kTemplate[] = "data.apply_chat_template";
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
     "hone's "
     "(as TRL's) by + 1e-4"},
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

struct Method {
  const char* name;
  const char* module;
  std::span<const Rule> rules, optimizer;
  const char* model;  // the option that names it
  WriteRow row = plain_row;
};
constexpr Method kMethods[] = {
    {"sft", "openrlhf.cli.train_sft", kSft, kOptimizer, "model.model_name_or_path"},
    {"dpo", "openrlhf.cli.train_dpo", kDpo, kOptimizer, "model.model_name_or_path", pair_row},
    {"reward", "openrlhf.cli.train_rm", kReward, kOptimizer, "model.model_name_or_path", pair_row},
    {"grpo", "openrlhf.cli.train_ppo_ray", kGrpo, kActor, "actor.model_name_or_path", prompt_row},
    {"rloo", "openrlhf.cli.train_ppo_ray", kRloo, kActor, "actor.model_name_or_path", prompt_row},
    {"ppo", "openrlhf.cli.train_ppo_ray", kPpo, kActor, "actor.model_name_or_path", prompt_row},
};

const Method& method_of(const std::string& name) {
  for (const Method& method : kMethods) {
    if (name == method.name) return method;
  }
  throw invalid_input("OpenRLHF 0.11 has no trainer for " + name +
                      ": use --to trl, or train it here");
}

// --- flags -------------------------------------------------------------------------------------

std::string shell(const Json& value) {
  if (value.is_array()) {
    std::string out;
    for (const Json& element : value.as_array()) out += (out.empty() ? "" : " ") + shell(element);
    return out;
  }
  if (!value.is_string()) return value.dump();
  std::string out = "'";
  for (const char c : value.as_string())
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string flags_of(const Export& out) {
  std::string text;
  for (const auto& [option, value] : out.options) {
    if (value.is_bool() && !value.as_bool()) continue;
    text += " \\\n   --" + option + (value.is_bool() ? "" : " " + shell(value));
  }
  return text;
}

// --- parts -------------------------------------------------------------------------------------

void set_steps(const ExportSource& source, const ExportRows& rows, const ExportOptions& options,
               Export& out) {
  const int64_t gpus = static_cast<int64_t>(options.gpus);
  const int64_t group = source.is_online() ? source.integer("num_generations") : 1;
  const int64_t batch = source.batch();
  if (batch % gpus != 0) {
    throw invalid_input("a step of " + std::to_string(batch) + " rows is not cut evenly over " +
                        std::to_string(gpus) + " GPUs: --gpus must divide it");
  }
  int64_t micro = std::min(source.integer("per_device_train_batch_size"), batch / gpus);
  while (batch / gpus % micro != 0) --micro;
  out.set("train.batch_size", batch);
  out.set("train.micro_batch_size", micro);
  out.carried.push_back({"per_device_train_batch_size x gradient_accumulation_steps",
                         std::to_string(batch),
                         "train.batch_size " + std::to_string(batch) + ", train.micro_batch_size " +
                             std::to_string(micro) + " on " + std::to_string(gpus) + " GPUs",
                         "OpenRLHF averages micro-batches and leaves an epoch's last part of a "
                         "batch out"});
  const int64_t samples =
      static_cast<int64_t>(std::count_if(rows.train.rows.begin(), rows.train.rows.end(),
                                         [](const data::Row& row) { return row.weight != 0; }));
  const int64_t per_epoch = std::max<int64_t>(1, samples * group / batch);
  const int64_t max_steps = source.integer("max_steps");
  int64_t epochs = static_cast<int64_t>(std::ceil(source.number("num_train_epochs")));
  const char* ours = max_steps > 0 ? "max_steps" : "num_train_epochs";
  if (max_steps > 0) epochs = (max_steps + per_epoch - 1) / per_epoch;
  const int64_t steps = max_steps > 0 ? max_steps : epochs * per_epoch;
  const char* theirs = source.is_online() ? "train.num_episodes" : "train.max_epochs";
  out.set(theirs, epochs);
  const bool whole = max_steps > 0
                         ? max_steps == epochs * per_epoch
                         : static_cast<double>(epochs) == source.number("num_train_epochs");
  out.carried.push_back(
      {ours, source.setting(ours).dump(), std::string(theirs) + " " + std::to_string(epochs), ""});
  if (!whole) {
    out.lost.push_back({ours, source.setting(ours).dump(),
                        "OpenRLHF counts whole epochs: it goes on to the end of epoch " +
                            std::to_string(epochs) + " (step " +
                            std::to_string(epochs * per_epoch) + "), and the rate falls to there"});
  }
  const int64_t warm = source.integer("warmup_steps");
  const double ratio = warm > 0 ? static_cast<double>(warm) / static_cast<double>(steps)
                                : source.number("warmup_ratio");
  const char* option = source.is_online() ? "actor.lr_warmup_ratio" : "lr_warmup_ratio";
  out.set(option, std::min(1.0, ratio));
  out.carried.push_back({warm > 0 ? "warmup_steps" : "warmup_ratio",
                         warm > 0 ? std::to_string(warm) : source.setting("warmup_ratio").dump(),
                         std::string(option) + " " + Json(std::min(1.0, ratio)).dump(), ""});
}

void set_dpo_losses(const ExportSource& source, Export& out) {
  const Json::Array& losses = source.setting("loss_type").as_array();
  const Json::Array& weights = source.setting("loss_weights").as_array();
  const auto weight = [&](size_t i) { return weights.empty() ? 1 : weights[i].as_double(); };
  const std::string first = losses[0].as_string();
  const bool with_sft = losses.size() == 2 && losses[1].as_string() == "sft";
  if ((first != "sigmoid" && first != "ipo") || (losses.size() > 1 && !with_sft) ||
      weight(0) != 1) {
    throw invalid_input("loss_type is " + source.setting("loss_type").dump() +
                        ": OpenRLHF has sigmoid or ipo of weight 1, alone or with sft; use --to "
                        "trl for the others");
  }
  if (first == "ipo") out.set("model.ipo_enable", true);
  if (with_sft) out.set("model.nll_loss_coef", weight(1));
  out.carried.push_back({"loss_type", source.setting("loss_type").dump(),
                         std::string(first == "ipo" ? "model.ipo_enable" : "its own loss") +
                             (with_sft ? ", model.nll_loss_coef" : ""),
                         first == "ipo" && source.settings.find("ipo_log_probs") == nullptr
                             ? "OpenRLHF's IPO sums log-probabilities, hone's (as TRL's) "
                               "averages them: another beta fits"
                             : ""});
}

std::string reward_file(const ExportedRewards& rewards, const std::string& model) {
  std::string list, weights;
  for (size_t i = 0; i < rewards.functions.size(); ++i) {
    list += (i == 0 ? "" : ", ") + rewards.functions[i];
    weights += (i == 0 ? "" : ", ") +
               (rewards.weights.empty() ? std::string("1") : number_to_string(rewards.weights[i]));
  }
  return rewards.python +
         "\n\n# --- what OpenRLHF calls\nimport json\n\nimport torch\nfrom transformers import "
         "AutoTokenizer\n\nFUNCTIONS, WEIGHTS = [" +
         list + "], [" + weights + "]\nSPECIAL = AutoTokenizer.from_pretrained(" +
         Json(model).dump() +
         ").all_special_tokens\n\n\n"
         "def _answer(query, prompt):\n"
         "    text = query[len(prompt):] if query.startswith(prompt) else query\n"
         "    for special in SPECIAL:\n        text = text.replace(special, \"\")\n"
         "    return text\n\n\n"
         "def reward_func(queries, prompts, labels, **_):\n"
         "    texts = [_answer(q, p) for q, p in zip(queries, prompts)]\n"
         "    rows = [json.loads(label) for label in labels]\n"
         "    columns = {key: [row.get(key) for row in rows] for key in rows[0]}\n"
         "    total = [0.0] * len(texts)\n    logs = {}\n"
         "    for function, weight in zip(FUNCTIONS, WEIGHTS):\n"
         "        values = [0.0 if v is None else v for v in function(texts, None, **columns)]\n"
         "        total = [t + weight * v for t, v in zip(total, values)]\n"
         "        logs[function.__name__] = torch.tensor(values)\n"
         "    rewards = torch.tensor(total)\n"
         "    return {\"rewards\": rewards, \"scores\": rewards, \"extra_logs\": logs}\n";
}

void set_rewards(const ExportSource& source, const ExportOptions& options, const std::string& model,
                 Export& out) {
  const ExportedRewards rewards = export_rewards(source, false);
  if (rewards.models > 1 || (rewards.models == 1 && !rewards.functions.empty())) {
    throw invalid_input("OpenRLHF takes one reward model or a file of functions, the run has " +
                        source.setting("rewards").dump() + ": export with one of the two");
  }
  if (rewards.models == 1) {
    out.set("reward.model_name_or_path",
            model_name(source, "reward_model", options.reward_model, out));
    if (!rewards.weights.empty() && rewards.weights[0] != 1) {
      out.lost.push_back({"reward_weights", source.setting("reward_weights").dump(),
                          "OpenRLHF does not scale a reward model's score"});
    }
  } else {
    out.set("reward.remote_url", "reward_func.py");
    out.set("data.label_key", "label");
    out.files["reward_func.py"] = reward_file(rewards, model);
  }
  out.carried.push_back({"rewards", source.setting("rewards").dump(),
                         rewards.models == 1 ? "reward.model_name_or_path" : "reward_func.py",
                         "a regular expression is read by Python's re, hone's by RE2; an answer "
                         "without a value earns 0"});
  const Json* range = source.settings.find("reward_clip_range");
  const bool clipped = range != nullptr && range->size() == 2;
  // Its own default cuts at 10; ours cuts nothing unless it is told to.
  out.set("reward.clip_range", clipped ? *range : Json(Json::Array{Json(-1e6), Json(1e6)}));
  out.carried.push_back(
      {"reward_clip_range", clipped ? range->dump() : "none", "reward.clip_range", ""});
}

// The critic learns as the actor does, but for a rate of its own.
void set_critic(const ExportSource& source, const ExportOptions& options, const std::string& model,
                Export& out) {
  out.set("algo.advantage.estimator", "gae");
  const std::string actor = "actor.";
  const auto all = out.options;
  for (const auto& [option, value] : all) {
    const std::string rest = option.compare(0, actor.size(), actor) == 0 ? option.substr(6) : "";
    if (rest.compare(0, 5, "adam.") != 0 && rest.compare(0, 3, "lr_") != 0 && rest != "max_norm") {
      continue;
    }
    if (!out.has("critic." + rest)) out.set("critic." + rest, value);
  }
  const Json* apart = source.settings.find("value_model");
  if (apart != nullptr && apart->as_bool()) {
    out.set("critic.model_name_or_path",
            model_name(source, "value_model", options.value_model, out));
    return;
  }
  out.set("critic.model_name_or_path", model);
  out.notes.push_back(
      "OpenRLHF's critic is a second model (critic.model_name_or_path, here the policy's); hone's "
      "value head sits on the policy's own layers.");
}

// What stands beside the rules of methods that answer.
void set_online(const ExportSource& source, const ExportOptions& options, const std::string& model,
                Export& out) {
  const int64_t group = source.integer("num_generations");
  const int64_t generation = source.integer("steps_per_generation");
  const int64_t micro_batches =
      generation > 0 ? generation : source.integer("gradient_accumulation_steps");
  const int64_t prompts = source.integer("per_device_train_batch_size") * micro_batches / group;
  out.set("rollout.batch_size", prompts);
  out.carried.push_back({"steps_per_generation", std::to_string(generation),
                         "rollout.batch_size " + std::to_string(prompts) + " prompts", ""});
  const int64_t gpus = static_cast<int64_t>(options.gpus);
  for (const char* part : {"actor", "ref", "critic", "reward"}) {
    const std::string name = part;
    const bool needed = name == "critic"   ? source.method == "ppo"
                        : name == "reward" ? out.has("reward.model_name_or_path")
                                           : true;
    if (!needed) continue;
    out.set(name + ".num_nodes", 1);
    out.set(name + ".num_gpus_per_node", gpus);
  }
  out.set("train.colocate_all", true);
  out.set("vllm.num_engines", gpus);
  out.set("vllm.tensor_parallel_size", 1);
  out.set("vllm.gpu_memory_utilization", 0.5);
  out.set("vllm.enable_sleep", true);
  out.set("ds.enable_sleep", true);
  out.set("actor.gradient_checkpointing_enable", true);
  if (source.method == "grpo") {
    out.set("algo.kl.estimator", "k3");
    if (source.number("beta") > 0) out.set("algo.kl.use_loss", true);
    if (source.flag("dynamic_sampling")) {
      out.set("algo.dynamic_filtering_range", Json::Array{Json(0.0), Json(1.0)});
    }
  }
  if (source.method == "rloo") out.set("algo.advantage.estimator", "rloo");
  if (source.method == "ppo") set_critic(source, options, model, out);
}

void set_rows(const ExportSource& source, const ExportRows& rows, Export& out) {
  if (source.method == "dpo" || source.method == "reward") {
    out.set("data.prompt_key", "prompt");
    out.set("data.chosen_key", "chosen");
    out.set("data.rejected_key", "rejected");
    out.notes.push_back(
        "OpenRLHF ends every answer with the end token (behind a space, when it is not there); "
        "hone "
        "takes texts as they are.");
    if (rows.conversational) out.set(kTemplate, true);
    if (source.method == "reward" && rows.margins) out.set("model.margin_loss_enable", true);
    return;
  }
  if (source.is_online()) {
    out.set(kInput, "prompt");
    if (rows.conversational) out.set(kTemplate, true);
    return;
  }
  out.set("data.input_template", "");
  switch (rows.kind) {
    case data::RowKind::kText:
      out.set(kInput, "text");
      out.set("model.pretrain_mode_enable", true);
      return;
    case data::RowKind::kMessages:
      out.set(kInput, "messages");
      out.set(kTemplate, true);
      out.set("data.multiturn", true);
      if (!source.flag("assistant_only_loss")) {
        out.lost.push_back({"assistant_only_loss", "false",
                            "OpenRLHF trains on what the assistant says, hone trained on all words "
                            "of a conversation"});
      }
      return;
    default:
      out.set(kInput, "prompt");
      out.set("data.output_key", "completion");
      if (rows.conversational) out.set(kTemplate, true);
  }
}

void set_evaluation(const ExportSource& source, const ExportRows& rows, Export& out) {
  if (!rows.held_out) return;
  const int64_t steps = source.integer("eval_steps");
  out.set("eval.dataset", "data/test.jsonl");
  out.set("eval.split", "train");  // a file alone is the split of that name
  out.set("eval.steps", steps > 0 ? steps : -1);
  out.carried.push_back({"eval_steps", std::to_string(steps),
                         "eval.steps " + std::to_string(steps > 0 ? steps : -1),
                         steps > 0 ? "" : "OpenRLHF evaluates once an epoch"});
}

}  // namespace

Export export_openrlhf(const ExportSource& source, const ExportRows& rows,
                       const ExportOptions& options) {
  const Method& method = method_of(source.method);
  if (!options.bf16) {
    throw invalid_input("OpenRLHF computes in bf16 or fp16: leave --precision float32 out");
  }
  Export out;
  out.target = "OpenRLHF 0.11";
  const bool reference = source.has_file("ref_model");
  if (reference && source.is_online()) {
    throw invalid_input(source.method +
                        " has a --ref-model of its own, and OpenRLHF's takes the model before "
                        "training: leave it out, or train it here");
  }
  const std::string model = model_name(source, "model", options.model, out);
  out.set(method.model, model);
  if (reference) {
    out.set("ref.model_name_or_path", model_name(source, "ref_model", options.ref_model, out));
  }
  out.set(source.is_online() ? "data.prompt_dataset" : "data.dataset", "data/train.jsonl");
  set_rows(source, rows, out);
  apply_rules(source, {method.rules, method.optimizer, kCommon}, out);
  set_steps(source, rows, options, out);
  set_evaluation(source, rows, out);
  if (source.method == "dpo") set_dpo_losses(source, out);
  if (source.is_online()) {
    set_rewards(source, options, model, out);
    set_online(source, options, model, out);
  } else {
    out.set("model.gradient_checkpointing_enable", true);
  }
  out.set("train.seed", source.seed);
  out.set("ds.param_dtype", "bf16");
  out.set("ds.zero_stage", 2);
  out.set("ckpt.output_dir", "output/final");
  out.set("ckpt.path", "output/checkpoints");
  out.lost.push_back({"f32", "all numbers", "OpenRLHF computes in bfloat16 (ds.param_dtype)"});
  note_rows(source, rows, "OpenRLHF", out);
  out.files["data/train.jsonl"] = rows_text(rows.train, rows, method.row);
  if (rows.held_out) out.files["data/test.jsonl"] = rows_text(*rows.held_out, rows, method.row);
  out.files["requirements.txt"] = kRequirements;
  const std::string start = source.is_online()
                                ? std::string("exec python3 -m ") + method.module
                                : "exec deepspeed --num_gpus " + std::to_string(options.gpus) +
                                      " --module " + method.module;
  out.files["launch.sh"] =
      "#!/bin/sh\n# More flags go to OpenRLHF: ./launch.sh --ds.zero_stage 3\nset -eu\n"
      "cd \"$(dirname \"$0\")\"\n" +
      std::string(source.is_online() ? "PYTHONPATH=$PWD\nexport PYTHONPATH\n" : "") + start +
      flags_of(out) + " \\\n   \"$@\"\n";
  out.run_command = "  pip install -r requirements.txt\n  sh launch.sh\n";
  out.run_command +=
      source.is_online()
          ? "  On a Ray cluster: ray start --head on one machine, ray start --address on the "
            "others,\n"
            "  then launch.sh through ray job submit with this folder as working_dir.\n"
          : "  Several machines: deepspeed's --hostfile in launch.sh.\n";
  out.run_command +=
      "  This folder is checked against OpenRLHF's own flags by name, and was not run\n"
      "  on this machine: OpenRLHF needs GPUs.\n";
  return out;
}

}  // namespace hone::cli
