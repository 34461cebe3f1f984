// hone eval preferences and hone compare.

#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/eval_rewards.h"
#include "cli/file_job.h"
#include "cli/preference_report.h"
#include "cli/progress.h"
#include "data/dataset.h"
#include "data/jsonl_writer.h"
#include "eval/compare.h"

namespace hone::cli {

namespace {

int eval_preferences(const Arguments& arguments) {
  FileJob job;
  double beta = 0.1;
  size_t max_length = 1024;
  Options options("eval preferences", "does the model prefer what people preferred?",
                  "--model M --data E.jsonl [--output R.json]");
  options.example("hone eval preferences --model m.gguf --data heldout.jsonl --output before.json",
                  "the base model: how often is the chosen answer more likely");
  options.example(
      "hone eval preferences --model m.gguf --adapter run/final --data heldout.jsonl "
      "--output after.json",
      "the trained one; then: hone compare before.json after.json");
  job.add_to(options, {.input_help = "held-out preference rows (JSONL or CSV)",
                       .output_metavar = "FILE.json",
                       .output_help = "the report, per item (docs/formats/report.md)"});
  options.real("beta", &beta, "of the implicit reward");
  options.count("max-length", &max_length, "tokens of a row at most; 0 = no cut");
  job.common.add_to(options);
  if (!job.parse(options, arguments)) return 0;
  const data::Dataset dataset = job.load_rows(llm::preference_row_kinds());

  LoadedModel loaded = open_model(job.model);
  const auto pairs =
      name_pairs(llm::tokenize_preferences(dataset.rows, loaded.codec_or_null(),
                                           {max_length, 0, true, false}, loaded.model.config),
                 data::unique_row_names(dataset.rows));
  MemoryPlan plan;
  plan.add_model(loaded);
  plan.add("activations",
           llm::pair_scoring_bytes(loaded.model.config, loaded.lora_rank(), pairs, {}));
  Json counts = Json::object();
  counts["pairs"] = uint64_t{pairs.size()};
  if (job.planned_only(plan, "hone eval preferences", std::move(counts),
                       "use a smaller --max-length")) {
    return 0;
  }
  tensor::Compute compute(job.common.threads);
  load_weights(compute, loaded);
  const bool tuned = loaded.adapter.has_value();
  Progress progress("eval", "pairs", pairs.size() * (tuned ? 2 : 1), job.common.quiet);
  PreferenceEvaluation evaluation{
      loaded, pairs, {}, {}, beta, job.model.model, job.model.adapter, dataset.digest};
  const auto score = [&](const llm::LoraAdapter* adapter, size_t before) {
    return llm::score_pairs(compute, loaded.model, adapter, pairs, {}, [&](size_t done) {
      progress.update(before + done);
      stop_if_interrupted("nothing was written; the same command starts again");
    });
  };
  evaluation.reference = score(nullptr, 0);
  evaluation.policy = tuned ? score(loaded.adapter_or_null(), pairs.size()) : evaluation.reference;
  progress.finish();
  const eval::Report report = preference_report(evaluation);
  if (!job.output.empty()) eval::write_report(real_env(), job.output, report, job.overwrite);
  if (job.common.json) {
    std::printf("%s\n", report.to_json().dump_canonical().c_str());
  } else {
    std::printf("%zu pairs\n%s", pairs.size(), sums_text(report).c_str());
    if (!tuned) {
      std::printf("  (without --adapter the model is its own reference: rewards tie everywhere)\n");
    }
  }
  return 0;
}

}  // namespace

int run_eval(const Arguments& arguments) {
  constexpr Object kObjects[] = {
      {"preferences", "does the model prefer what people preferred?", eval_preferences},
      {"reward", "does a reward model agree with people on pairs it has not seen?", eval_reward},
      {"rewards", "what do the model's answers to held-out prompts earn?", eval_rewards},
  };
  return run_object("eval", "what a model can, as a report that others can check.", kObjects,
                    arguments);
}

int run_compare(const Arguments& arguments) {
  CommonOptions common;
  eval::CompareOptions compare;
  Options options("compare", "two reports on the same items: is the second better than the first?",
                  "A.json B.json");
  options.example("hone compare before.json after.json",
                  "difference, interval, paired test, verdict; exit 3 when not better");
  options.count("bootstrap-rounds", &compare.bootstrap_rounds, "resamples of the interval");
  common.add_to(options);
  const std::vector<std::string> words = options.parse(arguments);
  if (options.show_help()) return 0;
  if (words.size() != 2) throw invalid_input("hone compare needs two reports: A.json B.json");
  compare.seed = common.seed;
  const eval::Report first = eval::read_report(real_env(), words[0]);
  const eval::Report second = eval::read_report(real_env(), words[1]);
  const eval::Comparison comparison = eval::compare_reports(first, second, compare);
  std::printf("%s\n", common.json ? comparison.to_json().dump_canonical().c_str()
                                  : comparison.to_text().c_str());
  return comparison.is_better() ? 0 : 3;
}

}  // namespace hone::cli
