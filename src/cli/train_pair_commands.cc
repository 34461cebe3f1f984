// hone train orpo | cpo: preference pairs without a reference model.

#include <algorithm>
#include <cstdio>

#include "cli/commands.h"
#include "cli/train_methods.h"
#include "cli/training_progress.h"
#include "train/cpo.h"
#include "train/orpo.h"

namespace hone::cli {

namespace {

using Pairs = std::vector<llm::PreferenceTokens>;

size_t pair_size(const llm::PreferenceTokens& row) {
  return row.prompt.size() + row.chosen.size() + row.rejected.size();
}

// From the options that were read to the end of the run.
template <typename Config, typename Train>
int run_pairs(const char* method, const TrainFlags& flags, const Config& config,
              const CommonOptions& common, const Train& train) {
  const data::Dataset rows = load_train_rows(flags, flags.data, llm::preference_row_kinds());
  std::optional<data::Dataset> held_out;
  if (!flags.eval_data.empty()) {
    held_out = load_train_rows(flags, flags.eval_data, llm::preference_row_kinds());
    if (!common.quiet) warn_of_overlap(rows, *held_out);
  }
  LoadedModel loaded = open_model(flags.model);
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length, true, false};
  const auto tokenize = [&](const data::Dataset& dataset) {
    return llm::tokenize_preferences(dataset.rows, loaded.codec_or_null(), cut,
                                     loaded.model.config);
  };
  const Pairs examples = tokenize(rows), eval_examples = held_out ? tokenize(*held_out) : Pairs();
  TrainPlan plan;
  add_rows(plan, examples, pair_size);
  plan.eval_rows = eval_examples.size();
  check_train_plan(plan, config, loaded, nullptr, common, plan.longest);
  if (flags.dry_run) {
    std::printf("%s\n", plan.to_json().dump_pretty().c_str());
    return 0;
  }
  tensor::Compute compute(common.threads);
  prepare_model(compute, config, loaded);
  TrainingProgress progress(method, plan.steps, common.quiet);
  train::TrainJob job =
      make_train_job(compute, loaded, flags, rows, held_out ? &*held_out : nullptr);
  progress.attach(job);
  const train::TrainResult result = train(job, config, examples, eval_examples);
  progress.finish();
  return finish_training(result, job, flags, common, loaded);
}

}  // namespace

int train_orpo(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  train::OrpoConfig config;
  Options options("train orpo",
                  "odds ratio preference optimisation: answers and preferences "
                  "in one loss.",
                  "--model M --data D.jsonl --output RUN");
  options.example(
      "hone train orpo --model m.gguf --data pairs.jsonl --output "
      "run --lora-r 16 "
      "--learning-rate 5e-5",
      "a LoRA adapter, without a reference model");
  flags.add_to(options, config);
  options.section("ORPO");
  options.real("beta", &config.beta, "weight of the odds ratio beside the answers' likelihood");
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  train::validate(config);
  return run_pairs("orpo", flags, config, common, train::train_orpo);
}

int train_cpo(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  train::CpoConfig config;
  std::string loss_type = "sigmoid";
  Options options("train cpo", "contrastive preference optimisation and SimPO: no reference model.",
                  "--model M --data D.jsonl --output RUN");
  options.example(
      "hone train cpo --model m.gguf --data pairs.jsonl --output "
      "run --lora-r 16 "
      "--learning-rate 5e-5",
      "CPO: preferences, and the chosen answers' likelihood");
  options.example(
      "hone train cpo --model m.gguf --data pairs.jsonl --output "
      "run --loss-type simpo "
      "--cpo-alpha 0 --beta 2 --simpo-gamma 1",
      "SimPO");
  flags.add_to(options, config);
  options.section("CPO");
  options.choice("loss-type", &loss_type, {"sigmoid", "hinge", "ipo", "simpo"},
                 "what is asked of the difference between the two answers");
  options.real("beta", &config.beta, "how sharp the difference is read");
  options.real("label-smoothing", &config.label_smoothing, "share of labels that are wrong");
  options.real("cpo-alpha", &config.cpo_alpha, "weight of the chosen answers' likelihood");
  options.real("simpo-gamma", &config.simpo_gamma, "of simpo: the margin that is wanted");
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  config.loss_type = *train::cpo_loss_from_name(loss_type);
  train::validate(config);
  return run_pairs("cpo", flags, config, common, train::train_cpo);
}

}  // namespace hone::cli
