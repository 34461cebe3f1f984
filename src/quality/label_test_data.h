#pragma once
// Tables for the tests of the label statistics: planted ones, and those of HONE_SHARED_DATA.

#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "quality/aggregate.h"
#include "quality/label_table.h"

namespace hone::quality {

using LabelRow = std::array<std::string, 3>;  // task, worker, label

inline LabelTable table_of_rows(const std::vector<LabelRow>& rows,
                                std::vector<std::string> declared = {}) {
  LabelTableBuilder builder(std::move(declared));
  for (const LabelRow& row : rows) builder.add(row[0], row[1], row[2]);
  return std::move(builder).build();
}

inline void shuffle(std::vector<LabelRow>& rows, uint64_t seed) {
  Rng rng(seed, rng_stream("shuffle"));
  for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[rng.below(i)]);
}

// Workers with planted confusion matrices label tasks with planted truth.
struct Planted {
  std::vector<LabelRow> rows;
  std::vector<size_t> truth;                   // of task "t<number, six digits>"
  std::vector<std::vector<double>> confusion;  // of worker "w<number, four digits>": K x K
};

inline std::string numbered(const char* kind, size_t number, size_t digits) {
  std::string text = std::to_string(number);
  return kind + std::string(digits > text.size() ? digits - text.size() : 0, '0') + text;
}

// quality in [low, high] a worker; per_task different workers for each task, drawn at random.
inline Planted plant(size_t tasks, size_t workers, size_t classes, size_t per_task, double low,
                     double high, uint64_t seed) {
  Rng rng(seed, rng_stream("planted-labels"));
  Planted planted;
  for (size_t w = 0; w < workers; ++w) {
    std::vector<double> matrix(classes * classes);
    for (size_t k = 0; k < classes; ++k) {
      const double right = low + (high - low) * rng.uniform();
      double rest = 0.0;
      for (size_t l = 0; l < classes; ++l) {
        if (l != k) rest += matrix[k * classes + l] = 0.2 + rng.uniform();
      }
      for (size_t l = 0; l < classes; ++l) {
        matrix[k * classes + l] = l == k ? right : matrix[k * classes + l] / rest * (1.0 - right);
      }
    }
    planted.confusion.push_back(std::move(matrix));
  }
  for (size_t t = 0; t < tasks; ++t) {
    const size_t truth = rng.below(classes);
    planted.truth.push_back(truth);
    std::vector<bool> asked(workers, false);
    for (size_t i = 0; i < per_task; ++i) {
      size_t worker = rng.below(workers);
      while (asked[worker]) worker = (worker + 1) % workers;
      asked[worker] = true;
      double u = rng.uniform();
      size_t said = 0;
      while (said + 1 < classes && u >= planted.confusion[worker][truth * classes + said]) {
        u -= planted.confusion[worker][truth * classes + said++];
      }
      planted.rows.push_back({numbered("t", t, 6), numbered("w", worker, 4), std::to_string(said)});
    }
  }
  return planted;
}

inline std::optional<std::string> shared_data(const std::string& path) {
  const char* folder = std::getenv("HONE_SHARED_DATA");
  if (folder == nullptr) return {};
  std::string full = std::string(folder) + "/" + path;
  if (!std::ifstream(full)) return {};
  return full;
}

#define HONE_NEED_SHARED(variable, path)                                   \
  const auto variable = shared_data(path);                                 \
  if (!variable)                                                           \
  GTEST_SKIP() << "HONE_SHARED_DATA has no " << (path) << ": not compared" \
               << " with the published numbers"

inline std::vector<std::string> split(const std::string& line, char by) {
  std::vector<std::string> parts(1);
  for (const char c : line) {
    if (c == by) {
      parts.emplace_back();
    } else if (c != '\r' && c != '\n') {
      parts.back() += c;
    }
  }
  return parts;
}

struct TruthSet {
  LabelTable table;
  std::vector<uint32_t> truth;
};

inline std::vector<LabelRow> read_labels(const std::string& path) {
  std::vector<LabelRow> rows;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const auto parts = split(line, ',');
    if (parts.size() == 3) rows.push_back({parts[0], parts[1], parts[2]});
  }
  return rows;
}

// A folder of data/truthinf.
inline TruthSet read_truth_set(const std::string& folder) {
  TruthSet set{table_of_rows(read_labels(folder + "/label.csv")), {}};
  std::map<std::string, uint32_t> task_of, class_of;
  for (uint32_t i = 0; i < set.table.task_count(); ++i) task_of[set.table.tasks()[i]] = i;
  for (uint32_t i = 0; i < set.table.class_count(); ++i) class_of[set.table.classes()[i]] = i;
  set.truth.assign(set.table.task_count(), kNoTruth);
  std::ifstream file(folder + "/truth.csv");
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const auto parts = split(line, ',');
    const auto task = task_of.find(parts.at(0));
    if (task == task_of.end()) continue;
    const auto known = class_of.find(parts.at(1));
    // A class that nobody ever said can only be missed.
    set.truth[task->second] = known == class_of.end() ? kNoTruth - 1 : known->second;
  }
  return set;
}

}  // namespace hone::quality
