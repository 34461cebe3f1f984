#include "cli/eval_rewards.h"

#include <algorithm>
#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/file_job.h"
#include "cli/preference_report.h"
#include "cli/progress.h"
#include "eval/report.h"
#include "reward/builtin.h"
#include "tensor/recipe.h"
#include "train/online.h"

namespace hone::cli {

namespace {

constexpr size_t kPromptsAtOnce = 32;

struct RewardFlags {
  std::vector<std::string> specs;
  std::vector<double> weights;
  size_t n = 1;
  SamplingFlags sampling;
};

std::vector<reward::Sample> samples_of(const llm::PromptTokens& prompt, const train::Group& group) {
  std::vector<reward::Sample> samples;
  for (const train::Completion& c : group.completions) {
    samples.push_back(
        {prompt.text, c.text, prompt.ids, c.ids, c.ended, &prompt.columns, prompt.where});
  }
  return samples;
}

// Means over a prompt's answers; an answer without a value earns 0, so that every item has all.
eval::ReportItem item_of(const std::string& id, const reward::Functions& functions,
                         const RewardFlags& flags,
                         const std::vector<std::vector<train::Reward>>& rewards) {
  eval::ReportItem item{id, {}};
  const double n = static_cast<double>(rewards.size());
  double sum = 0;
  for (const auto& of_answer : rewards) {
    sum += reward::weighted_sum(of_answer, flags.weights).value_or(0) / n;
  }
  item.values.emplace_back("reward", sum);
  if (functions.size() == 1) return item;
  for (size_t k = 0; k < functions.size(); ++k) {
    double mean = 0;
    for (const auto& of_answer : rewards) mean += of_answer[k].value_or(0) / n;
    item.values.emplace_back("rewards/" + functions[k]->name(), mean);
  }
  return item;
}

Json settings_of(const RewardFlags& flags) {
  Json json = Json::object(), specs = Json::array(), weights = Json::array(), stop = Json::array();
  for (const std::string& spec : flags.specs) specs.push_back(spec);
  for (double weight : flags.weights) weights.push_back(weight);
  for (const std::string& text : flags.sampling.stop) stop.push_back(text);
  json["rewards"] = std::move(specs);
  json["reward_weights"] = std::move(weights);
  json["n"] = uint64_t{flags.n};
  json["max_tokens"] = uint64_t{flags.sampling.max_tokens};
  json["temperature"] = flags.sampling.sampling.temperature;
  json["top_p"] = flags.sampling.sampling.top_p;
  json["top_k"] = uint64_t{flags.sampling.sampling.top_k};
  json["min_p"] = flags.sampling.sampling.min_p;
  json["repetition_penalty"] = flags.sampling.sampling.repetition_penalty;
  json["presence_penalty"] = flags.sampling.sampling.presence_penalty;
  json["frequency_penalty"] = flags.sampling.sampling.frequency_penalty;
  json["stop"] = std::move(stop);
  return json;
}

eval::Report empty_report(const FileJob& job, const RewardFlags& flags, const std::string& data) {
  eval::Report report;
  report.measured = "rewards";
  report.digests["data"] = data;
  report.digests["model"] = model_digest(job.model.model);
  if (!job.model.adapter.empty()) report.digests["adapter"] = model_digest(job.model.adapter);
  report.settings = settings_of(flags);
  report.seeds["seed"] = job.common.seed;
  report.program_version = program_version();
  report.program_commit = program_commit();
  report.recipe = tensor::kRecipe;
  report.better["reward"] = eval::Better::kHigher;
  report.primary = "reward";
  return report;
}

void add_options(Options& options, FileJob& job, RewardFlags& flags) {
  options.example(
      "hone eval rewards --model m.gguf --data heldout.jsonl --reward numeric --temperature 0 "
      "--output before.json",
      "how many greedy answers are right");
  options.example(
      "hone eval rewards --model run/final --data heldout.jsonl --reward numeric --n 8 "
      "--output after.json",
      "the mean of eight drawn answers; then: hone compare before.json after.json");
  job.add_to(options, {.input_help = "held-out prompts with the columns that rewards read",
                       .output_metavar = "FILE.json",
                       .output_help = "the report, per prompt (docs/formats/report.md)"});
  options.texts("reward", &flags.specs, "SPEC",
                "as for hone train grpo; several times for several");
  options.reals("reward-weights", &flags.weights, "one for each reward; empty = 1 each");
  options.count("n", &flags.n, "answers to a prompt");
  flags.sampling.add_to(options);
  job.common.add_to(options);
}

}  // namespace

int eval_rewards(const Arguments& arguments) {
  FileJob job;
  RewardFlags flags;
  Options options("eval rewards", "what do the model's answers to held-out prompts earn?",
                  "--model M --data PROMPTS.jsonl --reward SPEC [--output R.json]");
  add_options(options, job, flags);
  if (!job.parse(options, arguments)) return 0;
  if (flags.n == 0) throw invalid_input("--n 0: ask for at least one answer");
  llm::validate(flags.sampling.sampling);
  reward::Functions functions;
  for (const std::string& spec : flags.specs) {
    functions.push_back(reward::make_reward(real_env(), spec));
  }
  reward::check_functions(functions, flags.weights);
  const data::Dataset dataset = job.load_rows(llm::prompt_row_kinds());
  LoadedModel loaded = open_model(job.model);
  const auto prompts = llm::tokenize_prompts(dataset.rows, loaded.codec_or_null(),
                                             {0, 0, true, false}, loaded.model.config);
  const auto names = data::unique_row_names(dataset.rows);
  train::RolloutOptions rollout;
  rollout.num_generations = flags.n;
  rollout.max_completion_length = flags.sampling.max_tokens;
  rollout.sampling = flags.sampling.sampling;
  rollout.seed = job.common.seed;
  rollout.stop = flags.sampling.stop;
  MemoryPlan plan;
  plan.add_model(loaded);
  plan.add("keys and values",
           train::Rollouts::planned_bytes(loaded.model.config, rollout, loaded.lora_rank(),
                                          train::longest_prompt(prompts)));
  Json counts = Json::object();
  counts["prompts"] = uint64_t{prompts.size()};
  if (job.planned_only(plan, "hone eval rewards", std::move(counts),
                       "use a smaller --max-tokens")) {
    return 0;
  }
  tensor::Compute compute(job.common.threads);
  load_weights(compute, loaded);
  train::Rollouts rollouts(
      compute,
      {&loaded.model, loaded.adapter_or_null(), loaded.codec ? &loaded.codec->tokenizer() : nullptr,
       loaded.end_of_generation},
      rollout, train::longest_prompt(prompts));
  eval::Report report = empty_report(job, flags, dataset.digest);
  Progress progress("eval", "prompts", prompts.size(), job.common.quiet);
  for (size_t first = 0; first < prompts.size(); first += kPromptsAtOnce) {
    std::vector<size_t> chosen;
    for (size_t i = first; i < std::min(first + kPromptsAtOnce, prompts.size()); ++i) {
      chosen.push_back(i);
    }
    for (const train::Group& group : rollouts.generate(prompts, chosen, "evaluation", 0, first)) {
      const auto rewards = reward::score_all(functions, samples_of(prompts[group.prompt], group));
      report.items.push_back(item_of(names[group.prompt], functions, flags, rewards));
    }
    progress.update(report.items.size());
    stop_if_interrupted("nothing was written; the same command starts again");
  }
  progress.finish();
  if (!job.output.empty()) eval::write_report(real_env(), job.output, report, job.overwrite);
  if (job.common.json) {
    std::printf("%s\n", report.to_json().dump_canonical().c_str());
  } else {
    std::printf("%zu prompts\n%s", prompts.size(), sums_text(report).c_str());
  }
  return 0;
}

}  // namespace hone::cli
