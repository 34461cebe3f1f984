// hone quality simulate: replay a finished data set as if labels had been asked for one by one.

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "cli/quality_commands.h"
#include "cli/quality_input.h"
#include "cli/quality_plot.h"
#include "cli/quality_text.h"
#include "quality/aggregate.h"
#include "quality/simulate.h"

namespace hone::cli {

namespace {

std::string points_text(double points) {
  return (points >= 0 ? "+" : "") + fixed_text(points, 2) + " points";
}

std::string text_of(const LabelInput& input, const quality::Simulation& result,
                    const quality::SimulateOptions& options, const std::string& method) {
  std::string text =
      input.path + ": " + counted(result.labels, "label", "labels") + " on " +
      counted(result.tasks, "task", "tasks") + ", truth for " + grouped(result.tasks_with_truth) +
      "\n" +
      paragraph("Each run begins with " + counted(options.start, "label", "labels") +
                " a task and asks for one more wherever the answer is less than " +
                percent_text(options.threshold, 1) + " sure (method " + method + ").");
  std::vector<std::vector<std::string>> rows = {
      {"seed", "rounds", "labels used", "", "accuracy", "against all labels"}};
  for (const quality::SimulateRun& run : result.runs) {
    if (run.points.empty()) continue;
    const quality::SimulatePoint& last = run.points.back();
    rows.push_back({std::to_string(run.seed), std::to_string(run.points.size()),
                    grouped(last.labels), percent_text(last.share), percent_text(last.accuracy, 2),
                    points_text(100 * (last.accuracy - result.full_accuracy))});
  }
  text += "\n" + table_text(rows);
  text += "\n" + paragraph("All labels give " + percent_text(result.full_accuracy, 2) +
                           ". Asking only where it is doubtful needs " +
                           percent_text(result.mean_share, 0) + " of the labels for " +
                           percent_text(result.mean_accuracy, 2) + " (" +
                           points_text(100 * (result.mean_accuracy - result.full_accuracy)) +
                           ", standard deviation between runs " +
                           fixed_text(100 * result.accuracy_deviation, 2) + ").");
  return text;
}

Json json_of(const LabelInput& input, const quality::Simulation& result,
             const quality::SimulateOptions& options, const std::string& method,
             const std::vector<std::string>& warnings) {
  Json json = Json::object();
  json["method"] = method;
  json["start"] = options.start;
  json["threshold"] = options.threshold;
  json["max_labels"] = options.max_labels;
  json["labels"] = result.labels;
  json["tasks"] = result.tasks;
  json["truth_tasks"] = result.tasks_with_truth;
  json["duplicates"] = input.table.duplicates();
  json["conflicts"] = input.table.conflicts();
  json["full_accuracy"] = result.full_accuracy;
  json["share"] = result.mean_share;
  json["share_deviation"] = result.share_deviation;
  json["accuracy"] = result.mean_accuracy;
  json["accuracy_deviation"] = result.accuracy_deviation;
  Json& runs = json["runs"] = Json::array();
  for (const quality::SimulateRun& run : result.runs) {
    Json one = Json::object();
    one["seed"] = std::to_string(run.seed);
    Json& points = one["points"] = Json::array();
    for (const quality::SimulatePoint& point : run.points) {
      Json row = Json::object();
      row["labels"] = point.labels;
      row["share"] = point.share;
      row["accuracy"] = point.accuracy;
      points.push_back(std::move(row));
    }
    runs.push_back(std::move(one));
  }
  json["warnings"] = strings_json(warnings);
  return json;
}

std::vector<Chart> charts_of(const quality::Simulation& result) {
  LineSpec spec;
  spec.title = "Accuracy against labels spent";
  spec.caption =
      "Each line is one run: it begins with a few labels a task and asks for one more "
      "wherever the answer is not sure. It ends, at the dot, where nothing is left to ask.";
  spec.x_label = "share of all labels";
  spec.y_label = "accuracy";
  spec.x_percent = true;
  spec.level = result.full_accuracy;
  spec.level_name = "all labels";
  for (const quality::SimulateRun& run : result.runs) {
    LineSeries series{"seed " + std::to_string(run.seed), result.runs.size() > 1, {}};
    for (const quality::SimulatePoint& point : run.points) {
      series.points.push_back({point.share, point.accuracy, {}});
    }
    spec.series.push_back(std::move(series));
  }
  return {line_chart(spec)};
}

}  // namespace

int run_quality_simulate(const Arguments& arguments) {
  CommonOptions common;
  LabelOptions labels;
  quality::SimulateOptions simulate;
  std::string truth_path, plot, method = "ibcc";
  size_t start = simulate.start, max_labels = simulate.max_labels, runs = simulate.seeds.size();
  bool overwrite = false;
  std::vector<std::string> methods;
  for (const quality::Method known : quality::all_methods()) {
    if (known != quality::Method::kAuto) methods.emplace_back(quality::method_name(known));
  }
  Options options("quality simulate", "what fewer labels would have cost in accuracy",
                  "LABELS --truth T");
  options.example("hone quality simulate labels.csv --truth truth.csv",
                  "start with 3 labels a task, ask until 99 % sure: labels spent, accuracy kept");
  options.example(
      "hone quality simulate labels.csv --truth truth.csv --threshold 0.95 --plot saved.svg",
      "the same with a lower bar, as a chart");
  options.text("truth", &truth_path, "FILE", "known answers");
  options.choice("method", &method, methods, "how answers are found after each round");
  options.count("start", &start, "labels a task at first");
  options.real("threshold", &simulate.threshold, "ask while the likeliest answer is below");
  options.count("max-labels", &max_labels, "most labels a task; 0 = all there are");
  options.count("runs", &runs, "draws of the labels, seeds 1, 2, ...; --seed moves the first");
  options.text("plot", &plot, "FILE", "accuracy against labels as .svg or .html");
  options.flag("overwrite", &overwrite, "replace --plot when it exists");
  options.section("The file");
  labels.add_to(options);
  common.add_to(options);
  const std::vector<std::string> words = options.parse(arguments);
  if (options.wants_help()) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  if (words.size() != 1) {
    throw invalid_input("hone quality simulate needs one file of labels: LABELS --truth T");
  }
  options.require("truth", truth_path);
  if (runs < 1 || runs > 1000) throw invalid_input("--runs must be 1 to 1,000");
  if (start < 1 || start > 1000000 || max_labels > 1000000) {
    throw invalid_input("--start must be 1 to 1,000,000 and --max-labels at most 1,000,000");
  }
  if (!plot.empty()) check_plot_path(real_env(), plot, overwrite);
  simulate.start = static_cast<uint32_t>(start);
  simulate.max_labels = static_cast<uint32_t>(max_labels);
  simulate.seeds.clear();
  const uint64_t first_seed = options.was_given("seed") ? common.seed : 1;
  for (uint64_t i = 0; i < runs; ++i) simulate.seeds.push_back(first_seed + i);

  const LabelInput input = read_labels(words[0], labels, common);
  TruthInput truth = read_truth(truth_path, input.table, labels);
  ThreadPool pool(common.threads);
  quality::AggregateOptions fit;
  fit.method = *quality::method_from_name(method);
  fit.seed = common.seed;
  const quality::AggregateFunction answers = [&](const quality::LabelTable& table,
                                                 std::span<const double>) {
    if (interrupted()) throw Error(ErrorCode::kUnavailable, "stopped before the end");
    return quality::aggregate(table, fit, &pool).posterior;
  };
  const double begin = real_env().steady_seconds();
  const quality::Simulation result =
      quality::simulate(input.table, truth.of_task, answers, simulate);
  tell_seconds(input.read_seconds, "replaying", real_env().steady_seconds() - begin, common);
  std::vector<std::string> warnings = truth.warnings;
  warnings.insert(warnings.end(), result.warnings.begin(), result.warnings.end());
  tell_warnings(warnings, common);
  if (!plot.empty()) {
    write_plot(real_env(), plot, plot_title("Fewer labels", input.path), charts_of(result));
  }
  if (common.json) {
    std::printf("%s\n", json_of(input, result, simulate, method, warnings).dump().c_str());
  } else {
    std::fputs(text_of(input, result, simulate, method).c_str(), stdout);
  }
  return 0;
}

}  // namespace hone::cli
