// hone train reward: from preference pairs to a reward model.

#include "base/error.h"
#include "cli/commands.h"
#include "cli/train_methods.h"
#include "train/reward.h"

namespace hone::cli {

namespace {

size_t pair_size(const llm::PreferenceTokens& row) {
  return row.prompt.size() + row.chosen.size() + row.rejected.size();
}
size_t step_size(const llm::StepTokens& row) { return row.tokens.size(); }

// One of the two kinds of rows, tokenised.
struct RewardRows {
  train::RewardPairs pairs;
  std::vector<llm::StepTokens> steps;

  bool empty() const { return pairs.pairs.empty() && steps.empty(); }
};

bool holds_steps(const data::Dataset& dataset) {
  return !dataset.rows.empty() && dataset.rows[0].kind == data::RowKind::kStepwise;
}

// Pairs are tokenised whole: what is too long is left out by reward_pairs.
RewardRows tokenize(const data::Dataset& dataset, const LoadedModel& loaded,
                    const train::RewardConfig& config) {
  for (const data::Row& row : dataset.rows) {
    if ((row.kind == data::RowKind::kStepwise) == config.process) continue;
    throw invalid_input(row.file + ":" + std::to_string(row.line) +
                        ": pairs and rows of steps cannot be mixed: a model learns the one or the "
                        "other");
  }
  const llm::TextCodec* codec = loaded.codec_or_null();
  RewardRows rows;
  if (config.process) {
    rows.steps =
        llm::tokenize_steps(dataset.rows, codec, config.step_separator,
                            config.train_on_last_step_only, config.max_length, loaded.model.config);
  } else {
    rows.pairs = train::reward_pairs(
        llm::tokenize_preferences(dataset.rows, codec, {0, config.max_prompt_length, true, false},
                                  loaded.model.config),
        config.max_length);
  }
  return rows;
}

std::vector<data::RowKind> row_kinds() {
  std::vector<data::RowKind> kinds = llm::preference_row_kinds();
  for (data::RowKind kind : llm::stepwise_row_kinds()) kinds.push_back(kind);
  return kinds;
}

TrainPlan plan_of(const RewardRows& rows, const RewardRows& eval_rows) {
  TrainPlan plan;
  if (rows.steps.empty()) {
    add_rows(plan, rows.pairs.pairs, pair_size);
    plan.too_long = rows.pairs.too_long;
  } else {
    add_rows(plan, rows.steps, step_size);
  }
  plan.eval_rows = eval_rows.pairs.pairs.size() + eval_rows.steps.size();
  return plan;
}

void add_options(Options& options, train::RewardConfig& config) {
  options.section("Reward model");
  options.real("center-rewards-coefficient", &config.center_rewards_coefficient,
               "of pairs: pulls the two scores towards 0; TRL advises 0.01; 0 = off");
  options.text("step-separator", &config.step_separator, "TEXT",
               "of rows of steps: what follows each step");
  options.flag("train-on-last-step-only", &config.train_on_last_step_only,
               "of rows of steps: the last label alone");
}

}  // namespace

int train_reward(const Arguments& arguments) {
  CommonOptions common;
  TrainFlags flags;
  train::RewardConfig config;
  Options options("train reward", "a reward model: learn to score the better answer higher.",
                  "--model M --data D.jsonl --output RUN");
  options.example(
      "hone train reward --model m.gguf --data pairs.jsonl --output run --lora-r 16 "
      "--eval-data heldout.jsonl",
      "a LoRA adapter with its score head, from preference pairs");
  options.example(
      "hone train reward --model m.gguf --data pairs.jsonl --output run "
      "--center-rewards-coefficient 0.01",
      "all weights; scores stay around 0");
  options.example("hone eval reward --model m.gguf --adapter run/final --data heldout.jsonl",
                  "how often it agrees with people on pairs it has not seen");
  options.example("hone train reward --model m.gguf --data steps.jsonl --output run --lora-r 16",
                  "rows {prompt, completions, labels}: a process reward model, a score a step");
  flags.add_to(options, config);
  add_options(options, config);
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  train::validate(config);

  const TrainFiles files = read_train_files(flags, row_kinds(), common);
  config.process = holds_steps(files.rows);
  LoadedModel loaded = open_model(flags.model);
  const RewardRows rows = tokenize(files.rows, loaded, config);
  const RewardRows eval_rows =
      files.held_out ? tokenize(*files.held_out, loaded, config) : RewardRows();
  if (rows.empty()) {
    throw invalid_input("every pair of " + flags.data + " is longer than --max-length " +
                        std::to_string(config.max_length) +
                        ": a reward model reads an answer's end, so pairs are not cut; raise it");
  }

  TrainPlan plan = plan_of(rows, eval_rows);
  check_train_plan(plan, config, loaded, nullptr, common, plan.longest);
  return run_training(
      "reward", plan, config, flags, common, loaded, files,
      [&](tensor::Compute&, train::TrainJob& job) {
        return config.process
                   ? train::train_process_reward(job, config, rows.steps, eval_rows.steps)
                   : train::train_reward(job, config, rows.pairs.pairs, eval_rows.pairs.pairs);
      },
      llm::HeadNeed::kScore);
}

}  // namespace hone::cli
