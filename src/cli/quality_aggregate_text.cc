#include "cli/quality_aggregate_text.h"

#include <algorithm>
#include <numeric>

namespace hone::cli {

namespace {

constexpr size_t kMostAskRows = 1000;  // of NextTasks
constexpr size_t kMostAskInJson = 100;
constexpr size_t kMostWorkersShown = 8;
constexpr size_t kMostClassesShown = 12;
constexpr uint64_t kFewLabels = 5;  // a worker with fewer is not ranked on screen

double best_probability(const quality::Aggregate& fit, size_t task) {
  return fit.posterior[task * fit.class_count + fit.winners(task).front()];
}

const char* method_words(quality::Method method) {
  using enum quality::Method;
  switch (method) {
    case kMajority: return "the label most people gave";
    case kWawa: return "a vote that counts workers more who agree with the majority";
    case kDawidSkene: return "answers and each worker's way of confusing labels, found together";
    case kOneCoin: return "answers and how often each worker is right, found together";
    case kZenCrowd: return "answers and how often each worker is right, all labels equally likely";
    case kIbcc: return "answers and each worker's confusions, careful with workers of few labels";
    case kMace: return "answers, and who knows and who guesses";
    case kMaceVb: return "answers, and who knows and who guesses, careful with few labels";
    case kGlad: return "answers, each worker's skill and each task's difficulty";
    case kAuto: return "";
  }
  return "";
}

// Where the best predictor was taken, in plain words; else the fit's own grounds.
std::string grounds_text(const quality::Aggregate& fit) {
  if (fit.candidates.size() < 2 || fit.candidates.front().method != fit.method) {
    return fit.grounds.empty() ? std::string() : paragraph("Chosen because: " + fit.grounds);
  }
  return paragraph("Chosen because it foretold labels that were held back best of " +
                   counted(fit.candidates.size(), "method", "methods") + "; next is " +
                   std::string(quality::method_name(fit.candidates[1].method)) + ".");
}

std::string sure_text(const AggregateReport& report) {
  const auto tasks = static_cast<double>(report.input.table.task_count());
  const auto share = [&](uint64_t n) { return percent_text(static_cast<double>(n) / tasks, 0); };
  std::vector<std::vector<std::string>> rows = {{"", "tasks", ""}};
  rows.push_back({"sure (" + percent_text(report.rule.threshold, 0) + " or more)",
                  grouped(report.sure), share(report.sure)});
  rows.push_back({"worth another label", grouped(report.ask), share(report.ask)});
  if (report.undecided > 0) {
    rows.push_back({"undecided after " + counted(report.rule.max_labels, "label", "labels"),
                    grouped(report.undecided), share(report.undecided)});
  }
  return "How sure the answers are\n" + table_text(rows);
}

std::string classes_text(const AggregateReport& report) {
  const quality::LabelTable& table = report.input.table;
  if (table.class_count() > kMostClassesShown) return {};
  std::vector<uint64_t> given(table.class_count(), 0), answers(table.class_count(), 0);
  for (const quality::Label& label : table.labels()) ++given[label.value];
  for (size_t task = 0; task < table.task_count(); ++task) {
    ++answers[report.fit.winners(task).front()];
  }
  std::vector<std::vector<std::string>> rows = {{"label", "given", "", "answer to", ""}};
  for (size_t k = 0; k < given.size(); ++k) {
    rows.push_back(
        {shown_name(table.classes()[k]), grouped(given[k]),
         percent_text(static_cast<double>(given[k]) / static_cast<double>(table.label_count()), 0),
         counted(answers[k], "task", "tasks"),
         percent_text(static_cast<double>(answers[k]) / static_cast<double>(table.task_count()),
                      0)});
  }
  return "\nThe labels\n" + table_text(rows);
}

std::vector<const WorkerReport*> workers_to_show(const AggregateReport& report) {
  std::vector<const WorkerReport*> rows;
  for (const WorkerReport& row : report.workers.rows) {
    if (row.labels >= kFewLabels) rows.push_back(&row);
  }
  // With a remark first, then the least often right; equal ones by name.
  std::stable_sort(rows.begin(), rows.end(), [](const WorkerReport* a, const WorkerReport* b) {
    if (a->remarks.empty() != b->remarks.empty()) return !a->remarks.empty();
    return a->accuracy < b->accuracy;
  });
  if (rows.size() > kMostWorkersShown) rows.resize(kMostWorkersShown);
  return rows;
}

std::string workers_text(const AggregateReport& report) {
  const std::vector<const WorkerReport*> shown = workers_to_show(report);
  if (shown.empty()) return {};
  std::vector<std::vector<std::string>> rows = {
      {"worker", "labels", "right", "", "what stands out"}};
  for (const WorkerReport* row : shown) {
    std::string remarks;
    for (const std::string& remark : row->remarks)
      remarks += (remarks.empty() ? "" : "; ") + remark;
    rows.push_back({shown_name(report.input.table.workers()[row->worker], 20), grouped(row->labels),
                    percent_text(row->accuracy, 0),
                    row->interval ? percent_interval_text(*row->interval) : "",
                    remarks.empty() ? "\u2013" : remarks});
  }
  const size_t all = report.input.table.worker_count();
  std::string text =
      "\nWho is how often right, by this method's own answers (in brackets: how "
      "exactly that is known)\n" +
      table_text(rows);
  if (all > shown.size()) {
    text += "  and " + grouped(all - shown.size()) +
            " more; shown are those with a remark, then the least often right\n";
  }
  return text;
}

std::vector<std::string> names_of_tasks(const AggregateReport& report, size_t most) {
  std::vector<std::string> names;
  for (size_t i = 0; i < report.next.ask.size() && i < most; ++i) {
    names.push_back(report.input.table.tasks()[report.next.ask[i].task]);
  }
  return names;
}

std::string bullet(const std::string& text) { return paragraph("  - " + text, "    "); }

// Workers with one kind of remark, named.
template <typename Has>
std::string about_workers(const AggregateReport& report, const Has& has, const std::string& one,
                          const std::string& many, const std::string& advice) {
  std::vector<std::string> names;
  for (const WorkerReport& row : report.workers.rows) {
    if (has(row)) names.push_back(report.input.table.workers()[row.worker]);
  }
  if (names.empty()) return {};
  return bullet(counted(names.size(), "worker", "workers") + " " +
                (names.size() == 1 ? one : many) + ": " + listed_names(names) + ". " + advice);
}

std::string next_text(const AggregateReport& report) {
  const quality::LabelTable& table = report.input.table;
  std::string text = "\nWhat to do next\n";
  if (report.ask > 0) {
    text += bullet(counted(report.ask, "task needs", "tasks need") +
                   " one more label; where it tells most: " +
                   listed_names(names_of_tasks(report, 3), 3) + ".");
  } else {
    text += bullet("No task needs another label.");
  }
  if (report.undecided > 0) {
    text += bullet(counted(report.undecided, "task is", "tasks are") + " still open after " +
                   counted(report.rule.max_labels, "label", "labels") +
                   ": let an expert decide, or ask whether the question has an answer.");
  }
  for (uint32_t k = 0; k < table.class_count() && k < kMostClassesShown; ++k) {
    const std::string label = shown_name(table.classes()[k], 16);
    text += about_workers(
        report, [&](const WorkerReport& row) { return row.lean.is_large && row.lean.label == k; },
        "answers \"" + label + "\" too often", "answer \"" + label + "\" too often",
        "Show them tasks where it is wrong.");
  }
  const double level = WorkersOptions().false_discovery;
  text += about_workers(
      report,
      [&](const WorkerReport& row) { return row.crowd != nullptr && row.crowd->q <= level; },
      "answers unlike the others", "answer unlike the others",
      "Talk to them before you drop anything: they may see what others miss.");
  text += about_workers(
      report,
      [&](const WorkerReport& row) { return row.pattern != nullptr && row.pattern->q <= level; },
      "answers in a pattern", "answer in a pattern",
      "Long runs or alternation that chance does not explain; look at their answers in order.");
  text += about_workers(
      report, [&](const WorkerReport& row) { return row.time != nullptr && row.time->q <= level; },
      "is often too fast", "are often too fast", "Their answers took less than --floor-seconds.");
  text += about_workers(
      report, [](const WorkerReport& row) { return row.near_duplicates > 0; },
      "gives nearly the same rationale again", "give nearly the same rationales",
      "Read a few of them side by side.");
  return text;
}

std::string truth_text(const AggregateReport& report) {
  if (!report.accuracy) return {};
  std::string text = "\nAgainst the truth\n  " + percent_text(report.accuracy->accuracy, 2) + " " +
                     percent_interval_text(*report.accuracy_interval) + " of " +
                     counted(report.accuracy->tasks, "task", "tasks") +
                     " right (equally likely answers share the point)\n";
  if (report.accuracy->f1) {
    const std::string label = shown_name(report.input.table.classes()[1], 16);
    text += "  \"" + label + "\": " + percent_text(*report.accuracy->precision) +
            " of those found are right, " + percent_text(*report.accuracy->recall) +
            " of those there are found (F1 " + percent_text(*report.accuracy->f1, 2) + ")\n";
  }
  return text;
}

Json classes_json(const AggregateReport& report) {
  Json out = Json::array();
  const quality::LabelTable& table = report.input.table;
  std::vector<uint64_t> given(table.class_count(), 0), answers(table.class_count(), 0);
  for (const quality::Label& label : table.labels()) ++given[label.value];
  for (size_t task = 0; task < table.task_count(); ++task) {
    ++answers[report.fit.winners(task).front()];
  }
  for (size_t k = 0; k < given.size(); ++k) {
    Json row = Json::object();
    row["label"] = table.classes()[k];
    row["given"] = given[k];
    row["answers"] = answers[k];
    row["prior"] = report.fit.prior[k];
    out.push_back(std::move(row));
  }
  return out;
}

Json next_json(const AggregateReport& report) {
  Json next = Json::object();
  next["threshold"] = report.rule.threshold;
  next["min_labels"] = report.rule.min_labels;
  next["max_labels"] = report.rule.max_labels;
  next["sure"] = report.sure;
  next["ask"] = report.ask;
  next["undecided"] = report.undecided;
  Json& tasks = next["tasks"] = Json::array();
  for (size_t i = 0; i < report.next.ask.size() && i < kMostAskInJson; ++i) {
    const quality::NextTask& task = report.next.ask[i];
    Json row = Json::object();
    row["task"] = report.input.table.tasks()[task.task];
    row["probability"] = task.confidence;
    row["information_bits"] = task.information;
    tasks.push_back(std::move(row));
  }
  return next;
}

Chart posterior_chart(const AggregateReport& report) {
  constexpr size_t kBars = 20;
  const double lowest = 1.0 / static_cast<double>(report.fit.class_count);
  // Twenty bars of equal width, and none astride the threshold's colour: a bar is weak when most of
  // it lies below.
  HistogramSpec spec;
  spec.title = "How sure each answer is";
  spec.caption = "Tasks by the probability of their likeliest answer. " +
                 counted(report.sure, "task is", "tasks are") + " sure (" +
                 percent_text(report.rule.threshold, 0) + " or more with at least " +
                 counted(report.rule.min_labels, "label", "labels") + ").";
  spec.x_label = "probability of the likeliest answer";
  spec.y_label = "tasks";
  spec.strong_word = "from " + percent_text(report.rule.threshold, 0) + " on";
  spec.weak_word = "below";
  const double low = report.fit.class_count > 1 ? lowest : 0.0;
  const double width = (1.0 - low) / static_cast<double>(kBars);
  for (size_t i = 0; i < kBars; ++i) {
    const double left = low + width * static_cast<double>(i);
    spec.bars.push_back({left, left + width, 0.0, left + width / 2 < report.rule.threshold});
  }
  for (size_t task = 0; task < report.fit.task_count; ++task) {
    const double p = best_probability(report.fit, task);
    const double place = std::clamp((p - low) / width, 0.0, static_cast<double>(kBars) - 0.5);
    spec.bars[static_cast<size_t>(place)].count += 1.0;
  }
  return histogram_chart(spec);
}

ConfusionPanel pooled_confusion(const AggregateReport& report) {
  const size_t k = report.fit.class_count;
  std::vector<double> count(k * k, 0.0);
  for (const quality::Label& label : report.input.table.labels()) {
    for (size_t truth = 0; truth < k; ++truth) {
      count[truth * k + label.value] += report.fit.posterior[label.task * k + truth];
    }
  }
  for (size_t truth = 0; truth < k; ++truth) {
    const auto row = std::span(count).subspan(truth * k, k);
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (double& value : row) value = sum > 0 ? value / sum : 0.0;
  }
  return {"all workers", counted(report.input.table.label_count(), "label", "labels"),
          std::move(count)};
}

}  // namespace

void judge_tasks(AggregateReport& report) {
  const quality::LabelTable& table = report.input.table;
  const quality::Aggregate& fit = report.fit;
  std::vector<uint32_t> labels(table.task_count());
  for (size_t task = 0; task < labels.size(); ++task) {
    labels[task] = static_cast<uint32_t>(table.labels_of_task(task).size());
    report.ties += fit.winners(task).size() > 1 ? 1 : 0;
    const auto row = std::span(fit.posterior).subspan(task * fit.class_count, fit.class_count);
    switch (quality::task_state(row, labels[task], report.rule)) {
      case quality::TaskState::kDone: ++report.sure; break;
      case quality::TaskState::kAsk: ++report.ask; break;
      case quality::TaskState::kUndecided: ++report.undecided; break;
    }
  }
  double right = 0.0;
  for (size_t worker = 0; worker < table.worker_count(); ++worker) {
    right += fit.reliability[worker] * static_cast<double>(fit.worker_labels[worker]);
  }
  const double chance = 1.0 / static_cast<double>(std::max<size_t>(fit.class_count, 1));
  report.typical_accuracy =
      std::clamp(right / static_cast<double>(table.label_count()), chance, 0.999);
  if (fit.class_count > 1) {
    report.next = quality::next_tasks(fit.posterior, fit.class_count, labels,
                                      report.typical_accuracy, report.rule, kMostAskRows);
  }
  if (!report.truth) return;
  std::vector<uint32_t> truth(table.task_count(), quality::kNoTruth);
  for (size_t task = 0; task < truth.size(); ++task) {
    const int64_t value = report.truth->of_task[task];
    if (value >= 0 && value < static_cast<int64_t>(fit.class_count)) {
      truth[task] = static_cast<uint32_t>(value);
    }
  }
  quality::Accuracy accuracy = quality::accuracy_against(fit, truth);
  const double points = accuracy.accuracy * static_cast<double>(accuracy.tasks);
  accuracy.tasks += report.truth->unseen_labels;
  if (report.truth->unseen_labels > 0) {
    accuracy.accuracy = points / static_cast<double>(accuracy.tasks);
  }
  report.accuracy_interval = quality::wilson_interval(points, static_cast<double>(accuracy.tasks));
  report.accuracy = accuracy;
}

std::vector<std::string> report_warnings(const AggregateReport& report) {
  std::vector<std::string> all = report.fit.warnings;
  const auto add = [&](const std::vector<std::string>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  if (report.truth) add(report.truth->warnings);
  if (report.gold) add(report.gold->warnings);
  add(report.workers.notes);
  return all;
}

std::string aggregate_text(const AggregateReport& report) {
  const quality::LabelTable& table = report.input.table;
  std::string text = report.input.path + ": " + counted(table.label_count(), "label", "labels") +
                     " by " + counted(table.worker_count(), "worker", "workers") + " on " +
                     counted(table.task_count(), "task", "tasks") + ", " +
                     counted(table.class_count(), "different label", "different labels") + "\n";
  if (table.duplicates() > 0 || table.conflicts() > 0) {
    text += grouped(table.duplicates()) + " repeated rows dropped; " +
            counted(table.conflicts(), "worker contradicts", "times a worker contradicts") +
            " an own answer (--on-conflict)\n";
  }
  text += paragraph("Method: " + std::string(quality::method_name(report.fit.method)) + " (" +
                    method_words(report.fit.method) + ")");
  if (report.asked == quality::Method::kAuto) text += grounds_text(report.fit);
  if (!report.fit.converged) {
    text += paragraph("The fit had not settled after " +
                      counted(report.fit.iterations, "round", "rounds") +
                      ": take the probabilities with care, or raise --max-iterations.");
  }
  text += "\n" + sure_text(report);
  if (report.ties > 0) {
    text += "  " + counted(report.ties, "task has", "tasks have") +
            " two or more equally likely answers\n";
  }
  text += classes_text(report) + workers_text(report) + truth_text(report) + next_text(report);
  return text;
}

Json aggregate_json(const AggregateReport& report) {
  const quality::LabelTable& table = report.input.table;
  Json json = Json::object();
  json["method"] = std::string(quality::method_name(report.fit.method));
  if (report.asked == quality::Method::kAuto) {
    json["grounds"] = report.fit.grounds;
    Json& candidates = json["candidates"] = Json::array();
    for (const quality::AutoCandidate& candidate : report.fit.candidates) {
      Json row = Json::object();
      row["method"] = std::string(quality::method_name(candidate.method));
      row["held_out_log_likelihood"] = candidate.held_out;
      row["standard_error"] = candidate.standard_error;
      candidates.push_back(std::move(row));
    }
  }
  json["tasks"] = uint64_t{table.task_count()};
  json["workers"] = uint64_t{table.worker_count()};
  json["labels"] = uint64_t{table.label_count()};
  json["iterations"] = report.fit.iterations;
  json["log_likelihood"] = report.fit.log_likelihood ? Json(*report.fit.log_likelihood) : Json();
  json["objective"] = report.fit.objective ? Json(*report.fit.objective) : Json();
  json["converged"] = report.fit.converged;
  json["duplicates"] = table.duplicates();
  json["conflicts"] = table.conflicts();
  json["skipped_rows"] = report.input.counts.skipped;
  json["ties"] = report.ties;
  if (report.accuracy) {
    json["accuracy"] = report.accuracy->accuracy;
    json["accuracy_interval"] = interval_json(*report.accuracy_interval);
    json["truth_tasks"] = uint64_t{report.accuracy->tasks};
    json["truth_unknown_tasks"] = report.truth->unknown_tasks;
    if (report.accuracy->f1) {
      json["precision"] = *report.accuracy->precision;
      json["recall"] = *report.accuracy->recall;
      json["f1"] = *report.accuracy->f1;
    }
  }
  json["classes"] = classes_json(report);
  json["next"] = next_json(report);
  Json& workers = json["worker_table"] = Json::array();
  for (const WorkerReport& row : report.workers.rows) {
    workers.push_back(worker_json(row, report.input, report.fit));
  }
  json["warnings"] = strings_json(report_warnings(report));
  return json;
}

std::vector<Chart> aggregate_charts(const AggregateReport& report) {
  constexpr size_t kMostPanels = 11, kMostPanelClasses = 12;
  const quality::LabelTable& table = report.input.table;
  std::vector<Chart> charts = {posterior_chart(report)};
  if (table.class_count() <= kMostPanelClasses) {
    std::vector<ConfusionPanel> panels = {pooled_confusion(report)};
    std::vector<const WorkerReport*> rows;
    for (const WorkerReport& row : report.workers.rows) rows.push_back(&row);
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto* a, const auto* b) { return a->labels > b->labels; });
    for (size_t i = 0; i < rows.size() && i < kMostPanels; ++i) {
      panels.push_back({table.workers()[rows[i]->worker],
                        counted(rows[i]->labels, "label", "labels") + ", " +
                            percent_text(rows[i]->accuracy, 0) + " right",
                        quality::worker_quality(report.fit, table, rows[i]->worker).confusion});
    }
    charts.push_back(confusion_chart(
        "What workers say when the answer is ...",
        "Each row is the right answer, each column what was said, in percent: a dark diagonal is a "
        "good worker, a dark column a label that is said too often. Workers with most labels.",
        {table.classes().begin(), table.classes().end()}, panels));
  }
  std::vector<RankedThing> people;
  std::vector<const WorkerReport*> known;
  for (const WorkerReport& row : report.workers.rows) {
    if (row.labels >= kFewLabels) known.push_back(&row);
  }
  std::stable_sort(known.begin(), known.end(),
                   [](const auto* a, const auto* b) { return a->labels > b->labels; });
  if (known.size() > 40) known.resize(40);
  std::stable_sort(known.begin(), known.end(),
                   [](const auto* a, const auto* b) { return a->accuracy > b->accuracy; });
  for (const WorkerReport* row : known) {
    people.push_back(
        {table.workers()[row->worker], grouped(row->labels), row->accuracy, row->interval});
  }
  if (!people.empty()) {
    charts.push_back(ranking_chart({"Who is how often right",
                                    "By this method's own answers; the lines show how exactly that "
                                    "is known. At most 40 workers, those with most labels.",
                                    "labels that are right",
                                    "labels",
                                    std::move(people),
                                    true,
                                    {}}));
  }
  return charts;
}

}  // namespace hone::cli
