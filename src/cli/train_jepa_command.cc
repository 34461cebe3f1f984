// hone train jepa, and the same as options of hone train sft.

#include <algorithm>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/train_jepa.h"
#include "cli/train_methods.h"

namespace hone::cli {

namespace {

using Views = std::vector<llm::ViewTokens>;

size_t view_size(const llm::ViewTokens& row) { return row.row.tokens.size(); }

}  // namespace

void JepaOptions::add_to(Options& options, train::JepaConfig& config) {
  options.real("jepa-lambda", &config.jepa_lambda, "weight of the representations' distance");
  options.real("jepa-gamma", &config.jepa_gamma, "weight of the next-token loss beside it");
  options.choice("jepa-loss", &loss, {"cosine", "l2", "mse", "infonce"},
                 "distance of the two views' representations");
  options.real("jepa-temperature", &config.jepa_temperature, "of infonce");
  options.count("jepa-predictors", &config.jepa_predictors,
                "trained tokens behind the first view, 0 to 16");
  options.real("jepa-dropout", &config.jepa_dropout,
               "share of the steps that leave the views out, which then cost what sft does");
}

void JepaOptions::complete(train::JepaConfig& config) const {
  config.jepa_loss = *train::jepa_loss_from_name(loss);
  train::validate(config);
}

void JepaOptions::check_unused(const train::JepaConfig& config) const {
  const train::JepaConfig defaults;
  if (loss == "cosine" && config.jepa_gamma == defaults.jepa_gamma &&
      config.jepa_temperature == defaults.jepa_temperature && config.jepa_predictors == 0 &&
      config.jepa_dropout == 0) {
    return;
  }
  throw invalid_input("--jepa-lambda is 0, so no other --jepa option means anything: give it too");
}

int run_jepa(const TrainFlags& flags, const train::JepaConfig& config,
             const CommonOptions& common) {
  const TrainFiles files = read_train_files(flags, llm::sft_row_kinds(), common);
  LoadedModel loaded = open_model(flags.model);
  const llm::TokenizeOptions cut = {config.max_length, config.max_prompt_length,
                                    config.completion_only_loss, config.assistant_only_loss};
  const auto tokenize = [&](const data::Dataset& dataset) {
    return llm::tokenize_views(dataset.rows, loaded.codec_or_null(), cut, config.jepa_predictors,
                               loaded.model.config);
  };
  const Views examples = tokenize(files.rows),
              eval_examples = files.held_out ? tokenize(*files.held_out) : Views();
  TrainPlan plan;
  plan.rows = plan.sequences = examples.size();
  plan.eval_rows = eval_examples.size();
  for (const llm::ViewTokens& row : examples) {
    plan.tokens += view_size(row);
    plan.longest = std::max(plan.longest, view_size(row));
    plan.cut_rows += row.row.cut > 0 ? 1 : 0;
    plan.cut_tokens += row.row.cut;
  }
  check_train_plan(plan, config, loaded, nullptr, common,
                   largest_view_tree(config, loaded.model.config, examples));
  return run_training("jepa", plan, config, flags, common, loaded, files,
                      [&](tensor::Compute&, train::TrainJob& job) {
                        return train::train_jepa(job, config, examples, eval_examples);
                      });
}

size_t largest_view_tree(const train::JepaConfig& config, const llm::ModelConfig& model,
                         const std::vector<llm::ViewTokens>& rows) {
  size_t largest = 0;
  const llm::ViewTokens::Layout layout = train::view_layout(config, model);
  for (const llm::ViewTokens& row : rows) {
    largest = std::max(largest, row.tree(layout).tree.row_count());
  }
  return largest;
}

int train_jepa(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  train::JepaConfig config;
  JepaOptions jepa;
  Options options("train jepa",
                  "LLM-JEPA: learn the shown answers, and that a prompt foretells their meaning.",
                  "--model M --data D.jsonl --output RUN");
  options.example(
      "hone train jepa --model m.gguf --data commands.jsonl --output run --lora-r 16 "
      "--jepa-lambda 1 --jepa-predictors 1",
      "prompts and completions are the two views");
  options.example(
      "hone train jepa --model m.gguf --data commands.jsonl --output run --lora-r 16 "
      "--jepa-dropout 0.75",
      "three steps of four cost what sft does");
  options.example(
      "hone train sft --model m.gguf --data commands.jsonl --output run --jepa-lambda 1",
      "the same method as an option of sft");
  flags.add_to(options, config);
  options.section("JEPA");
  jepa.add_to(options, config);
  options.flag("completion-only-loss", &config.completion_only_loss,
               "of prompt-completion rows: the prompt is not trained (default true)");
  options.flag("assistant-only-loss", &config.assistant_only_loss,
               "of message rows: only what the assistant says");
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  jepa.complete(config);
  return run_jepa(flags, config, common);
}

}  // namespace hone::cli
