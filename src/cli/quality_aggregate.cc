// hone quality aggregate: from many labels to one answer a task, how sure it is, and who is how
// often right.

#include <algorithm>
#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "cli/quality_aggregate_text.h"
#include "cli/quality_commands.h"
#include "cli/quality_numbers.h"
#include "data/jsonl_writer.h"

namespace hone::cli {

namespace {

struct Destinations {
  std::string folder, posterior, workers, plot;  // empty: not asked for
};

Destinations destinations_of(const std::string& output, const std::string& workers,
                             const std::string& plot, bool overwrite) {
  Destinations out{{}, {}, workers, plot};
  if (output.ends_with(".csv")) {
    out.posterior = output;
  } else if (!output.empty()) {
    out.folder = output;
    for (const char* name :
         {"posterior.csv", "answers.csv", "workers.csv", "confusion.csv", "summary.json"}) {
      if (!real_env().exists(output)) break;  // the folder will be made
      data::refuse_existing(real_env(), output + "/" + name, overwrite);
    }
  }
  if (!out.posterior.empty()) data::refuse_existing(real_env(), out.posterior, overwrite);
  if (!out.workers.empty()) data::refuse_existing(real_env(), out.workers, overwrite);
  if (!out.plot.empty()) check_plot_path(real_env(), out.plot, overwrite);
  return out;
}

void write_files(const Destinations& to, const AggregateReport& report, bool overwrite) {
  const quality::LabelTable& table = report.input.table;
  if (!to.posterior.empty()) {
    write_posterior(real_env(), to.posterior, overwrite, table, report.fit);
  }
  const auto workers = [&](const std::string& path) {
    const std::string text = workers_csv(report.workers, report.input, report.fit);
    write_in_pieces(real_env(), path, overwrite, [&](const auto& put) { put(text); });
  };
  if (!to.workers.empty()) workers(to.workers);
  if (!to.folder.empty()) {
    real_env().create_directories(to.folder);
    write_posterior(real_env(), to.folder + "/posterior.csv", overwrite, table, report.fit);
    write_answers(real_env(), to.folder + "/answers.csv", overwrite, table, report.fit,
                  report.rule);
    workers(to.folder + "/workers.csv");
    if (table.class_count() <= kMostConfusionClasses) {
      write_confusion(real_env(), to.folder + "/confusion.csv", overwrite, table, report.fit);
    }
    const std::string summary = aggregate_json(report).dump() + "\n";
    write_in_pieces(real_env(), to.folder + "/summary.json", overwrite,
                    [&](const auto& put) { put(summary); });
  }
  if (!to.plot.empty()) {
    write_plot(real_env(), to.plot, plot_title("Answers", report.input.path),
               aggregate_charts(report));
  }
}

std::vector<quality::GoldTask> gold_tasks(const TruthInput& gold, const std::string& path,
                                          const quality::LabelTable& table) {
  std::vector<quality::GoldTask> out;
  for (size_t task = 0; task < gold.of_task.size(); ++task) {
    if (gold.of_task[task] < 0) continue;
    if (gold.of_task[task] >= static_cast<int64_t>(table.class_count())) {
      throw invalid_input(
          path + ": the gold answer of task \"" + table.tasks()[task] +
          "\" is a label that nobody gave; declare all labels with --labels A,B,..");
    }
    out.push_back({static_cast<uint32_t>(task), static_cast<uint32_t>(gold.of_task[task])});
  }
  return out;
}

}  // namespace

int run_quality_aggregate(const Arguments& arguments) {
  CommonOptions common;
  LabelOptions labels;
  quality::AggregateOptions fit;
  WorkersOptions workers;
  quality::StopRule rule;
  rule.threshold = 0.95;
  std::string method = "auto", truth_path, gold_path, output, workers_path, plot;
  size_t max_iterations = 0, restarts = fit.restarts, folds = fit.folds;
  size_t min_labels = rule.min_labels, max_labels = rule.max_labels;
  bool no_evidence = false, overwrite = false;
  std::vector<std::string> methods;
  for (const quality::Method known : quality::all_methods()) {
    methods.emplace_back(quality::method_name(known));
  }
  for (const char* name : {"mean", "median", "huber", "reliability-weighted"}) {
    methods.emplace_back(name);
  }

  Options options("quality aggregate", "from many labels to one, with its certainty", "LABELS");
  options.example("hone quality aggregate labels.csv",
                  "the likeliest answer to each task, who is how often right, what to do next");
  options.example("hone quality aggregate labels.csv --method dawid-skene --output judged",
                  "judged/answers.csv, posterior.csv, workers.csv, confusion.csv, summary.json");
  options.example("hone quality aggregate labels.csv --truth truth.csv --json",
                  "the same as one JSON document, with the accuracy against known answers");
  options.choice("method", &method, methods,
                 "how answers are found (docs/quality.md); the last four are for numbers");
  options.text("truth", &truth_path, "FILE", "known answers to measure against; never used to fit");
  options.text("gold", &gold_path, "FILE",
               "known answers to learn from: workers are measured by them");
  options.text("output", &output, "PATH",
               "a folder for all tables, or FILE.csv for the posterior table alone");
  options.text("workers", &workers_path, "FILE.csv", "the worker table alone");
  options.text("plot", &plot, "FILE", "charts as .svg or .html");
  options.flag("overwrite", &overwrite, "replace outputs that exist");
  options.section("When is an answer sure");
  options.real("threshold", &rule.threshold, "sure from this probability on");
  options.count("min-labels", &min_labels, "with fewer labels a task is never sure");
  options.count("max-labels", &max_labels, "with so many a task is left undecided");
  options.section("The fit");
  options.real("tolerance", &fit.tolerance, "stop at this relative change; 0 = the method's own");
  options.count("max-iterations", &max_iterations, "0 = the method's own");
  options.flag("authors-schedule", &fit.authors_schedule,
               "dawid-skene, zencrowd: start and stop as the code of Zheng et al. 2017");
  options.count("restarts", &restarts, "mace, mace-vb: starts from different seeds");
  options.count("folds", &folds, "auto: parts of the labels that are held out in turn");
  options.section("Evidence about workers");
  options.real("floor-seconds", &workers.floor_seconds,
               "an honest answer takes this long (column seconds); 0 = time is not judged");
  options.flag("no-evidence", &no_evidence, "only the fit: no patterns, no comparison with others");
  options.section("The file");
  labels.add_to(options);
  common.add_to(options);
  const std::vector<std::string> words = options.parse(arguments);
  if (options.wants_help()) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  if (words.size() != 1) {
    throw invalid_input("hone quality aggregate needs one file of labels: LABELS");
  }
  if (!(rule.threshold > 0.0 && rule.threshold <= 1.0)) {
    throw invalid_input("--threshold must be above 0 and at most 1");
  }
  if (max_labels < 1 || max_labels > 1000000 || min_labels > max_labels) {
    throw invalid_input("--max-labels must be 1 to 1,000,000 and not below --min-labels");
  }
  if (max_iterations > 1000000 || restarts > 1000 || folds > 20) {
    throw invalid_input(
        "--max-iterations is at most 1,000,000, --restarts at most 1,000, --folds at most 20");
  }
  rule.min_labels = static_cast<uint32_t>(min_labels);
  rule.max_labels = static_cast<uint32_t>(max_labels);
  const auto numeric = quality::numeric_method_from_name(method);
  if (!numeric) fit.method = *quality::method_from_name(method);
  fit.max_iterations = static_cast<uint32_t>(max_iterations);
  fit.restarts = static_cast<uint32_t>(restarts);
  fit.folds = static_cast<uint32_t>(folds);
  fit.seed = workers.seed = common.seed;
  workers.evidence = !no_evidence;
  const Destinations to = destinations_of(output, workers_path, plot, overwrite);

  AggregateReport report;
  report.input = read_labels(words[0], labels, common);
  if (numeric) {
    if (!gold_path.empty() || !plot.empty()) {
      throw invalid_input("--gold and --plot are not for --method " + method);
    }
    NumbersFlags numbers{{}, truth_path, to.posterior, to.workers, to.folder, overwrite};
    numbers.fit.method = *numeric;
    if (fit.tolerance > 0) numbers.fit.tolerance = fit.tolerance;
    if (max_iterations > 0) numbers.fit.max_iterations = fit.max_iterations;
    return aggregate_numbers_of(report.input, numbers, common);
  }
  report.asked = fit.method;
  report.rule = rule;
  const quality::LabelTable& table = report.input.table;
  if (!truth_path.empty()) report.truth = read_truth(truth_path, table, labels);
  if (!gold_path.empty()) {
    report.gold = read_truth(gold_path, table, labels);
    fit.gold = gold_tasks(*report.gold, gold_path, table);
  }
  ThreadPool pool(common.threads);
  const double begin = real_env().steady_seconds();
  report.fit = quality::aggregate(table, fit, &pool);
  tell_seconds(report.input.read_seconds, "fitting", real_env().steady_seconds() - begin, common);
  judge_tasks(report);
  const std::span<const int64_t> none;
  report.workers = report_workers(
      report.input, report.fit,
      report.truth ? std::span<const int64_t>(report.truth->of_task) : none,
      report.gold ? std::span<const int64_t>(report.gold->of_task) : none, workers, &pool);
  tell_warnings(report_warnings(report), common);
  write_files(to, report, overwrite);
  if (common.json) {
    std::printf("%s\n", aggregate_json(report).dump().c_str());
  } else {
    std::fputs(aggregate_text(report).c_str(), stdout);
    if (to.folder.empty() && to.posterior.empty()) {
      std::printf("  - --output FOLDER writes every answer, every worker and the probabilities.\n");
    }
  }
  return 0;
}

}  // namespace hone::cli
