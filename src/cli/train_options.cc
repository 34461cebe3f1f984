#include "cli/train_options.h"

#include <cstdio>

#include "base/error.h"
#include "cli/ranks.h"

namespace hone::cli {

void TrainFlags::add_to(Options& options, train::TrainConfig& config) {
  options.text("model", &model.model, "MODEL", "a .gguf file or a Hugging Face directory");
  options.text("data", &data, "FILE", "training rows (JSONL or CSV)");
  options.text("eval-data", &eval_data, "FILE", "held-out rows, evaluated every --eval-steps");
  options.text("output", &output, "RUN", "the run directory");
  options.flag("resume", &resume, "go on with the run in --output");
  options.flag(
      "accept-recipe", &accept_recipe,
      "with --resume: go on from a checkpoint of another numerics recipe, with other bits");
  options.flag("overwrite", &overwrite, "start the run in --output again");
  options.flag("dry-run", &dry_run, "say what will happen, then stop");
  options.choice("on-bad-row", &on_bad_row, {"fail", "skip"}, "a line that cannot be read");
  options.list("gate", &gates, "ALIAS,..",
               "refuse rows whose prompts stand in a set of this alias's promotion gate");
  options.text("data-dir", &data_dir, "DIR", "of --gate: the data folder that knows the alias");
  options.text("organisation", &organisation, "O", "of --gate; empty = the only one there is");
  options.section("Steps");
  options.real("num-train-epochs", &config.num_train_epochs, "passes over the data");
  options.count("max-steps", &config.max_steps, "wins over epochs; 0 = by epochs");
  options.count("per-device-train-batch-size", &config.per_device_train_batch_size,
                "rows of a micro-batch");
  options.count("gradient-accumulation-steps", &config.gradient_accumulation_steps,
                "micro-batches of an optimiser step");
  options.choice("train-sampling-strategy", &train_sampling_strategy, {"random", "sequential"},
                 "order of the rows");
  options.count("max-length", &config.max_length, "tokens of a row at most; 0 = no cut");
  options.count("max-prompt-length", &config.max_prompt_length,
                "a prompt keeps its last tokens; 0 = no cut");
  options.section("Optimiser");
  options.real("learning-rate", &config.learning_rate, "peak rate");
  options.choice("lr-scheduler-type", &lr_scheduler_type, {"linear", "cosine", "constant"},
                 "how the rate falls");
  options.real("warmup-ratio", &config.warmup_ratio, "share of the steps that warm up");
  options.count("warmup-steps", &config.warmup_steps, "wins over the ratio");
  options.real("weight-decay", &config.weight_decay, "decoupled, on every trained tensor");
  options.real("adam-beta1", &config.adam_beta1, "");
  options.real("adam-beta2", &config.adam_beta2, "");
  options.real("adam-epsilon", &config.adam_epsilon, "");
  options.real("max-grad-norm", &config.max_grad_norm, "clipping; 0 = none");
  options.section("LoRA");
  options.count("lora-r", &config.lora_r, "rank; 0 = all weights are trained");
  options.real("lora-alpha", &config.lora_alpha, "0 = twice the rank");
  options.real("lora-dropout", &config.lora_dropout,
               "share of an adapter's inputs that a step leaves out");
  options.flag("use-rslora", &config.use_rslora, "scale alpha / sqrt(rank), not alpha / rank");
  options.flag("use-dora", &config.use_dora,
               "DoRA: a trained magnitude for each output, beside its direction");
  options.list("lora-target-modules", &config.lora_target_modules, "NAME,..",
               "q_proj, k_proj, ...; empty = all linear layers");
  options.section("Logs and checkpoints");
  options.count("logging-steps", &config.logging_steps, "lines of metrics.jsonl");
  options.count("eval-steps", &config.eval_steps, "0 = only at the end");
  options.count("save-steps", &config.save_steps, "checkpoints; 0 = only at the end");
  options.count("save-total-limit", &config.save_total_limit, "checkpoints that are kept; 0 = all");
  options.choice("report-to", &report_to, {"none", "tensorboard"},
                 "event files in the run directory, beside metrics.jsonl");
  options.flag("log-gradient-norms", &config.log_gradient_norms,
               "adds grad_norm/<tensor> to each logged step");
  options.section("Memory (none of these changes a bit, but for --no-prefix-sharing)");
  options.count("max-tokens-per-pass", &config.max_tokens_per_pass, "rows run together");
  options.flag("recompute", &config.recompute,
               "one layer keeps its activations, a third more forward work; without it as many as "
               "the memory allows");
  options.flag("no-prefix-sharing", &no_prefix_sharing,
               "compute a prompt once per answer: other bits");
}

bool TrainFlags::parse(Options& options, const std::vector<std::string>& arguments,
                       train::TrainConfig& config, CommonOptions& common) {
  const std::vector<std::string> words = options.parse(arguments);
  if (options.show_help()) return false;
  if (!words.empty())
    throw invalid_input("\"" + words[0] + "\" is not an option: did you mean --data?");
  options.require("model", model.model);
  if (instead_of_data != nullptr && !instead_of_data->empty()) {
    if (!data.empty()) {
      throw invalid_input(std::string("--data and --") + data_option +
                          " are both given: the second has its own prompts, leave out the first");
    }
    data = *instead_of_data;
  }
  options.require("data", data);
  if (!dry_run) options.require("output", output);
  if (gates.empty() && !(data_dir.empty() && organisation.empty())) {
    throw invalid_input("--data-dir and --organisation say where the alias of --gate is known");
  }
  using train::Scheduler;
  config.lr_scheduler_type = lr_scheduler_type == "linear"   ? Scheduler::kLinear
                             : lr_scheduler_type == "cosine" ? Scheduler::kCosine
                                                             : Scheduler::kConstant;
  config.train_sampling_strategy = train_sampling_strategy == "random"
                                       ? train::SamplingStrategy::kRandom
                                       : train::SamplingStrategy::kSequential;
  config.prefix_sharing = !no_prefix_sharing;
  config.report_to =
      report_to == "tensorboard" ? train::ReportTo::kTensorboard : train::ReportTo::kNone;
  config.seed = common.seed;
  adapt_to_ranks(common);
  train::validate(config);
  return true;
}

}  // namespace hone::cli
