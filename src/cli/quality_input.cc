#include "cli/quality_input.h"

#include <algorithm>
#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/memory.h"
#include "cli/quality_text.h"
#include "data/comparison_reader.h"
#include "data/label_reader.h"
#include "quality/name_index.h"

namespace hone::cli {

namespace {

// Of one row while the tables are built and fitted: table 20, builder 24, answer 24, a fit's 100,
// names.
constexpr uint64_t kBytesARow = 180;
constexpr uint64_t kSampleBytes = 1 << 16;

// Rows by the file's size and the length of its first lines; refuses before anything is read.
void check_rows_fit(const std::string& path, const CommonOptions& common) {
  if (path == "-" || !real_env().exists(path) || real_env().is_directory(path)) return;
  const uint64_t size = real_env().file_size(path);
  if (size < (uint64_t{1} << 24)) return;
  uint64_t lines = 0, bytes = 0;
  struct Enough {};
  try {
    data::feed_file(path, [&](std::string_view piece) {
      piece = piece.substr(0, kSampleBytes);
      bytes = piece.size();
      lines = static_cast<uint64_t>(std::count(piece.begin(), piece.end(), '\n'));
      throw Enough();
    });
  } catch (const Enough&) {
  }
  const uint64_t rows = bytes == 0 ? 0 : size / bytes * std::max<uint64_t>(lines, 1);
  MemoryPlan plan;
  plan.add("rows", rows * kBytesARow);
  check_memory(common, plan, path + " with about " + grouped(rows) + " rows",
               "judge a part of the file, or raise --memory-limit");
}

void feed_all(const std::string& path, auto& reader) {
  data::feed_file(path, [&](std::string_view piece) {
    reader.feed(piece);
    if (interrupted()) throw Error(ErrorCode::kUnavailable, "stopped before the end");
  });
  reader.finish();
}

data::LabelReadOptions read_options(const LabelOptions& options) {
  return {options.files.fields(), options.labels};
}

std::vector<uint32_t> places(const quality::NameIndex& index, std::span<const std::string> names,
                             bool ascending) {
  std::vector<uint32_t> out(index.size());
  for (uint32_t i = 0; i < out.size(); ++i) {
    const auto at = ascending ? std::lower_bound(names.begin(), names.end(), index.name(i))
                              : std::find(names.begin(), names.end(), index.name(i));
    out[i] = static_cast<uint32_t>(at - names.begin());
  }
  return out;
}

}  // namespace

void QualityFileOptions::add_to(Options& options) {
  options.list("columns", &columns, "FIELD=NAME,..",
               "which column holds a field: task=question,worker=who");
  options.choice("on-bad-row", &on_bad_row, {"fail", "skip"}, "a line that cannot be read");
  options.count("max-line-bytes", &max_line_bytes, "longest line that is read");
}

data::FieldOptions QualityFileOptions::fields() const {
  data::FieldOptions out;
  out.on_bad_row = on_bad_row == "skip" ? data::OnBadRow::kSkip : data::OnBadRow::kFail;
  out.max_line_bytes = max_line_bytes;
  for (const std::string& pair : columns) {
    const size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == pair.size()) {
      throw invalid_input("--columns \"" + pair + "\" is not FIELD=NAME, such as task=question");
    }
    out.columns.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return out;
}

void LabelOptions::add_to(Options& options) {
  options.list("labels", &labels, "A,B,..",
               "the labels there are, in their order; any other is an error");
  options.choice("on-conflict", &on_conflict, {"keep", "drop", "first", "last"},
                 "one worker, one task, different labels: keep all, drop all, or take the first or "
                 "last in the file");
  files.add_to(options);
}

quality::OnConflict LabelOptions::conflict() const {
  if (on_conflict == "drop") return quality::OnConflict::kDrop;
  if (on_conflict == "first") return quality::OnConflict::kFirst;
  if (on_conflict == "last") return quality::OnConflict::kLast;
  return quality::OnConflict::kKeep;
}

LabelInput read_labels(const std::string& path, const LabelOptions& options,
                       const CommonOptions& common) {
  check_rows_fit(path, common);
  const double begin = real_env().steady_seconds();
  LabelInput input;
  input.path = path;
  quality::LabelTableBuilder builder(options.labels);
  quality::NameIndex tasks, workers, classes;
  data::LabelReader reader(path, read_options(options), [&](const data::LabelRow& row) {
    builder.add(row.task, row.worker, row.label);
    input.answers.push_back({workers.number_of(row.worker), tasks.number_of(row.task),
                             classes.number_of(row.label), row.seconds});
    if (!row.rationale.empty() || !input.rationales.empty()) {
      input.rationales.resize(input.answers.size());
      input.rationales.back() = row.rationale;
    }
  });
  feed_all(path, reader);
  input.has_seconds = reader.has_seconds();
  input.counts = reader.counts();
  if (!input.rationales.empty()) input.rationales.resize(input.answers.size());
  try {
    input.table = std::move(builder).build(options.conflict());
  } catch (const Error& error) {
    throw Error(error.code(), path + ": " + error.message());
  }
  const auto new_task = places(tasks, input.table.tasks(), true);
  const auto new_worker = places(workers, input.table.workers(), true);
  const auto new_class = places(classes, input.table.classes(), false);
  for (quality::Answer& answer : input.answers) {
    answer = {new_worker[answer.worker], new_task[answer.task], new_class[answer.value],
              answer.seconds};
  }
  input.read_seconds = real_env().steady_seconds() - begin;
  tell_skipped(input.counts, common);
  return input;
}

TruthInput read_truth(const std::string& path, const quality::LabelTable& table,
                      const LabelOptions& options) {
  TruthInput truth;
  truth.of_task.assign(table.task_count(), -1);
  const auto tasks = table.tasks();
  const auto classes = table.classes();
  const auto unseen = static_cast<int64_t>(classes.size());
  std::string first_unknown, first_unseen;
  // Truth that nobody gave is one class more; two such truths of one task may still differ.
  std::vector<std::pair<size_t, std::string>> unseen_text;
  data::TruthReader reader(path, read_options(options), [&](const data::TruthRow& row) {
    const auto task = std::lower_bound(tasks.begin(), tasks.end(), row.task);
    if (task == tasks.end() || *task != row.task) {
      if (truth.unknown_tasks++ == 0) {
        first_unknown = path + ":" + std::to_string(row.line) + ": the task " +
                        data::quoted_for_message(row.task) + " has no label";
      }
      return;
    }
    const auto found = std::find(classes.begin(), classes.end(), row.label);
    const int64_t value = found - classes.begin();
    const auto place = static_cast<size_t>(task - tasks.begin());
    int64_t& known = truth.of_task[place];
    bool differs = known >= 0 && known != value;
    if (value == unseen) {
      for (const auto& [other, text] : unseen_text) differs |= other == place && text != row.label;
      if (known < 0) unseen_text.emplace_back(place, row.label);
    }
    if (differs) {
      throw invalid_input("the task " + data::quoted_for_message(row.task) +
                          " had another truth above; keep one");
    }
    if (known < 0) {
      ++truth.tasks;
      if (value == unseen && truth.unseen_labels++ == 0) {
        first_unseen = path + ":" + std::to_string(row.line) + ": the truth " +
                       data::quoted_for_message(row.label) + " is a label that nobody gave";
      }
    }
    known = value;
  });
  feed_all(path, reader);
  if (truth.tasks == 0) {
    throw invalid_input(path + " names no task of the labels (" + first_unknown +
                        "); check that both files use the same ids");
  }
  if (truth.unknown_tasks > 0) {
    truth.warnings.push_back(first_unknown + "; " +
                             counted(truth.unknown_tasks, "such row is", "such rows are") +
                             " left out");
  }
  if (truth.unseen_labels > 0) {
    truth.warnings.push_back(first_unseen + "; every answer is wrong on " +
                             counted(truth.unseen_labels, "such task", "such tasks"));
  }
  return truth;
}

ComparisonInput read_comparisons(const std::string& path, const QualityFileOptions& files,
                                 const std::vector<std::string>& style,
                                 const CommonOptions& common) {
  check_rows_fit(path, common);
  const double begin = real_env().steady_seconds();
  ComparisonInput input;
  input.path = path;
  quality::ComparisonTableBuilder builder(style);
  data::ComparisonReader reader(path, {files.fields(), style}, [&](const data::ComparisonRow& row) {
    builder.add(row.left, row.right, static_cast<quality::Winner>(row.winner), row.worker, row.task,
                row.weight, row.style);
  });
  feed_all(path, reader);
  input.counts = reader.counts();
  input.table = std::move(builder).build();
  input.read_seconds = real_env().steady_seconds() - begin;
  tell_skipped(input.counts, common);
  return input;
}

static_assert(static_cast<int>(data::ComparisonWinner::kBothBad) ==
                  static_cast<int>(quality::Winner::kBothBad),
              "the winner's words have the same numbers in both rooms");

void tell_skipped(const data::ReadCounts& counts, const CommonOptions& common) {
  if (counts.skipped == 0 || common.quiet) return;
  std::fprintf(stderr, "left out %s; the first: %s\n",
               counted(counts.skipped, "bad row", "bad rows").c_str(),
               counts.first_skipped.front().c_str());
}

void tell_seconds(double read, const char* work_name, double work, const CommonOptions& common) {
  if (common.quiet) return;
  std::fprintf(stderr, "reading took %.1f ms, %s %.1f ms\n", 1000 * read, work_name, 1000 * work);
}

void tell_warnings(const std::vector<std::string>& warnings, const CommonOptions& common) {
  if (common.quiet) return;
  for (const std::string& warning : warnings) {
    std::fprintf(stderr, "note: %s\n", warning.c_str());
  }
}

}  // namespace hone::cli
