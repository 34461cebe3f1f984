#include "cli/quality_numbers.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "base/env.h"
#include "base/error.h"
#include "cli/quality_outputs.h"
#include "cli/quality_text.h"
#include "data/label_reader.h"

namespace hone::cli {

namespace {

constexpr size_t kMostShown = 8;

struct NumbersReport {
  const LabelInput& input;
  quality::NumericAggregate fit;
  std::optional<quality::NumericError> error;
};

std::vector<double> read_numeric_truth(const std::string& path, const quality::LabelTable& table,
                                       const CommonOptions& common) {
  std::vector<double> truth(table.task_count(), std::numeric_limits<double>::quiet_NaN());
  uint64_t known = 0, unknown = 0;
  std::string first_unknown;
  data::TruthReader reader(path, {}, [&](const data::TruthRow& row) {
    const auto tasks = table.tasks();
    const auto task = std::lower_bound(tasks.begin(), tasks.end(), row.task);
    const double value = data::number_of_field("label", row.label);
    if (task == tasks.end() || *task != row.task) {
      if (unknown++ == 0) {
        first_unknown = path + ":" + std::to_string(row.line) + ": the task " +
                        data::quoted_for_message(row.task) + " has no label";
      }
      return;
    }
    double& place = truth[static_cast<size_t>(task - tasks.begin())];
    if (!std::isnan(place) && place != value) {
      throw invalid_input("the task " + data::quoted_for_message(row.task) +
                          " had another truth above; keep one");
    }
    known += std::isnan(place) ? 1 : 0;
    place = value;
  });
  data::feed_file(path, [&](std::string_view piece) { reader.feed(piece); });
  reader.finish();
  if (known == 0) {
    throw invalid_input(path + " names no task of the labels (" + first_unknown +
                        "); check that both files use the same ids");
  }
  if (unknown > 0) {
    tell_warnings(
        {first_unknown + "; " + counted(unknown, "such row is", "such rows are") + " left out"},
        common);
  }
  return truth;
}

std::string answers_csv(const NumbersReport& report) {
  const quality::LabelTable& table = report.input.table;
  std::string out = "task,value,standard_error,low,high,labels\n";
  for (size_t task = 0; task < table.task_count(); ++task) {
    append_csv_cell(out, table.tasks()[task]);
    for (const double value : {report.fit.value[task], report.fit.standard_error[task],
                               report.fit.interval[task].low, report.fit.interval[task].high}) {
      out += "," + number_to_string(value);
    }
    out += "," + std::to_string(table.labels_of_task(task).size()) + "\n";
  }
  return out;
}

std::string workers_table_csv(const NumbersReport& report) {
  std::string out = "worker,labels,bias,deviation,weight\n";
  for (size_t worker = 0; worker < report.input.table.worker_count(); ++worker) {
    append_csv_cell(out, report.input.table.workers()[worker]);
    out += "," + std::to_string(report.fit.worker_labels[worker]);
    for (const double value : {report.fit.worker_bias[worker], report.fit.worker_deviation[worker],
                               report.fit.worker_weight[worker]}) {
      out += "," + number_to_string(value);
    }
    out += "\n";
  }
  return out;
}

Json json_of(const NumbersReport& report) {
  const quality::LabelTable& table = report.input.table;
  Json json = Json::object();
  json["method"] = std::string(quality::numeric_method_name(report.fit.method));
  json["tasks"] = uint64_t{table.task_count()};
  json["workers"] = uint64_t{table.worker_count()};
  json["labels"] = uint64_t{table.label_count()};
  json["iterations"] = report.fit.iterations;
  json["converged"] = report.fit.converged;
  json["duplicates"] = table.duplicates();
  json["conflicts"] = table.conflicts();
  json["skipped_rows"] = report.input.counts.skipped;
  json["noise"] = report.fit.noise;
  if (report.error) {
    json["root_mean_square_error"] = report.error->root_mean_square;
    json["mean_absolute_error"] = report.error->mean_absolute;
    json["truth_tasks"] = uint64_t{report.error->tasks};
  }
  Json& workers = json["worker_table"] = Json::array();
  for (size_t worker = 0; worker < table.worker_count(); ++worker) {
    Json row = Json::object();
    row["worker"] = table.workers()[worker];
    row["labels"] = report.fit.worker_labels[worker];
    row["bias"] = report.fit.worker_bias[worker];
    row["deviation"] = report.fit.worker_deviation[worker];
    row["weight"] = report.fit.worker_weight[worker];
    workers.push_back(std::move(row));
  }
  json["warnings"] = strings_json(report.fit.warnings);
  return json;
}

const char* method_words(quality::NumericMethod method) {
  using enum quality::NumericMethod;
  switch (method) {
    case kMean: return "the mean of the labels";
    case kMedian: return "the middle label";
    case kHuber: return "a mean that outliers cannot pull far";
    case kReliabilityWeighted:
      return "a mean that counts exact workers more and takes out habits "
             "of giving too much or too little";
  }
  return "";
}

std::string text_of(const NumbersReport& report) {
  const quality::LabelTable& table = report.input.table;
  std::string text =
      report.input.path + ": " + counted(table.label_count(), "label", "labels") + " by " +
      counted(table.worker_count(), "worker", "workers") + " on " +
      counted(table.task_count(), "task", "tasks") + "\n" +
      paragraph("Method: " + std::string(quality::numeric_method_name(report.fit.method)) + " (" +
                method_words(report.fit.method) + ")") +
      paragraph("A single label is off by about " + fixed_text(report.fit.noise, 3) +
                " (standard deviation).");
  std::vector<uint32_t> order(table.worker_count());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return report.fit.worker_deviation[a] > report.fit.worker_deviation[b];
  });
  std::vector<std::vector<std::string>> rows = {
      {"worker", "labels", "too high by", "scatter", "weight"}};
  for (size_t i = 0; i < order.size() && i < kMostShown; ++i) {
    const uint32_t worker = order[i];
    rows.push_back({shown_name(table.workers()[worker]), grouped(report.fit.worker_labels[worker]),
                    fixed_text(report.fit.worker_bias[worker], 3),
                    fixed_text(report.fit.worker_deviation[worker], 3),
                    fixed_text(report.fit.worker_weight[worker], 2)});
  }
  text += "\nWorkers, those that scatter most first (weight: what a label counts, 1 = average)\n" +
          table_text(rows);
  if (report.error) {
    text += "\nAgainst the truth\n  off by " + fixed_text(report.error->mean_absolute, 4) +
            " on average, root mean square " + fixed_text(report.error->root_mean_square, 4) +
            ", " + counted(report.error->tasks, "task", "tasks") + "\n";
  }
  return text;
}

}  // namespace

