// hone eval preferences and hone compare.

#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/preference_report.h"
#include "cli/progress.h"
#include "data/dataset.h"
#include "data/jsonl_writer.h"
#include "eval/compare.h"

namespace hone::cli {

namespace {

int eval_preferences(const Arguments& arguments) {
  CommonOptions common;
  ModelOptions model;
  std::string data_path, output, on_bad_row = "fail";
  double beta = 0.1;
  size_t max_length = 1024;
  bool overwrite = false;
  Options options("eval preferences", "does the model prefer what people preferred?",
                  "--model M --data E.jsonl [--output R.json]");
  options.example("hone eval preferences --model m.gguf --data heldout.jsonl --output before.json",
                  "the base model: how often is the chosen answer more likely");
  options.example(
      "hone eval preferences --model m.gguf --adapter run/final --data heldout.jsonl "
      "--output after.json",
      "the trained one; then: hone compare before.json after.json");
  model.add_to(options);
  options.text("data", &data_path, "FILE", "held-out preference rows (JSONL or CSV)");
  options.text("output", &output, "FILE.json", "the report, per item (docs/formats/report.md)");
  options.real("beta", &beta, "of the implicit reward");
  options.count("max-length", &max_length, "tokens of a row at most; 0 = no cut");
  options.choice("on-bad-row", &on_bad_row, {"fail", "skip"}, "a line that cannot be read");
  options.flag("overwrite", &overwrite, "replace --output when it exists");
  common.add_to(options);
  options.parse(arguments);
  if (options.wants_help()) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  options.require("model", model.model);
  options.require("data", data_path);
  if (!output.empty()) data::refuse_existing(real_env(), output, overwrite);
  data::ReadOptions read;
  read.accepted = llm::preference_row_kinds();
  read.on_bad_row = on_bad_row == "skip" ? data::OnBadRow::kSkip : data::OnBadRow::kFail;
  const data::Dataset dataset = data::load_dataset(real_env(), data_path, read);

  tensor::Compute compute(common.threads);
  const LoadedModel loaded = load(compute, model);
  const auto pairs =
      name_pairs(llm::tokenize_preferences(dataset.rows, loaded.codec ? &*loaded.codec : nullptr,
                                           {max_length, 0, true, false}, loaded.model.config),
                 data::unique_row_names(dataset.rows));
  const bool tuned = loaded.adapter.has_value();
  Progress progress("eval", "pairs", pairs.size() * (tuned ? 2 : 1), common.quiet);
  PreferenceEvaluation evaluation{loaded,        pairs,         {}, {}, beta, model.model,
                                  model.adapter, dataset.digest};
  evaluation.reference = llm::score_pairs(compute, loaded.model, nullptr, pairs, {},
                                          [&](size_t done) { progress.update(done); });
  evaluation.policy =
      tuned ? llm::score_pairs(compute, loaded.model, loaded.adapter_or_null(), pairs, {},
                               [&](size_t done) { progress.update(pairs.size() + done); })
            : evaluation.reference;
  progress.finish();
  const eval::Report report = preference_report(evaluation);
  if (!output.empty()) eval::write_report(real_env(), output, report, overwrite);
  if (common.json) {
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
  if (!arguments.empty() && arguments[0] == "preferences") {
    return eval_preferences({arguments.begin() + 1, arguments.end()});
  }
  if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::puts(
        "hone eval preferences: does the model prefer what people preferred "
        "(hone eval preferences --help shows examples)");
    return 0;
  }
  throw invalid_input("hone eval needs what to measure: preferences");
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
  if (options.wants_help()) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
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
