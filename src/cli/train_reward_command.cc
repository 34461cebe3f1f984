// hone train reward: from preference pairs to a reward model.

#include <cstdio>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/train_methods.h"
#include "cli/training_progress.h"
#include "train/reward.h"

namespace hone::cli {

namespace {

size_t pair_size(const llm::PreferenceTokens& row) {
  return row.prompt.size() + row.chosen.size() + row.rejected.size();
}

// Tokenised whole: what is too long is left out by reward_pairs.
train::RewardPairs read_pairs(const data::Dataset& dataset, const LoadedModel& loaded,
                              const train::RewardConfig& config) {
  return train::reward_pairs(
      llm::tokenize_preferences(dataset.rows, loaded.codec_or_null(),
                                {0, config.max_prompt_length, true, false}, loaded.model.config),
      config.max_length);
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
  flags.add_to(options, config);
  options.section("Reward model");
  options.real("center-rewards-coefficient", &config.center_rewards_coefficient,
               "pulls the two scores of a pair towards 0; TRL advises 0.01; 0 = off");
  common.add_to(options);
  if (!flags.parse(options, arguments, config, common)) return 0;
  train::validate(config);

  const data::Dataset rows = load_train_rows(flags, flags.data, llm::preference_row_kinds());
  std::optional<data::Dataset> held_out;
  if (!flags.eval_data.empty()) {
    held_out = load_train_rows(flags, flags.eval_data, llm::preference_row_kinds());
    if (!common.quiet) warn_of_overlap(rows, *held_out);
  }
  LoadedModel loaded = open_model(flags.model);
  const train::RewardPairs examples = read_pairs(rows, loaded, config);
  train::RewardPairs eval_examples;
  if (held_out) eval_examples = read_pairs(*held_out, loaded, config);
  if (examples.pairs.empty()) {
    throw invalid_input("every pair of " + flags.data + " is longer than --max-length " +
                        std::to_string(config.max_length) +
                        ": a reward model reads an answer's end, so pairs are not cut; raise it");
  }

  TrainPlan plan;
  add_rows(plan, examples.pairs, pair_size);
  plan.too_long = examples.too_long;
  plan.eval_rows = eval_examples.pairs.size();
  check_train_plan(plan, config, loaded, nullptr, common, plan.longest);
  if (flags.dry_run) {
    std::printf("%s\n", plan.to_json().dump_pretty().c_str());
    return 0;
  }
  tensor::Compute compute(common.threads);
  prepare_model(compute, config, loaded, llm::HeadNeed::kScore);
  TrainingProgress progress("reward", plan.steps, common.quiet);
  train::TrainJob job =
      make_train_job(compute, loaded, flags, rows, held_out ? &*held_out : nullptr);
  progress.attach(job);
  const train::TrainResult result =
      train::train_reward(job, config, examples.pairs, eval_examples.pairs);
  progress.finish();
  return finish_training(result, job, flags, common, loaded);
}

}  // namespace hone::cli
