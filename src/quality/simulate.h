#pragma once
// Replay: what would adaptive overlap have saved on a finished data set?
//
// Each seed: every task starts with `start` of its recorded labels, drawn at random; the aggregate
// method gives a posterior; every task whose largest posterior is below the threshold gets one
// more of its recorded labels; again, until all are sure or used up. Accuracy is over tasks with a
// truth, ties split, of the final posterior. Draws: Rng(seed, "simulate", task).

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "quality/label_table.h"

namespace hone::quality {

// Posterior tasks x classes of a table; `warm` is the posterior of the round before (empty at
// first), a start that a method may use or not.
using AggregateFunction =
    std::function<std::vector<double>(const LabelTable& table, std::span<const double> warm)>;

struct SimulateOptions {
  uint32_t start = 3;       // labels a task at first
  double threshold = 0.99;  // ask while the largest posterior is below
  uint32_t max_labels = 0;  // most labels a task; 0 = all there are
  std::vector<uint64_t> seeds = {1, 2, 3, 4, 5};
};

struct SimulatePoint {
  uint64_t labels = 0;
  double share = 0.0;  // of all labels
  double accuracy = 0.0;
};
struct SimulateRun {
  uint64_t seed = 0;
  std::vector<SimulatePoint> points;  // after each round; the last is the result
};
struct Simulation {
  uint64_t labels = 0, tasks = 0, tasks_with_truth = 0;
  double full_accuracy = 0.0;  // of the same method with all labels
  std::vector<SimulateRun> runs;
  double mean_share = 0.0, share_deviation = 0.0;  // over seeds, at the end
  double mean_accuracy = 0.0, accuracy_deviation = 0.0;
  std::vector<std::string> warnings;
};

// truth[task] = class, or negative. Throws invalid_input when no task has a truth.
Simulation simulate(const LabelTable& table, std::span<const int64_t> truth,
                    const AggregateFunction& aggregate, const SimulateOptions& options = {});

}  // namespace hone::quality
