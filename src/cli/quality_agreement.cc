// hone quality agreement: one number for how far people agree, and who and what stands out.

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
#include "quality/agreement.h"

namespace hone::cli {

namespace {

struct AgreementFlags {
  CommonOptions common;
  LabelOptions labels;
  std::string metric = "alpha", level = "nominal", weights = "by-level", plot;
  quality::AgreementOptions agreement;
  bool overwrite = false;
};

const char* metric_words(quality::AgreementMetric metric) {
  using enum quality::AgreementMetric;
  switch (metric) {
    case kPercent: return "share of pairs of labels that are the same; chance is not taken out";
    case kCohen: return "Cohen's kappa: 0 = no better than chance, 1 = always";
    case kFleiss: return "Fleiss' kappa: 0 = no better than chance, 1 = always";
    case kAlpha: return "Krippendorff's alpha: 0 = no better than chance, 1 = always";
    case kAc1: return "Gwet's AC1: 0 = no better than chance, 1 = always";
    case kAc2: return "Gwet's AC2: 0 = no better than chance, 1 = always";
  }
  return "";
}

// Krippendorff's own bounds (Content Analysis, 2004, ch. 11).
std::string judgement_of(const quality::Agreement& result) {
  if (!result.overall.defined || result.metric == quality::AgreementMetric::kPercent) return {};
  const double low = result.overall.interval.low, value = result.overall.value;
  if (value >= 0.8) {
    return low >= 0.667 ? "High: labels of this kind can be relied on (the usual bound is 0.8)."
                        : "High, but uncertain: the interval reaches below 0.667; label more tasks "
                          "twice before relying on it.";
  }
  if (value >= 0.667) {
    return "Middling (0.667 to 0.8): good for cautious use; look at the labels people disagree on.";
  }
  return "Low (under 0.667): one person's label says little here. Several labels a task and hone "
         "quality aggregate still give good answers; clearer guidelines help more.";
}

// With one frequent class alpha and kappa are low although people nearly always agree.
std::string skew_note(const quality::LabelTable& table, const quality::Agreement& result,
                      ThreadPool* pool) {
  using enum quality::AgreementMetric;
  if (!result.overall.defined || result.metric == kPercent || result.metric == kAc1 ||
      result.metric == kAc2) {
    return {};
  }
  quality::AgreementOptions plain;
  plain.rounds = 0;
  plain.metric = kPercent;
  const quality::Estimate percent = quality::agreement(table, plain, pool).overall;
  plain.metric = kAc1;
  const quality::Estimate ac1 = quality::agreement(table, plain, pool).overall;
  if (!percent.defined || !ac1.defined) return {};
  std::string text =
      "Two people gave the same label in " + percent_text(percent.value, 0) + " of the cases.";
  if (ac1.value - result.overall.value >= 0.15) {
    text +=
        " One label is much more frequent than the rest, which makes this measure strict: "
        "Gwet's AC1, made for that case, is " +
        fixed_text(ac1.value, 2) + " (--metric ac1).";
  }
  return text;
}

std::string estimate_text(const quality::Estimate& estimate) {
  return estimate.defined ? fixed_text(estimate.value, 2) : "-";
}

std::string estimate_interval(const quality::Estimate& estimate, bool rounds) {
  return estimate.defined && rounds ? interval_text(estimate.interval, 2) : "";
}

void print_text(const AgreementFlags& flags, const LabelInput& input,
                const quality::Agreement& result, ThreadPool* pool) {
  const bool rounds = flags.agreement.rounds > 0;
  std::printf("%s: %s by %s on %s\n", input.path.c_str(),
              counted(input.table.label_count(), "label", "labels").c_str(),
              counted(input.table.worker_count(), "worker", "workers").c_str(),
              counted(input.table.task_count(), "task", "tasks").c_str());
  std::printf("%s have two labels or more and count here.\n\n",
              counted(result.tasks, "task", "tasks").c_str());
  std::printf("How far people agree\n");
  if (!result.overall.defined) {
    std::printf("  cannot be said (see the notes)\n");
  } else {
    std::printf("  %s  %s  %s\n", fixed_text(result.overall.value, 4).c_str(),
                rounds ? interval_text(result.overall.interval, 4).c_str() : "",
                metric_words(result.metric));
    if (rounds) {
      std::printf("  (in brackets: where the number would lie for %s of such sets of tasks)\n",
                  percent_text(flags.agreement.confidence, 0).c_str());
    }
    const std::string judgement = judgement_of(result), skew = skew_note(input.table, result, pool);
    if (!judgement.empty()) std::printf("\n%s", paragraph(judgement).c_str());
    if (!skew.empty()) std::printf("%s", paragraph(skew).c_str());
  }
  if (!result.classes.empty() && result.classes.size() <= 30) {
    std::vector<std::vector<std::string>> rows = {
        {"label", "given", "shared", "", "against the rest", ""}};
    for (const quality::ClassAgreement& one : result.classes) {
      rows.push_back(
          {shown_name(input.table.classes()[one.label_class]), grouped(one.labels),
           one.specific.defined ? percent_text(one.specific.value, 0) : "-",
           one.specific.defined && rounds ? percent_interval_text(one.specific.interval) : "",
           estimate_text(one.metric), estimate_interval(one.metric, rounds)});
    }
    std::printf("\nBy label (shared: when one person gives it, how often does another too)\n%s",
                table_text(rows).c_str());
  }
  if (!result.pairs.empty()) {
    std::vector<const quality::PairAgreement*> pairs;
    for (const quality::PairAgreement& pair : result.pairs) pairs.push_back(&pair);
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](const auto* a, const auto* b) { return a->percent < b->percent; });
    std::vector<std::vector<std::string>> rows = {
        {"worker", "and", "tasks", "same", std::string(agreement_metric_name(result.metric)), ""}};
    for (const auto* pair : pairs) {
      rows.push_back({shown_name(input.table.workers()[pair->first], 20),
                      shown_name(input.table.workers()[pair->second], 20),
                      grouped(pair->common_tasks), percent_text(pair->percent, 0),
                      estimate_text(pair->metric), estimate_interval(pair->metric, rounds)});
    }
    std::printf("\nPairs of workers with most tasks in common, least agreement first\n%s",
                table_text(rows).c_str());
  }
  const auto worst = std::min_element(result.classes.begin(), result.classes.end(),
                                      [](const auto& a, const auto& b) {
                                        return (a.specific.defined ? a.specific.value : 2.0) <
                                               (b.specific.defined ? b.specific.value : 2.0);
                                      });
  std::printf("\nWhat to do next\n");
  if (worst != result.classes.end() && worst->specific.defined && result.classes.size() > 1) {
    std::printf("%s",
                paragraph("  - \"" + shown_name(input.table.classes()[worst->label_class]) +
                              "\" is shared least (" + percent_text(worst->specific.value, 0) +
                              "): read some of its tasks and see what the guidelines leave open.",
                          "    ")
                    .c_str());
  }
  const uint64_t single = input.table.task_count() - result.tasks;
  if (single > 0) {
    std::printf("  - %s only one label: agreement there is unknown.\n",
                counted(single, "task has", "tasks have").c_str());
  }
  std::printf("  - hone quality aggregate %s finds the likeliest answers and who is often wrong.\n",
              input.path.c_str());
}

