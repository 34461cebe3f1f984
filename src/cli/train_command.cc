// hone train: the table of methods; sft and dpo: from a file of rows to an adapter or a model.

#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/compat_option.h"
#include "cli/train_jepa.h"
#include "cli/train_methods.h"
#include "cli/train_options.h"
#include "data/dataset.h"
#include "train/dpo.h"
#include "train/sft.h"

namespace hone::cli {

namespace {

size_t sft_size(const llm::SftTokens& row) { return row.tokens.size(); }
size_t pair_size(const llm::PreferenceTokens& row) {
  return row.prompt.size() + row.chosen.size() + row.rejected.size();
}

int train_sft(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  train::JepaConfig config;  // sft's, and what --jepa-lambda adds
  config.jepa_lambda = 0;
  JepaOptions jepa;
  Options options("train sft", "supervised fine-tuning: learn the shown answers.",
                  "--model M --data D.jsonl --output RUN");
  options.example("hone train sft --model m.gguf --data answers.jsonl --output run --lora-r 16",
                  "a LoRA adapter; the base may stay quantised");
  options.example(
      "hone train sft --model m.gguf --data chats.jsonl --output run "
      "--learning-rate 2e-5 --assistant-only-loss",
      "all weights, on what the assistant says");
  options.example("hone train sft --config sft.yaml --resume", "go on with an interrupted run");
  flags.add_to(options, config);
  options.section("SFT");
  options.flag(
      "packing", &config.packing,
      "a batch counts sequences of several rows, up to --max-length tokens; rows never see "
      "each other and nothing is padded either way");
  options.flag("completion-only-loss", &config.completion_only_loss,
               "of prompt-completion rows: the prompt is not trained (default true)");
  options.flag("assistant-only-loss", &config.assistant_only_loss,
               "of message rows: only what the assistant says");
  options.section("JEPA beside it (hone train jepa; --jepa-lambda 0 = off)");
  jepa.add_to(options, config);
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  if (config.jepa_lambda != 0) {
    jepa.complete(config);
    return run_jepa(flags, config, common);
  }
  jepa.check_unused(config);
  train::validate(static_cast<const train::SftConfig&>(config));

  const TrainFiles files = read_train_files(flags, llm::sft_row_kinds(), common);
  LoadedModel loaded = open_model(flags.model);
  const llm::TextCodec* codec = loaded.codec_or_null();
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length,
                                    config.completion_only_loss, config.assistant_only_loss};
  const auto examples = llm::tokenize_sft(files.rows.rows, codec, cut, loaded.model.config);
  std::vector<llm::SftTokens> eval_examples;
  if (files.held_out)
    eval_examples = llm::tokenize_sft(files.held_out->rows, codec, cut, loaded.model.config);

