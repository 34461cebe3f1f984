// hone export-run --to trl: for TRL 1.16, by its command line where it has one, else by a script of
// its trainer (docs/training.md, "On a GPU cluster"). Names and defaults are those of its config
// classes; tests/clients/trl_export_client.py parses every file that is written here with them.

#include <algorithm>

#include "base/error.h"
#include "cli/export_run.h"

namespace hone::cli {

namespace {

constexpr char kRequirements[] =
    "trl==1.16.0\ntransformers==5.24.0\ndatasets==5.2.0\naccelerate==1.15.0\npeft==0.21.2\n"
    "torch==2.15.0\ntensorboard\n";

// --- values ------------------------------------------------------------------------------------

Json null_when_zero(const ExportSource&, const Json& ours) {
  return ours.is_number() && ours.as_double() == 0 ? Json() : ours;
}
Json null_when_empty(const ExportSource&, const Json& ours) {
  return ours.size() == 0 ? Json() : ours;
}
Json steps_or_minus_one(const ExportSource&, const Json& ours) {
  return ours.as_int() == 0 ? Json(-1) : ours;
}
// transformers' constant has no warm-up.
Json scheduler(const ExportSource& source, const Json& ours) {
  const bool warms = source.number("warmup_steps") > 0 || source.number("warmup_ratio") > 0;
  return ours.as_string() == "constant" && warms ? Json("constant_with_warmup") : ours;
}
// transformers has one option: below 1 it is a share.
Json warmup(const ExportSource& source, const Json& ours) {
  if (ours.as_int() > 0) return ours;
  const double ratio = source.number("warmup_ratio");
  if (ratio >= 1) {
    throw invalid_input("warmup_ratio is 1, which TRL would read as one step: name warmup_steps");
  }
  return ratio == 0 ? Json() : Json(ratio);
}
Json lora_alpha(const ExportSource& source, const Json& ours) {
  const double alpha = ours.as_double() == 0 ? 2 * source.number("lora_r") : ours.as_double();
  if (alpha != static_cast<double>(static_cast<int64_t>(alpha))) {
    throw invalid_input("lora_alpha is " + ours.dump() +
                        ": TRL's command line takes whole numbers only; train with one");
  }
  return source.integer("lora_r") == 0 ? Json() : Json(static_cast<int64_t>(alpha));
}
Json with_lora(const ExportSource& source, const Json& ours) {
  return source.integer("lora_r") == 0 ? Json() : ours;
}
Json modules(const ExportSource& source, const Json& ours) {
  if (source.integer("lora_r") == 0) return Json();
  return ours.size() > 0 ? ours : Json(Json::Array{Json("all-linear")});
}
Json shuffles(const ExportSource&, const Json& ours) { return ours.as_string() == "random"; }
// Null is TRL's "where rows have a completion", which is ours.
Json only_when_false(const ExportSource&, const Json& ours) {
  return ours.as_bool() ? Json() : ours;
}
Json save_strategy(const ExportSource&, const Json& ours) {
  return ours.as_int() == 0 ? Json("no") : Json("steps");
}
Json list_of_one(const ExportSource&, const Json& ours) { return Json(Json::Array{ours}); }
Json length_of_all(const ExportSource& source, const Json& ours) {
  return ours.as_int() == 0 ? Json()
                            : Json(ours.as_int() + source.integer("max_completion_length"));
}

// --- rules -------------------------------------------------------------------------------------

constexpr char kItsOwn[] = "TRL has a formula of its own (docs/training.md, Whose formulas)";
constexpr Rule kCommon[] = {
    {"learning_rate", "learning_rate"},
    {"lr_scheduler_type", "lr_scheduler_type", scheduler},
    {"warmup_ratio", nullptr, nullptr, "*"},  // with warmup_steps
    {"warmup_steps", "warmup_steps", warmup},
    {"num_train_epochs", "num_train_epochs"},
    {"max_steps", "max_steps", steps_or_minus_one},
    {"per_device_train_batch_size", nullptr, nullptr, "*"},  // with the number of GPUs
    {"gradient_accumulation_steps", nullptr, nullptr, "*"},
    {"max_length", "max_length", null_when_zero, nullptr, nullptr, nullptr, true},
    {"max_prompt_length", nullptr, nullptr, "0",
     "TRL 1.16 does not cut prompts, so long ones go whole (the whole row is cut at max_length)"},
    {"weight_decay", "weight_decay", nullptr, "0",
     "transformers leaves biases and norms out of the decay, hone decays every trained tensor"},
    {"adam_beta1", "adam_beta1"},
    {"adam_beta2", "adam_beta2"},
    {"adam_epsilon", "adam_epsilon"},
    {"max_grad_norm", "max_grad_norm"},
    {"lora_r", "lora_r", null_when_zero},
    {"lora_alpha", "lora_alpha", lora_alpha},
    {"lora_dropout", "lora_dropout", with_lora, "0", "other entries are left out"},
    {"lora_target_modules", "lora_target_modules", modules},
    {"use_rslora", "use_rslora"},
    // Of --compat; a run with TRL's formulas has none of them.
    {"ipo_log_probs", nullptr, nullptr, nullptr, kItsOwn},
    {"sft_mean", nullptr, nullptr, nullptr, kItsOwn},
    {"ld_alpha_of_reference", nullptr, nullptr, nullptr, kItsOwn},
    {"nll_scope", nullptr, nullptr, nullptr, kItsOwn},
    {"advantage_epsilon", nullptr, nullptr, nullptr, kItsOwn},
    {"advantage_whitening", nullptr, nullptr, nullptr, kItsOwn},
    {"kl_clamp", nullptr, nullptr, nullptr, kItsOwn},
    {"clamp_log_ratio", nullptr, nullptr, nullptr, kItsOwn},
    {"dual_clip", nullptr, nullptr, nullptr, kItsOwn},
    {"importance_sampling_level", nullptr, nullptr, nullptr, kItsOwn},  // of RLOO
    {"use_dora", "use_dora"},
    {"train_sampling_strategy", "train_sampling_strategy"},
    {"prefix_sharing", nullptr, nullptr, "*"},  // an order of sums and a saving, no other loss
    {"logging_steps", "logging_steps"},
    {"eval_steps", nullptr, nullptr, "*"},  // with the held-out rows
    {"save_steps", "save_strategy", save_strategy},
    {"save_total_limit", "save_total_limit", null_when_zero},
    {"report_to", "report_to"},
    {"recompute", nullptr, nullptr, "*"},
    {"max_tokens_per_pass", nullptr, nullptr, "*"},
    {"log_gradient_norms", nullptr, nullptr, "false", "TRL logs the norm of all tensors only"},
};

constexpr Rule kSft[] = {
    {"completion_only_loss", "completion_only_loss", only_when_false},
    {"assistant_only_loss", "assistant_only_loss", nullptr, "false",
     "the chat template must mark the assistant's words ({% generation %}), or be one that TRL "
     "patches"},
    {"packing", "packing"},
};
constexpr Rule kDpo[] = {
    {"beta", "beta"},
    {"loss_type", "loss_type"},
    {"loss_weights", "loss_weights", null_when_empty},
    {"label_smoothing", "label_smoothing", nullptr, "0",
     "TRL smooths robust, exo_pair and the aot losses only; its sigmoid takes labels as certain"},
    {"f_divergence_type", "f_divergence_type"},
    {"f_alpha_divergence_coef", "f_alpha_divergence_coef"},
    {"ld_alpha", "ld_alpha"},
    {"reference_free", nullptr, nullptr, "false", nullptr,
     "TRL 1.16 has no DPO without a reference, and with one it is another loss; take cpo"},
};
constexpr Rule kReward[] = {
    {"center_rewards_coefficient", "center_rewards_coefficient", null_when_zero},
    {"process", nullptr, nullptr, "false", nullptr,
     "TRL 1.16 has no trainer of process reward models; train it here"},
    {"step_separator", nullptr, nullptr, "*"},
    {"train_on_last_step_only", nullptr, nullptr, "*"},
};
constexpr Rule kKto[] = {
    {"loss_type", "loss_type"},
    {"beta", "beta"},
    {"desirable_weight", "desirable_weight"},
    {"undesirable_weight", "undesirable_weight"},
};
constexpr Rule kOrpo[] = {{"beta", "beta"}};
constexpr Rule kCpo[] = {
    {"loss_type", "loss_type"},
    {"beta", "beta"},
    {"label_smoothing", "label_smoothing"},
    {"cpo_alpha", "cpo_alpha"},
    {"simpo_gamma", "simpo_gamma"},
};
constexpr Rule kDistill[] = {
    {"beta", "beta"},
    {"lmbda", "lmbda"},
    {"temperature", "temperature"},
    {"max_new_tokens", "max_new_tokens"},
    {"seq_kd", "seq_kd"},
    {"teacher_top_k", nullptr, nullptr, "0", "TRL's GKD compares all words of the teacher"},
    {"recorded_teacher", nullptr, nullptr, "false", nullptr,
     "TRL's GKD needs the teacher itself; train on recorded words here"},
    {"max_length", "max_length", null_when_zero, "0",
     "TRL's GKD keeps a row's last tokens, hone the first", nullptr, true},
};
constexpr Rule kSampling[] = {
    {"temperature", "temperature"},
    {"top_p", "top_p"},
    {"top_k", "top_k"},
    {"min_p", "min_p", null_when_zero},
    {"rewards", nullptr, nullptr, "*"},         // rewards.py
    {"reward_weights", nullptr, nullptr, "*"},  // in the order of the other program's rewards
    {"rollout_batch_size", nullptr, nullptr, "*"},
    {"recorded_rollouts", nullptr, nullptr, "false", nullptr,
     "TRL draws its own answers; train on recorded ones here"},
};
constexpr Rule kAnswers[] = {
    // of GRPO and RLOO
    {"max_length", nullptr, nullptr, "0",
     "TRL 1.16 does not cut prompts of methods that answer: longer ones go whole"},
    {"train_sampling_strategy", "shuffle_dataset", shuffles},
    {"num_generations", "num_generations"},
    {"num_generations_eval", "num_generations_eval", null_when_zero},
    {"max_completion_length", "max_completion_length"},
    {"beta", "beta"},
    {"num_iterations", "num_iterations"},
    {"steps_per_generation", nullptr, nullptr, "*"},  // with the number of GPUs
    {"epsilon", "epsilon"},
    {"epsilon_high", "epsilon_high"},
    {"log_completions", "log_completions"},
};
constexpr Rule kGrpo[] = {
    {"loss_type", "loss_type"},
    {"importance_sampling_level", "importance_sampling_level"},
    {"advantage_estimator", nullptr, nullptr, "\"group\"", nullptr,
     "TRL 1.16 has the group's advantage only; REINFORCE++ goes to openrlhf"},
    {"scale_rewards", "scale_rewards"},
    {"multi_objective_aggregation", "multi_objective_aggregation"},
    {"delta", "delta"},
    {"use_bias_correction_kl", "use_bias_correction_kl"},
    {"off_policy_mask_threshold", "off_policy_mask_threshold"},
    {"sapo_temperature_pos", "sapo_temperature_pos"},
    {"sapo_temperature_neg", "sapo_temperature_neg"},
    {"vespo_k_pos", "vespo_k_pos"},
    {"vespo_lambda_pos", "vespo_lambda_pos"},
    {"vespo_k_neg", "vespo_k_neg"},
    {"vespo_lambda_neg", "vespo_lambda_neg"},
    {"mask_truncated_completions", "mask_truncated_completions"},
    {"top_entropy_quantile", "top_entropy_quantile"},
    {"entropy_coef", "entropy_coef"},
    {"use_adaptive_entropy", "use_adaptive_entropy"},
    {"entropy_coef_min", "entropy_coef_min"},
    {"entropy_coef_max", "entropy_coef_max"},
    {"entropy_coef_delta", "entropy_coef_delta"},
    {"entropy_target", "entropy_target"},
    {"dynamic_sampling", nullptr, nullptr, "false",
     "TRL does not refill groups without spread: they stay in the batch and teach nothing, so a "
     "step learns from fewer answers"},
    {"max_generation_batches", nullptr, nullptr, "*"},
};
constexpr Rule kRloo[] = {
    {"normalize_advantages", "normalize_advantages"},
    {"reward_clip_range", "reward_clip_range", null_when_empty},
};
constexpr Rule kOnlineDpo[] = {
    {"max_length", "max_length", length_of_all, "0", "TRL counts prompt and answer together",
     nullptr, true},
    {"num_generations", nullptr, nullptr, "2"},
    {"num_generations_eval", nullptr, nullptr, "0", "TRL evaluates with two answers"},
    {"max_completion_length", "max_new_tokens"},
    {"beta", "beta", list_of_one},
    {"loss_type", "loss_type"},
    {"missing_eos_penalty", "missing_eos_penalty"},
    {"num_iterations", nullptr, nullptr, "1", "TRL trains once on each generation"},
    {"steps_per_generation", nullptr, nullptr, "0", "TRL answers anew for each step"},
    {"epsilon", nullptr, nullptr, "*"},
    {"epsilon_high", nullptr, nullptr, "*"},
    {"log_completions", nullptr, nullptr, "*"},
};

// --- rows --------------------------------------------------------------------------------------

// GKD reads whole conversations whose last message is the answer.
Json gkd_row(const data::Row& row, const ExportRows& rows) {
  if (!rows.conversational) {
    throw invalid_input(row.file + ":" + std::to_string(row.line) +
                        ": TRL's GKD reads messages only: write the rows as {\"messages\"}, or as "
                        "prompt and completion of messages");
  }
  Json json = Json::object();
  Json messages = row.kind == data::RowKind::kMessages ? row.messages : row.prompt;
  if (row.kind != data::RowKind::kMessages) {
    for (const Json& message : row.completion.as_array()) messages.push_back(message);
  }
  json["messages"] = std::move(messages);
  return json;
}

// --- methods -----------------------------------------------------------------------------------

struct Method {
  const char* name;
  const char* command;  // trl COMMAND; null: by a script
  const char* module;   // where config and trainer are
  const char* config;
  const char* trainer;
  std::span<const Rule> rules;
  bool answers = false;  // GRPO and RLOO
  WriteRow row = plain_row;
};
constexpr Method kMethods[] = {
    {"sft", "sft", "trl", "SFTConfig", "SFTTrainer", kSft},
    {"dpo", "dpo", "trl", "DPOConfig", "DPOTrainer", kDpo},
    {"reward", "reward", "trl", "RewardConfig", "RewardTrainer", kReward},
    {"kto", "kto", "trl", "KTOConfig", "KTOTrainer", kKto},
    {"orpo", nullptr, "trl.experimental.orpo", "ORPOConfig", "ORPOTrainer", kOrpo},
    {"cpo", nullptr, "trl.experimental.cpo", "CPOConfig", "CPOTrainer", kCpo},
    {"grpo", "grpo", "trl", "GRPOConfig", "GRPOTrainer", kGrpo, true},
    {"rloo", "rloo", "trl", "RLOOConfig", "RLOOTrainer", kRloo, true},
    {"online_dpo", nullptr, "trl.experimental.online_dpo", "OnlineDPOConfig", "OnlineDPOTrainer",
     kOnlineDpo},
    {"distill", nullptr, "trl.experimental.gkd", "GKDConfig", "GKDTrainer", kDistill, false,
     gkd_row},
};

const Method& method_of(const std::string& name) {
  for (const Method& method : kMethods) {
    if (name == method.name) return method;
  }
  throw invalid_input("TRL 1.16 has no trainer for " + name +
                      (name == "ppo" ? " (it left with 1.x): use --to openrlhf, or train with grpo "
                                       "or rloo"
                                     : ": train it here"));
}

// --- YAML --------------------------------------------------------------------------------------

// JSON is YAML, but for exponents without a point, which YAML 1.1 reads as text.
std::string yaml(const Json& value) {
  if (value.is_array()) {
    std::string out = "[";
    for (const Json& element : value.as_array()) out += (out == "[" ? "" : ", ") + yaml(element);
    return out + "]";
  }
  std::string text = value.dump();
  if (!value.is_number()) return text;
  const size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) {
    text.insert(exponent, ".0");
  }
  return text;
}

std::string config_yaml(const Export& out) {
  std::string text = "# Written by hone export-run; README.txt says what stands for what.\n";
  for (const auto& [option, value] : out.options) text += option + ": " + yaml(value) + "\n";
  return text;
}

std::string accelerate_yaml(const ExportOptions& options) {
  std::string text = "compute_environment: LOCAL_MACHINE\ndebug: false\n";
  text +=
      options.gpus > 1 ? "distributed_type: MULTI_GPU\ngpu_ids: all\n" : "distributed_type: 'NO'\n";
  text += "downcast_bf16: 'no'\nmachine_rank: 0\nmain_training_function: main\n";
  text += std::string("mixed_precision: '") + (options.bf16 ? "bf16" : "no") + "'\n";
  return text + "num_machines: 1\nnum_processes: " + std::to_string(options.gpus) +
         "\nrdzv_backend: static\nsame_network: true\nuse_cpu: false\n";
}

// --- the script of a method without a command ----------------------------------------------------

std::string script(const ExportSource& source, const Method& method, const ExportedRewards* rewards,
                   bool reference) {
  std::string text =
      "\"\"\"Written by hone export-run: " + std::string(method.config) +
      " from config.yaml, rows from data/.\"\"\"\n"
      "from dataclasses import dataclass\n\nfrom datasets import load_dataset\nfrom transformers "
      "import ";
  const bool reward_model = rewards != nullptr && rewards->models > 0;
  text += reference ? "AutoModelForCausalLM, " : "";
  text += reward_model ? "AutoModelForSequenceClassification, " : "";
  text +=
      "AutoTokenizer\nfrom trl import ModelConfig, ScriptArguments, TrlParser, get_peft_config\n"
      "from " +
      std::string(method.module) + " import " + method.config + ", " + method.trainer + "\n";
  if (rewards != nullptr && !rewards->functions.empty()) text += "\nimport rewards\n";
  text +=
      "\n\n@dataclass\nclass Arguments(ScriptArguments):\n"
      "    ref_model_name_or_path: str | None = None\n"
      "    reward_model_name_or_path: str | None = None\n\n\n"
      "def main():\n"
      "    parser = TrlParser((Arguments, " +
      std::string(method.config) +
      ", ModelConfig))\n"
      "    script, training, model = parser.parse_args_and_config()\n"
      "    dataset = load_dataset(script.dataset_name)\n"
      "    tokenizer = AutoTokenizer.from_pretrained(model.model_name_or_path)\n"
      "    if tokenizer.pad_token is None:\n        tokenizer.pad_token = tokenizer.eos_token\n"
      "    training.model_init_kwargs = {\"dtype\": model.dtype}\n";
  std::string more;
  if (reference) {
    text +=
        "    reference = AutoModelForCausalLM.from_pretrained(script.ref_model_name_or_path, "
        "dtype=model.dtype)\n";
    more += "        ref_model=reference,\n";
  }
  if (source.method == "distill") {
    text += "    training.teacher_model_init_kwargs = {\"dtype\": model.dtype}\n";
    more += "        teacher_model=training.teacher_model_name_or_path,\n";
  }
  if (rewards != nullptr) {
    more += "        reward_funcs=[";
    std::string list;
    if (reward_model) {
      text +=
          "    scorer = AutoModelForSequenceClassification.from_pretrained(script."
          "reward_model_name_or_path, num_labels=1, dtype=model.dtype)\n"
          "    scorer_tokenizer = AutoTokenizer.from_pretrained(script."
          "reward_model_name_or_path)\n";
      list = "scorer";
    }
    std::string tokenizers = reward_model ? "scorer_tokenizer" : "";
    for (const std::string& name : rewards->functions) {
      list += (list.empty() ? "" : ", ") + ("rewards." + name);
      tokenizers += tokenizers.empty() ? "None" : ", None";
    }
    more += list + "],\n        reward_processing_classes=[" + tokenizers + "],\n";
  }
  return text + "    trainer = " + method.trainer + "(\n        model=model.model_name_or_path,\n" +
         more +
         "        args=training,\n        train_dataset=dataset[script.dataset_train_split],\n"
         "        eval_dataset=dataset[script.dataset_test_split] if training.eval_strategy != "
         "\"no\" else None,\n"
         "        processing_class=tokenizer,\n        peft_config=get_peft_config(model),\n    )\n"
         "    trainer.train(resume_from_checkpoint=training.resume_from_checkpoint)\n"
         "    trainer.save_model(training.output_dir)\n\n\n"
         "if __name__ == \"__main__\":\n    main()\n";
}

// --- parts of the config -------------------------------------------------------------------------

// A step's batch stays what it was: accumulation is divided by the GPUs, else the micro-batch.
void set_batches(const ExportSource& source, const ExportOptions& options, Export& out) {
  int64_t micro = source.integer("per_device_train_batch_size");
  int64_t steps = source.integer("gradient_accumulation_steps");
  const int64_t gpus = static_cast<int64_t>(options.gpus);
  int64_t divided = 1;
  if (steps % gpus == 0) {
    steps /= gpus;
    divided = gpus;
  } else if (micro % gpus == 0) {
    micro /= gpus;
    if (source.method == "kto") {
      out.lost.push_back({"per_device_train_batch_size", std::to_string(micro * gpus),
                          "a GPU's micro-batch is " + std::to_string(micro) +
                              " rows, and KTO's estimate of the KL is of the micro-batch"});
    }
  } else {
    throw invalid_input(
        "a step of " + std::to_string(source.batch()) + " rows is not cut evenly over " +
        std::to_string(gpus) + " GPUs: --gpus must divide gradient_accumulation_steps (" +
        std::to_string(steps) + ") or per_device_train_batch_size (" + std::to_string(micro) + ")");
  }
  out.set("per_device_train_batch_size", micro);
  out.set("gradient_accumulation_steps", steps);
  out.carried.push_back({"per_device_train_batch_size x gradient_accumulation_steps",
                         std::to_string(source.batch()),
                         std::to_string(micro) + " x " + std::to_string(steps) + " on " +
                             std::to_string(gpus) + (gpus == 1 ? " GPU" : " GPUs"),
                         ""});
  if (!method_of(source.method).answers) return;
  const int64_t generation = source.integer("steps_per_generation");
  if (generation % divided != 0) {
    throw invalid_input("steps_per_generation is " + std::to_string(generation) +
                        ", which --gpus " + std::to_string(gpus) + " does not divide");
  }
  if (generation > 0) {
    out.set("steps_per_generation", generation / divided);
    out.carried.push_back({"steps_per_generation", std::to_string(generation),
                           "steps_per_generation " + std::to_string(generation / divided), ""});
  }
}

void set_evaluation(const ExportSource& source, const ExportRows& rows, Export& out) {
  if (!rows.held_out) {
    out.set("eval_strategy", "no");
    return;
  }
  const int64_t steps = source.integer("eval_steps");
  out.set("eval_strategy", steps > 0 ? "steps" : "epoch");
  if (steps > 0) out.set("eval_steps", steps);
  out.carried.push_back({"eval_steps", std::to_string(steps),
                         steps > 0 ? "eval_steps " + std::to_string(steps) : "eval_strategy epoch",
                         steps > 0 ? "" : "TRL cannot evaluate at the end alone"});
}

void set_rewards(const ExportSource& source, const ExportOptions& options, const Method& method,
                 const ExportedRewards& rewards, Export& out) {
  if (rewards.models > 1) {
    throw invalid_input("TRL's command line takes one reward model, the run has " +
                        std::to_string(rewards.models) + ": export with one of them");
  }
  if (rewards.models == 1) {
    out.set("reward_model_name_or_path",
            model_name(source, "reward_model", options.reward_model, out));
  }
  if (!rewards.functions.empty()) {
    Json names = Json::array();
    for (const std::string& name : rewards.functions) names.push_back("rewards." + name);
    if (method.command != nullptr) out.set("reward_funcs", std::move(names));
    out.files["rewards.py"] = rewards.python;
  }
  Json weights = Json::array();
  for (const double weight : rewards.weights) weights.push_back(weight);
  if (weights.size() > 0) out.set("reward_weights", std::move(weights));
  out.carried.push_back({"rewards", source.setting("rewards").dump(),
                         rewards.functions.empty() ? "a reward model" : "rewards.py",
                         "a regular expression is read by Python's re, hone's by RE2"});
}

}  // namespace