Json estimate_json(const quality::Estimate& estimate, bool rounds) {
  Json json = Json::object();
  json["value"] = estimate.defined ? Json(estimate.value) : Json();
  json["interval"] = estimate.defined && rounds ? interval_json(estimate.interval) : Json();
  return json;
}

Json to_json(const AgreementFlags& flags, const LabelInput& input,
             const quality::Agreement& result) {
  const bool rounds = flags.agreement.rounds > 0;
  Json json = estimate_json(result.overall, rounds);
  json["metric"] = std::string(agreement_metric_name(result.metric));
  json["level"] = flags.level;
  json["weights"] = flags.weights;
  json["standard_error"] =
      rounds && result.overall.defined ? Json(result.overall.standard_error) : Json();
  json["confidence"] = flags.agreement.confidence;
  json["rounds"] = uint64_t{flags.agreement.rounds};
  json["observed"] = result.observed;
  json["expected"] = result.expected;
  json["tasks"] = result.tasks;
  json["labels"] = result.labels;
  json["workers"] = result.workers;
  json["duplicates"] = input.table.duplicates();
  json["conflicts"] = input.table.conflicts();
  json["skipped_rows"] = input.counts.skipped;
  Json& classes = json["classes"] = Json::array();
  for (const quality::ClassAgreement& one : result.classes) {
    Json row = estimate_json(one.metric, rounds);
    row["label"] = input.table.classes()[one.label_class];
    row["labels"] = one.labels;
    row["specific"] = estimate_json(one.specific, rounds);
    classes.push_back(std::move(row));
  }
  Json& pairs = json["pairs"] = Json::array();
  for (const quality::PairAgreement& pair : result.pairs) {
    Json row = estimate_json(pair.metric, rounds);
    row["workers"] =
        strings_json({input.table.workers()[pair.first], input.table.workers()[pair.second]});
    row["tasks"] = pair.common_tasks;
    row["percent"] = pair.percent;
    pairs.push_back(std::move(row));
  }
  json["pairs_left_out"] = result.pairs_left_out;
  json["warnings"] = strings_json(result.warnings);
  return json;
}

