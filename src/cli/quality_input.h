#pragma once
// What the commands of hone quality share: options, and files of labels, truth and comparisons
// turned into the tables of the room quality (docs/formats/labels.md).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/common.h"
#include "data/label_fields.h"
#include "quality/comparison_table.h"
#include "quality/label_table.h"
#include "quality/trust.h"

namespace hone::cli {

struct QualityFileOptions {
  std::vector<std::string> columns;  // "task=question"
  std::string on_bad_row = "fail";
  size_t max_line_bytes = size_t{1} << 20;

  void add_to(Options& options);
  data::FieldOptions fields() const;
};

struct LabelOptions {
  QualityFileOptions files;
  std::vector<std::string> labels;  // declared classes, in their order
  std::string on_conflict = "keep";

  void add_to(Options& options);
  quality::OnConflict conflict() const;
};

struct LabelInput {
  std::string path;
  quality::LabelTable table;
  // Every row that was read, in the file's order, which stands for the order of time. Rows that
  // --on-conflict dropped are still here.
  std::vector<quality::Answer> answers;
  bool has_seconds = false;
  std::vector<std::string> rationales;  // empty, or one a row of answers
  data::ReadCounts counts;
  double read_seconds = 0.0;  // reading, cutting, building the table
};

// Reads the file; refuses, with the numbers, what would not fit into --memory-limit.
LabelInput read_labels(const std::string& path, const LabelOptions& options,
                       const CommonOptions& common);

struct TruthInput {
  // class of each task of the table; -1: no truth; classes.size(): a label that nobody gave.
  std::vector<int64_t> of_task;
  uint64_t tasks = 0;          // with a truth
  uint64_t unknown_tasks = 0;  // rows of tasks without a label: left out
  uint64_t unseen_labels = 0;  // tasks whose truth nobody gave: every answer is wrong there
  std::vector<std::string> warnings;
};
// One task with two truths, and a file that names no known task, are errors.
TruthInput read_truth(const std::string& path, const quality::LabelTable& table,
                      const LabelOptions& options);

struct ComparisonInput {
  std::string path;
  quality::ComparisonTable table;
  data::ReadCounts counts;
  double read_seconds = 0.0;
};
ComparisonInput read_comparisons(const std::string& path, const QualityFileOptions& files,
                                 const std::vector<std::string>& style,
                                 const CommonOptions& common);

// "left out 3 bad rows; the first: ..." on stderr, unless quiet.
void tell_skipped(const data::ReadCounts& counts, const CommonOptions& common);
// "reading took 12.1 ms, fitting 3.0 ms" on stderr, unless quiet: times are no part of a result.
void tell_seconds(double read, const char* work_name, double work, const CommonOptions& common);
void tell_warnings(const std::vector<std::string>& warnings, const CommonOptions& common);

}  // namespace hone::cli