Export export_trl(const ExportSource& source, const ExportRows& rows,
                  const ExportOptions& options) {
  const Method& method = method_of(source.method);
  Export out;
  out.target = "TRL 1.16";
  const bool reference = source.has_file("ref_model");
  if (reference && method.answers) {
    throw invalid_input(source.method +
                        " has a --ref-model of its own, and TRL's takes the model before training: "
                        "leave it out, or train it here");
  }
  const bool by_script = method.command == nullptr || reference;
  out.set("model_name_or_path", model_name(source, "model", options.model, out));
  if (reference) {
    out.set("ref_model_name_or_path", model_name(source, "ref_model", options.ref_model, out));
  }
  if (source.method == "distill") {
    out.set("teacher_model_name_or_path", model_name(source, "teacher", options.teacher, out));
    if (source.has_file("teacher_adapter")) {
      throw invalid_input(
          "the run's teacher has an adapter: write it into the teacher with hone "
          "model merge first; TRL loads whole teachers");
    }
  }
  out.set("dataset_name", "data");
  out.set("output_dir", "output");
  const bool samples = source.is_online();
  apply_rules(source,
              {method.rules, method.answers ? std::span<const Rule>(kAnswers) : method.rules,
               samples ? std::span<const Rule>(kSampling) : method.rules, kCommon},
              out);
  set_batches(source, options, out);
  set_evaluation(source, rows, out);
  if (source.integer("lora_r") > 0) out.set("use_peft", true);
  if (source.method == "reward" && source.integer("lora_r") > 0) {
    out.set("lora_task_type", "SEQ_CLS");
    out.set("lora_modules_to_save", Json::Array{Json("score")});
  }
  if (source.method == "dpo" || source.method == "kto") out.set("precompute_ref_log_probs", true);
  if (source.integer("save_steps") > 0) out.set("save_steps", source.setting("save_steps"));
  out.set("seed", source.seed);
  out.set("bf16", options.bf16);
  out.set("dtype", "float32");
  if (options.bf16) {
    out.lost.push_back({"f32", "all numbers",
                        "weights stay float32, and products are computed in bfloat16 (bf16: true); "
                        "export with --precision float32 for f32, which is slower"});
  }
  std::optional<ExportedRewards> rewards;
  if (samples) {
    rewards = export_rewards(source, source.method != "online_dpo");
    set_rewards(source, options, method, *rewards, out);
  }
  note_rows(source, rows, "TRL", out);
  out.files["data/train.jsonl"] = rows_text(rows.train, rows, method.row);
  if (rows.held_out) out.files["data/test.jsonl"] = rows_text(*rows.held_out, rows, method.row);
  out.files["config.yaml"] = config_yaml(out);
  out.files["accelerate.yaml"] = accelerate_yaml(options);
  out.files["requirements.txt"] = kRequirements;
  std::string run =
      "#!/bin/sh\n# More options go to TRL: ./launch.sh --learning_rate 1e-5\nset -eu\n"
      "cd \"$(dirname \"$0\")\"\n";
  if (by_script) {
    out.files["train.py"] = script(source, method, rewards ? &*rewards : nullptr, reference);
    run +=
        "exec accelerate launch --config_file accelerate.yaml train.py --config config.yaml "
        "\"$@\"\n";
  } else {
    run += std::string("exec trl ") + method.command +
           " --config config.yaml --accelerate_config accelerate.yaml \"$@\"\n";
  }
  out.files["launch.sh"] = run;
  out.run_command =
      "  pip install -r requirements.txt\n  sh launch.sh\n"
      "  Several machines: num_machines and machine_rank in accelerate.yaml. A model too large "
      "for\n"
      "  one GPU: " +
      std::string(by_script ? "an accelerate.yaml of DeepSpeed ZeRO or FSDP.\n"
                            : "zero2, zero3 or fsdp2 for accelerate.yaml in launch.sh.\n");
  return out;
}

}  // namespace hone::cli