  TrainPlan plan;
  add_rows(plan, examples, sft_size);
  plan.eval_rows = eval_examples.size();
  plan.sequences = train::sft_units(config, examples).size();
  check_train_plan(plan, config, loaded, nullptr, common, plan.longest);
  return run_training("sft", plan, config, flags, common, loaded, files,
                      [&](tensor::Compute&, train::TrainJob& job) {
                        return train::train_sft(job, config, examples, eval_examples);
                      });
}

int train_dpo(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  train::DpoConfig config;
  std::vector<std::string> losses = {"sigmoid"};
  std::string ref_model;
  std::string divergence = "reverse_kl";
  double ld_alpha = 1;
  bool precompute = true;
  CompatOption compat;
  Options options("train dpo", "direct preference optimisation: learn which answer is better.",
                  "--model M --data D.jsonl --output RUN");
  options.example(
      "hone train dpo --model m.gguf --data pairs.jsonl --output run --lora-r 16 "
      "--learning-rate 5e-5",
      "a LoRA adapter from preference pairs");
  options.example(
      "hone train dpo --model m.gguf --data pairs.jsonl --output run --lora-r 16 "
      "--loss-type sigmoid,sft --loss-weights 1,0.5",
      "RPO: keep the chosen answers likely");
  options.example("hone train dpo --model m.gguf --data pairs.jsonl --output run --dry-run",
                  "what will happen: rows, cuts, memory, steps");
  flags.add_to(options, config);
  options.section("DPO");
  options.real("beta", &config.beta, "how far the policy may leave the reference");
  options.list("loss-type", &losses, "LOSS,..",
               "one or several of: sigmoid hinge ipo robust exo_pair nca_pair bco_pair sppo_hard "
               "apo_zero apo_down discopop sigmoid_norm aot aot_unpaired sft");
  options.reals("loss-weights", &config.loss_weights, "one number for each loss; empty = 1 each");
  options.real("label-smoothing", &config.label_smoothing, "share of labels that are wrong");
  options.choice("f-divergence-type", &divergence,
                 {"reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"},
                 "what holds the policy to the reference");
  options.real("f-alpha-divergence-coef", &config.f_alpha_divergence_coef,
               "alpha of alpha_divergence");
  options.real("ld-alpha", &ld_alpha,
               "what tokens beyond the shorter answer count, 0 to 1 (LD-DPO); not given = 1");
  options.text("ref-model", &ref_model, "MODEL", "reference; empty = the model before training");
  options.flag("reference-free", &config.reference_free, "reference log-probabilities are 0");
  options.flag("precompute-ref-log-probs", &precompute,
               "accepted for TRL's sake: they are always computed once");
  compat.add_to(options);
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  config.loss_type.clear();
  for (const std::string& name : losses) {
    const auto type = train::preference_loss_from_name(name);
    if (!type) {
      const std::string close = nearest(name, train::preference_loss_names());
      throw invalid_input("--loss-type \"" + name + "\" is not known" +
                          (close.empty() ? "" : "; did you mean " + close + "?") +
                          " (hone train dpo --help lists them)");
    }
    config.loss_type.push_back(*type);
  }
  using train::FDivergence;
  for (FDivergence each :
       {FDivergence::kReverseKl, FDivergence::kForwardKl, FDivergence::kJs, FDivergence::kAlpha}) {
    if (train::name(each) == divergence) config.f_divergence_type = each;
  }
  if (options.was_given("ld-alpha")) config.ld_alpha = ld_alpha;
  compat.set(config);
  train::validate(config);

  const TrainFiles files = read_train_files(flags, llm::preference_row_kinds(), common);
  LoadedModel loaded = open_model(flags.model);
  const llm::TextCodec* codec = loaded.codec_or_null();
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length, true, false};
  const auto examples = llm::tokenize_preferences(files.rows.rows, codec, cut, loaded.model.config);
  std::vector<llm::PreferenceTokens> eval_examples;
  if (files.held_out) {
    eval_examples =
        llm::tokenize_preferences(files.held_out->rows, codec, cut, loaded.model.config);
  }
  std::optional<LoadedModel> reference;
  if (!ref_model.empty() && !config.reference_free) {
    reference = open_reference(ref_model, loaded);
  }

  TrainPlan plan;
  add_rows(plan, examples, pair_size);
  plan.eval_rows = eval_examples.size();
  check_train_plan(plan, config, loaded, reference ? &*reference : nullptr, common, plan.longest);
  return run_training(
      "dpo", plan, config, flags, common, loaded, files,
      [&](tensor::Compute& compute, train::TrainJob& job) {
        train::DpoReference dpo_reference;
        dpo_reference.digest = job.manifest.digests["model"];
        if (reference) {
          load_weights(compute, *reference);
          dpo_reference.model = &reference->model;
          dpo_reference.digest = job.manifest.digests["ref_model"] = model_digest(ref_model);
          job.sources["ref_model"] = absolute_path(ref_model);
        }
        return train::train_dpo(job, config, examples, eval_examples, dpo_reference);
      });
}

}  // namespace

int run_train(const Arguments& arguments) {
  constexpr Object kMethods[] = {
      {"sft", "supervised fine-tuning: learn the shown answers", train_sft},
      {"dpo", "direct preference optimisation: learn which answer is better", train_dpo},
      {"grpo", "learn from rewards of the model's own answers", train_grpo},
      {"rloo", "learn from rewards, each answer against its group's others", train_rloo},
      {"online_dpo", "DPO on the better and the worse of two own answers", train_online_dpo},
      {"reward", "a reward model: learn to score the better answer higher", train_reward},
      {"ppo", "learn from rewards with a value head (PPO)", train_ppo},
      {"kto", "learn from answers that were judged one by one", train_kto},
      {"orpo", "answers and preferences in one loss, without a reference", train_orpo},
      {"cpo", "CPO and SimPO: preferences without a reference", train_cpo},
      {"jepa", "LLM-JEPA: a prompt foretells its answer's representation", train_jepa},
      {"distill", "learn what a larger model would say, word by word", train_distill},
  };
  return run_object("train", "from a file of rows to an adapter or a model.", kMethods, arguments);
}

}  // namespace hone::cli
