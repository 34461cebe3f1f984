#pragma once
// Tests only: the public data of HONE_SHARED_DATA (which says aloud that it skips when absent) and
// the witness file tests/golden/quality/agreement.txt.

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "quality/comparison_table.h"
#include "quality/label_table.h"

namespace hone::quality::test_data {

using Row = std::vector<std::string>;

inline std::string shared_data() {
  const char* folder = std::getenv("HONE_SHARED_DATA");
  return folder != nullptr ? folder : "";
}

#define NEEDS_SHARED_DATA(path)                                                             \
  if (test_data::shared_data().empty() ||                                                   \
      !std::filesystem::exists(test_data::shared_data() + "/" + (path)))                    \
  GTEST_SKIP() << "no " << (path) << ": set HONE_SHARED_DATA to the folder of public data " \
               << "to check the published numbers"

inline Row split(const std::string& line, char separator) {
  Row cells;
  std::string cell;
  std::istringstream in(line);
  while (std::getline(in, cell, separator)) cells.push_back(cell);
  if (!line.empty() && line.back() == separator) cells.emplace_back();
  return cells;
}

// Lines without quoting, header included.
inline std::vector<Row> read_rows(const std::string& path, char separator = ',') {
  std::ifstream file(path);
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    rows.push_back(split(line, separator));
  }
  return rows;
}

struct TruthSet {
  LabelTable labels;
  std::vector<int64_t> truth;  // by task; -1 = none
};

// One of data/truthinf.
inline TruthSet truth_set(const std::string& name) {
  const std::string folder = shared_data() + "/truthinf/" + name;
  LabelTableBuilder builder;
  const auto rows = read_rows(folder + "/label.csv");
  for (size_t i = 1; i < rows.size(); ++i) builder.add(rows[i][0], rows[i][1], rows[i][2]);
  TruthSet set{std::move(builder).build(), {}};
  std::map<std::string, int64_t> task, label;
  for (size_t i = 0; i < set.labels.task_count(); ++i) {
    task[set.labels.tasks()[i]] = static_cast<int64_t>(i);
  }
  for (size_t i = 0; i < set.labels.class_count(); ++i) {
    label[set.labels.classes()[i]] = static_cast<int64_t>(i);
  }
  set.truth.assign(set.labels.task_count(), -1);
  const auto truths = read_rows(folder + "/truth.csv");
  for (size_t i = 1; i < truths.size(); ++i) {
    const auto at = task.find(truths[i][0]);
    const auto value = label.find(truths[i][1]);
    if (at == task.end()) continue;
    set.truth[static_cast<size_t>(at->second)] = value == label.end() ? 1000000 : value->second;
  }
  return set;
}

// llmfao's crowd: classes right, tie, left (an order: tie is between).
inline LabelTable llmfao_labels() {
  LabelTableBuilder builder({"right", "tie", "left"});
  const auto rows = read_rows(shared_data() + "/llmfao/crowd-comparisons.csv");
  for (size_t i = 1; i < rows.size(); ++i) builder.add(rows[i][0], rows[i][4], rows[i][5]);
  return std::move(builder).build();
}

inline ComparisonTable llmfao_comparisons() {
  ComparisonTableBuilder builder;
  const auto rows = read_rows(shared_data() + "/llmfao/crowd-comparisons.csv");
  for (size_t i = 1; i < rows.size(); ++i) {
    const Winner winner = rows[i][5] == "left"    ? Winner::kLeft
                          : rows[i][5] == "right" ? Winner::kRight
                                                  : Winner::kTie;
    builder.add(rows[i][2], rows[i][3], winner, rows[i][4], rows[i][0]);
  }
  return std::move(builder).build();
}

inline Json read_json(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return Json::parse(text.str()).value();
}

// The three annotators of each of PandaLM's 999 items, by item: 0 tie, 1, 2.
inline std::map<std::string, std::array<std::string, 3>> pandalm_annotations() {
  std::map<std::string, std::array<std::string, 3>> items;
  const Json data = read_json(shared_data() + "/pandalm/testset-v1.json");
  for (const Json& item : data.as_array()) {
    auto& labels = items["i" + std::to_string(10000 + item.find("idx")->as_int())];
    for (size_t i = 0; i < 3; ++i) {
      labels[i] = std::to_string(item.find("annotator" + std::to_string(i + 1))->as_int());
    }
  }
  return items;
}

// data/ukpconvarg1/assignments.tsv.gz, unpacked by gzip.
inline std::vector<Row> ukp_rows() {
  const std::string command = "gzip -dc '" + shared_data() + "/ukpconvarg1/assignments.tsv.gz'";
  FILE* pipe = popen(command.c_str(), "r");
  std::vector<Row> rows;
  if (pipe == nullptr) return rows;
  char line[4096];
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    std::string text(line);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    rows.push_back(split(text, '\t'));
  }
  pclose(pipe);
  return rows;
}

// Lines of the witness file as words.
inline const std::vector<Row>& witness() {
  static const std::vector<Row> rows = read_rows("tests/golden/quality/agreement.txt", ' ');
  return rows;
}

inline std::vector<double> numbers(const Row& row, size_t from) {
  std::vector<double> values;
  for (size_t i = from; i < row.size(); ++i) {
    values.push_back(std::strtod(row[i].c_str(), nullptr));
  }
  return values;
}

// The tables of the witness file by name; workers w0, w1, ...
inline std::map<std::string, LabelTable> witness_tables() {
  std::map<std::string, LabelTable> tables;
  const auto& rows = witness();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i][0] != "table") continue;
    LabelTableBuilder builder;
    const size_t tasks = std::stoul(rows[i][2]);
    for (size_t task = 0; task < tasks; ++task) {
      const Row& row = rows[i + 1 + task];
      for (size_t worker = 0; worker < row.size(); ++worker) {
        if (row[worker] == "-1") continue;
        builder.add("t" + std::to_string(1000 + task), "w" + std::to_string(worker), row[worker]);
      }
    }
    tables.emplace(rows[i][1], std::move(builder).build());
  }
  return tables;
}

}  // namespace hone::quality::test_data
