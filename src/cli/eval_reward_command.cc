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
                           const std::vector<llm::PreferenceTokens>& pairs,
                           const std::vector<llm::PairSums>& scores) {
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
  report.items = eval::reward_items(pairs, scores);
  return report;
}

void print(const eval::Report& report, const eval::AgainstChance& chance, bool json) {
  if (json) {
    Json out = report.to_json();
    out["against_chance"] = chance.to_json();
    std::printf("%s\n", out.dump_canonical().c_str());
    return;
  }
  std::printf("%zu pairs\n%s", report.items.size(), sums_text(report).c_str());
  std::printf(
      "  right on %llu, wrong on %llu, equal on %llu; by chance this or more: p = %.3g "
      "(exact, two-sided)\n",
      static_cast<unsigned long long>(chance.test.positive),
      static_cast<unsigned long long>(chance.test.negative),
      static_cast<unsigned long long>(chance.test.zero), chance.test.test.p);
}

}  // namespace

int eval_reward(const Arguments& arguments) {
  FileJob job;
  size_t max_length = 0;
  Options options("eval reward", "does a reward model agree with people on pairs it has not seen?",
                  "--model M [--adapter A] --data E.jsonl [--output R.json]");
  options.example("hone eval reward --model m.gguf --adapter run/final --data heldout.jsonl",
                  "share of pairs whose chosen answer scores higher, its interval, an exact test");
  options.example("hone eval reward --model run/final --data heldout.jsonl --output after.json",
                  "of a run that trained all weights; reports compare with hone compare");
  job.add_to(options, {.input_help = "held-out preference rows (JSONL or CSV)",
                       .output_metavar = "FILE.json",
                       .output_help = "the report, per item (docs/formats/report.md)"});
  options.count("max-length", &max_length, "longer pairs are refused; 0 = up to the context");
  job.common.add_to(options);
  if (!job.parse(options, arguments)) return 0;
  const data::Dataset dataset = job.load_rows(llm::preference_row_kinds());

  LoadedModel loaded = open_model(job.model);
  if (!loaded.has_score_head()) {
    throw invalid_input("--model " + job.model.model +
                        (job.model.adapter.empty() ? "" : " with --adapter " + job.model.adapter) +
                        " has no score head: train one with hone train reward, or use hone eval "
                        "preferences for a model that writes");
  }
  const auto pairs = name_pairs(llm::tokenize_preferences(dataset.rows, loaded.codec_or_null(),
                                                          {0, 0, true, false}, loaded.model.config),
                                data::unique_row_names(dataset.rows));
  for (const llm::PreferenceTokens& pair : pairs) {
    const size_t longest = pair.prompt.size() + std::max(pair.chosen.size(), pair.rejected.size());
    if (max_length == 0 || longest <= max_length) continue;
    throw invalid_input("pair " + pair.name + " has " + std::to_string(longest) +
                        " tokens, more than --max-length: a score reads an answer's end, so pairs "
                        "are not cut");
  }
  MemoryPlan plan;
  plan.add_model(loaded);
  plan.add("activations",
           llm::pair_scoring_bytes(loaded.model.config, loaded.lora_rank(), pairs, {}));
  Json counts = Json::object();
  counts["pairs"] = uint64_t{pairs.size()};
  if (job.planned_only(plan, "hone eval reward", std::move(counts),
                       "leave out the longest pairs")) {
    return 0;
  }
  tensor::Compute compute(job.common.threads);
  load_weights(compute, loaded, llm::HeadNeed::kScore);
  Progress progress("eval", "pairs", pairs.size(), job.common.quiet);
  const std::vector<llm::PairSums> scores = llm::score_pairs_by_head(
      compute, loaded.model, loaded.adapter_or_null(), pairs, {}, [&](size_t done) {
        progress.update(done);
        stop_if_interrupted("nothing was written; the same command starts again");
      });
  progress.finish();
  const eval::Report report = reward_report(job, dataset.digest, pairs, scores);
  if (!job.output.empty()) eval::write_report(real_env(), job.output, report, job.overwrite);
  print(report, eval::against_chance(report), job.common.json);
  return 0;
}

}  // namespace hone::cli
