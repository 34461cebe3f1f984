// hone export-run --to openrlhf: for OpenRLHF 0.11, a launch script with the flags of its
// openrlhf.cli.train_sft, train_dpo, train_rm and train_ppo_ray (GRPO, RLOO and REINFORCE++ are
// estimators of the last one).

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cli/export_run.h"
#include "cli/openrlhf_rules.h"

namespace hone::cli {

namespace {

constexpr char kRequirements[] = "openrlhf[vllm]==0.11.0\n";
constexpr char kInput[] = "data.input_key", kTemplate[] = "data.apply_chat_template";
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
        "hone takes texts as they are.");
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
  const OpenRlhfMethod& method = openrlhf_method(source.method);
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
  apply_rules(source, {method.rules, method.optimizer, method.common}, out);
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