// Agreement of a label: the share of the other labels of its task that are the same. Its mean over
// stretches of the file, with the error of a mean over tasks.
std::vector<LinePoint> over_time(const LabelInput& input) {
  constexpr size_t kMostStretches = 24, kFewestLabels = 20;
  const quality::LabelTable& table = input.table;
  const size_t n = input.answers.size();
  const size_t stretches = std::clamp<size_t>(n / kFewestLabels, 1, kMostStretches);
  std::vector<LinePoint> points;
  std::vector<double> sum(table.task_count(), 0.0);
  std::vector<uint32_t> count(table.task_count(), 0);
  for (size_t s = 0; s < stretches; ++s) {
    const size_t begin = n * s / stretches, end = n * (s + 1) / stretches;
    std::vector<uint32_t> tasks;
    double total = 0.0, labels = 0.0;
    for (size_t i = begin; i < end; ++i) {
      const quality::Answer& answer = input.answers[i];
      const auto of_task = table.labels_of_task(answer.task);
      if (of_task.size() < 2) continue;
      const auto same = std::count_if(of_task.begin(), of_task.end(),
                                      [&](const auto& l) { return l.value == answer.value; });
      const double share =
          std::max(0.0, static_cast<double>(same - 1)) / static_cast<double>(of_task.size() - 1);
      if (count[answer.task]++ == 0) tasks.push_back(answer.task);
      sum[answer.task] += share;
      total += share;
      labels += 1.0;
    }
    if (labels > 0) {
      const double mean = total / labels;
      double squares = 0.0;
      for (const uint32_t task : tasks) {
        const double off = sum[task] - mean * static_cast<double>(count[task]);
        squares += off * off;
      }
      const double half = 1.959963984540054 * std::sqrt(squares) / labels;
      points.push_back({static_cast<double>(begin + end) / 2, mean,
                        quality::Interval{std::max(0.0, mean - half), std::min(1.0, mean + half)}});
    }
    for (const uint32_t task : tasks) {
      sum[task] = 0.0;
      count[task] = 0;
    }
  }
  return points;
}

