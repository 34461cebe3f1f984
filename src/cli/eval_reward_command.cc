// hone eval reward: does a reward model put the answer that people preferred above the other one?

#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/file_job.h"
#include "cli/preference_report.h"
#include "cli/progress.h"
#include "eval/reward.h"
#include "llm/reward_scoring.h"
#include "tensor/recipe.h"

namespace hone::cli {

namespace {

eval::Report reward_report(const FileJob& job, const std::string& data_digest,
                           std::vector<eval::ReportItem> items) {
  eval::Report report;
  report.measured = "reward";
  report.digests["data"] = data_digest;
  report.digests["model"] = model_digest(job.model.model);
  if (!job.model.adapter.empty()) report.digests["adapter"] = model_digest(job.model.adapter);
  report.program_version = program_version();
  report.program_commit = program_commit();
  report.recipe = tensor::kRecipe;
  report.better = eval::reward_metrics();
  report.primary = "reward_accuracy";
  report.items = std::move(items);
  return report;
}

void print(const eval::Report& report, const eval::AgainstChance& chance, bool json) {
  if (json) {
    Json out = report.to_json();
    out["against_chance"] = chance.to_json();
    std::printf("%s\n", out.dump_canonical().c_str());
    return;
  }
  std::printf("%zu judgements\n%s", report.items.size(), sums_text(report).c_str());
  std::printf(
      "  right on %llu, wrong on %llu, equal on %llu; by chance this or more: p = %.3g "
      "(exact, two-sided)\n",
      static_cast<unsigned long long>(chance.test.positive),
      static_cast<unsigned long long>(chance.test.negative),
      static_cast<unsigned long long>(chance.test.zero), chance.test.test.p);
}

// The held-out rows, of one kind or the other.
struct Judged {
  std::vector<llm::PreferenceTokens> pairs;
  std::vector<llm::StepTokens> steps;

  size_t size() const { return pairs.size() + steps.size(); }
  uint64_t bytes(const LoadedModel& loaded) const {
    std::vector<llm::PreferenceTokens> as_pairs = pairs;
    for (const llm::StepTokens& row : steps) {
      as_pairs.emplace_back();
      as_pairs.back().chosen = row.tokens;
    }
    return llm::pair_scoring_bytes(loaded.model.config, loaded.lora_rank(), as_pairs, {});
  }
};

Judged read_rows(const data::Dataset& dataset, const LoadedModel& loaded, size_t max_length,
                 const std::string& separator) {
  Judged judged;
  const std::vector<std::string> names = data::unique_row_names(dataset.rows);
  const bool in_steps = !dataset.rows.empty() && dataset.rows[0].kind == data::RowKind::kStepwise;
  for (const data::Row& row : dataset.rows) {
    if ((row.kind == data::RowKind::kStepwise) == in_steps) continue;
    throw invalid_input(row.file + ":" + std::to_string(row.line) +
                        ": pairs and rows of steps cannot be mixed: measure them one by one");
  }
  if (in_steps) {
    judged.steps = llm::tokenize_steps(dataset.rows, loaded.codec_or_null(), separator, false,
                                       max_length, loaded.model.config);
    for (size_t i = 0; i < names.size(); ++i) judged.steps[i].name = names[i];
    return judged;
  }
  judged.pairs = name_pairs(llm::tokenize_preferences(dataset.rows, loaded.codec_or_null(),
                                                      {0, 0, true, false}, loaded.model.config),
                            names);
  for (const llm::PreferenceTokens& pair : judged.pairs) {
    const size_t longest = pair.prompt.size() + std::max(pair.chosen.size(), pair.rejected.size());
    if (max_length == 0 || longest <= max_length) continue;
    throw invalid_input("pair " + pair.name + " has " + std::to_string(longest) +
                        " tokens, more than --max-length: a score reads an answer's end, so pairs "
                        "are not cut");
  }
  return judged;
}

}  // namespace

int eval_reward(const Arguments& arguments) {
  FileJob job;
  size_t max_length = 0;
  std::string separator = "\n";
  Options options("eval reward", "does a reward model agree with people on pairs it has not seen?",
                  "--model M [--adapter A] --data E.jsonl [--output R.json]");
  options.example("hone eval reward --model m.gguf --adapter run/final --data heldout.jsonl",
                  "share of pairs whose chosen answer scores higher, its interval, an exact test");
  options.example("hone eval reward --model run/final --data heldout.jsonl --output after.json",
                  "of a run that trained all weights; reports compare with hone compare");
  job.add_to(options, {.input_help = "held-out preference rows, or rows of steps (JSONL or CSV)",
                       .output_metavar = "FILE.json",
                       .output_help = "the report, per item (docs/formats/report.md)"});
  options.count("max-length", &max_length,
                "longer pairs are refused, rows of steps are cut; 0 = up to the context");
  options.text("step-separator", &separator, "TEXT", "of rows of steps, as in training");
  job.common.add_to(options);
  if (!job.parse(options, arguments)) return 0;
  std::vector<data::RowKind> kinds = llm::preference_row_kinds();
  for (data::RowKind kind : llm::stepwise_row_kinds()) kinds.push_back(kind);
  const data::Dataset dataset = job.load_rows(std::move(kinds));
  LoadedModel loaded = open_model(job.model);
  if (!loaded.has_score_head()) {
    throw invalid_input("--model " + job.model.model +
                        (job.model.adapter.empty() ? "" : " with --adapter " + job.model.adapter) +
                        " has no score head: train one with hone train reward, or use hone eval "
                        "preferences for a model that writes");
  }
  Judged judged = read_rows(dataset, loaded, max_length, separator);
  MemoryPlan plan;
  plan.add_model(loaded);
  plan.add("activations", judged.bytes(loaded));
  Json counts = Json::object();
  counts["rows"] = uint64_t{judged.size()};
  if (job.planned_only(plan, "hone eval reward", std::move(counts), "leave out the longest rows")) {
    return 0;
  }
  tensor::Compute compute(job.common.threads);
  load_weights(compute, loaded, llm::HeadNeed::kScore);
  Progress progress("eval", "rows", judged.size(), job.common.quiet);
  const auto tell = [&](size_t done) {
    progress.update(done);
    stop_if_interrupted("nothing was written; the same command starts again");
  };
  const llm::LoraAdapter* adapter = loaded.adapter_or_null();
  std::vector<eval::ReportItem> items;
  if (judged.steps.empty()) {
    items = eval::reward_items(
        judged.pairs,
        llm::score_pairs_by_head(compute, loaded.model, adapter, judged.pairs, {}, tell));
  } else {
    items = eval::step_items(
        judged.steps, llm::score_steps(compute, loaded.model, adapter, judged.steps, {}, tell));
  }
  progress.finish();
  const eval::Report report = reward_report(job, dataset.digest, std::move(items));
  if (!job.output.empty()) eval::write_report(real_env(), job.output, report, job.overwrite);
  print(report, eval::against_chance(report), job.common.json);
  return 0;
}

}  // namespace hone::cli