int aggregate_numbers_of(const LabelInput& input, const NumbersFlags& flags,
                         const CommonOptions& common) {
  if (!input.table.classes_are_numbers()) {
    const auto classes = input.table.classes();
    std::string example(classes.front());
    for (const std::string& name : classes) {
      if (name.find_first_not_of("0123456789.+-eE") != std::string::npos) example = name;
    }
    throw invalid_input(input.path + ": --method " +
                        std::string(quality::numeric_method_name(flags.fit.method)) +
                        " needs numbers, and a label is " + data::quoted_for_message(example) +
                        "; take dawid-skene or another method for names");
  }
  const double begin = real_env().steady_seconds();
  NumbersReport report{input, quality::aggregate_numbers(input.table, flags.fit), {}};
  tell_seconds(input.read_seconds, "fitting", real_env().steady_seconds() - begin, common);
  if (!flags.truth.empty()) {
    report.error =
        quality::error_against(report.fit, read_numeric_truth(flags.truth, input.table, common));
  }
  tell_warnings(report.fit.warnings, common);
  const auto write = [&](const std::string& path, const std::string& text) {
    if (path.empty()) return;
    write_in_pieces(real_env(), path, flags.overwrite, [&](const auto& put) { put(text); });
  };
  if (!flags.folder.empty()) {
    real_env().create_directories(flags.folder);
    write(flags.folder + "/answers.csv", answers_csv(report));
    write(flags.folder + "/workers.csv", workers_table_csv(report));
    write(flags.folder + "/summary.json", json_of(report).dump() + "\n");
  }
  write(flags.answers, answers_csv(report));
  write(flags.workers, workers_table_csv(report));
  if (common.json) {
    std::printf("%s\n", json_of(report).dump().c_str());
  } else {
    std::fputs(text_of(report).c_str(), stdout);
  }
  return 0;
}

}  // namespace hone::cli