std::vector<Chart> charts_of(const LabelInput& input, const quality::Agreement& result) {
  std::vector<Chart> charts;
  LineSpec time;
  time.title = "Agreement over time";
  time.caption =
      "How often another person gave the same label to the same task, along the file. The band is "
      "where the mean may lie by chance; a step or a slope that leaves it is worth a look.";
  time.x_label = "labels, in the order of the file";
  time.y_label = "same label";
  time.series.push_back({"agreement", false, over_time(input)});
  charts.push_back(line_chart(time));
  const auto ranked = [&](const std::string& title, const std::string& caption,
                          const std::string& x_label, const std::string& note, auto&& fill) {
    std::vector<RankedThing> things;
    fill(things);
    if (!things.empty() && things.size() <= 60) {
      charts.push_back(ranking_chart({title, caption, x_label, note, std::move(things), true, {}}));
    }
  };
  ranked("Agreement by label", "When one person gives this label, how often does another too?",
         "given by another too", "given", [&](std::vector<RankedThing>& things) {
           for (const quality::ClassAgreement& one : result.classes) {
             if (!one.specific.defined) continue;
             things.push_back({input.table.classes()[one.label_class], grouped(one.labels),
                               one.specific.value, one.specific.interval});
           }
         });
  return charts;
}

}  // namespace

int run_quality_agreement(const Arguments& arguments) {
  AgreementFlags flags;
  flags.agreement.pairs = 10;
  Options options("quality agreement", "how far do people agree beyond chance?", "LABELS");
  options.example("hone quality agreement labels.csv",
                  "Krippendorff's alpha with its interval, by label and by pair of workers");
  options.example("hone quality agreement ratings.csv --level ordinal --labels bad,fair,good",
                  "ratings in an order: near misses count as half");
  options.example("hone quality agreement labels.csv --metric ac1 --plot agreement.svg",
                  "when one label is much more frequent; and how agreement went over time");
  options.choice("metric", &flags.metric, {"percent", "cohen", "fleiss", "alpha", "ac1", "ac2"},
                 "how agreement is measured (docs/quality.md)");
  options.choice("level", &flags.level, {"nominal", "ordinal", "interval", "ratio"},
                 "what the labels are: names, an order, numbers, amounts");
  options.choice("weights", &flags.weights, {"by-level", "none", "linear", "quadratic"},
                 "partial credit of cohen and ac2");
  options.count("rounds", &flags.agreement.rounds,
                "resamples of the tasks for the interval; 0 = no interval");
  options.real("confidence", &flags.agreement.confidence, "of the interval");
  options.count("pairs", &flags.agreement.pairs, "pairs of workers that are shown");
  options.text("plot", &flags.plot, "FILE", "charts as .svg or .html");
  options.flag("overwrite", &flags.overwrite, "replace --plot when it exists");
  options.section("The file");
  flags.labels.add_to(options);
  flags.common.add_to(options);
  const std::vector<std::string> words = options.parse(arguments);
  if (options.wants_help()) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  if (words.size() != 1) {
    throw invalid_input("hone quality agreement needs one file of labels: LABELS");
  }
  if (!flags.plot.empty()) check_plot_path(real_env(), flags.plot, flags.overwrite);
  flags.agreement.metric = *quality::agreement_metric(flags.metric);
  flags.agreement.level = *quality::measurement_level(flags.level);
  flags.agreement.weights = *quality::agreement_weights(flags.weights);
  flags.agreement.seed = flags.common.seed;
  const LabelInput input = read_labels(words[0], flags.labels, flags.common);
  ThreadPool pool(flags.common.threads);
  const double begin = real_env().steady_seconds();
  const quality::Agreement result = quality::agreement(input.table, flags.agreement, &pool);
  tell_seconds(input.read_seconds, "agreement", real_env().steady_seconds() - begin, flags.common);
  tell_warnings(result.warnings, flags.common);
  if (!flags.plot.empty()) {
    write_plot(real_env(), flags.plot, plot_title("Agreement", input.path),
               charts_of(input, result));
  }
  if (flags.common.json) {
    std::printf("%s\n", to_json(flags, input, result).dump().c_str());
  } else {
    print_text(flags, input, result, &pool);
  }
  return 0;
}

}  // namespace hone::cli
