// hone train orpo | cpo: preference pairs without a reference model.

#include <algorithm>

#include "cli/commands.h"
#include "cli/compat_option.h"
#include "cli/train_methods.h"
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
  const TrainFiles files = read_train_files(flags, llm::preference_row_kinds(), common);
  LoadedModel loaded = open_model(flags.model);
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length, true, false};
  const auto tokenize = [&](const data::Dataset& dataset) {
    return llm::tokenize_preferences(dataset.rows, loaded.codec_or_null(), cut,
                                     loaded.model.config);
  };
  const Pairs examples = tokenize(files.rows),
              eval_examples = files.held_out ? tokenize(*files.held_out) : Pairs();
  TrainPlan plan;
  add_rows(plan, examples, pair_size);
  plan.eval_rows = eval_examples.size();
  check_train_plan(plan, config, loaded, nullptr, common, plan.longest);
  return run_training(method, plan, config, flags, common, loaded, files,
                      [&](tensor::Compute&, train::TrainJob& job) {
                        return train(job, config, examples, eval_examples);
                      });
}

}  // namespace

int train_orpo(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  train::OrpoConfig config;
  CompatOption compat;
  Options options("train orpo",
                  "odds ratio preference optimisation: answers and preferences in one loss.",
                  "--model M --data D.jsonl --output RUN");
  options.example(
      "hone train orpo --model m.gguf --data pairs.jsonl --output run --lora-r 16 "
      "--learning-rate 5e-5",
      "a LoRA adapter, without a reference model");
  flags.add_to(options, config);
  options.section("ORPO");
  options.real("beta", &config.beta, "weight of the odds ratio beside the answers' likelihood");
  compat.add_to(options);
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  compat.set(config);
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
      "hone train cpo --model m.gguf --data pairs.jsonl --output run --lora-r 16 "
      "--learning-rate 5e-5",
      "CPO: preferences, and the chosen answers' likelihood");
  options.example(
      "hone train cpo --model m.gguf --data pairs.jsonl --output run --loss-type simpo "
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
