#pragma once
// Cohen's kappa: of pairs of workers, and of all workers at once (Conger 1980), labels may be missing.
// Internal to agreement.cc.

#include <cstdint>
#include <span>
#include <vector>

#include "quality/agreement_patterns.h"

namespace hone::quality {

struct CohenCell {  // one task on which two workers both said something
  uint32_t unit, first, second;
};

class CohenPairs {
 public:
  // cells: pair after pair; pair p at [begin[p], begin[p + 1]).
  CohenPairs(std::vector<CohenCell> cells, std::vector<uint64_t> begin, size_t classes,
             std::vector<double> weights);

  struct Scratch {
    std::vector<double> row, column;
    std::vector<uint32_t> touched;
  };
  // multiplicity: how often each unit was drawn.
  void evaluate(std::span<const uint32_t> multiplicity, Scratch& scratch,
                AgreementValues& values) const;

 private:
  std::vector<CohenCell> cells_;
  std::vector<uint64_t> begin_;
  size_t class_count_;
  std::vector<double> weights_;
};

// All workers: over every two labels of a task, agreement against sum_k p_ak p_bk, where p_w are the
// worker's class shares over all tasks with two workers or more. (Shares over the common tasks of a
// pair alone would be those of one or two tasks in a crowd, and chance agreement far too large.)
// One label of a worker on a task counts, the first. Time of a sample: labels x classes.
class CohenCrowd {
 public:
  CohenCrowd(const LabelTable& table, std::vector<double> weights, bool with_classes);

  struct Scratch {
    std::vector<double> shares, weighted;                   // workers x classes
    std::vector<double> labels_of;                          // workers
    std::vector<double> sum, weighted_sum, squares, count;  // classes
    std::vector<double> numerator, denominator, said, agreed;
  };
  // multiplicity: how often each task was drawn.
  void evaluate(std::span<const uint32_t> multiplicity, Scratch& scratch,
                AgreementValues& values) const;
  double work() const;  // multiplications of one sample, about

 private:
  struct Cell {
    uint32_t worker, label_class;
  };
  std::vector<Cell> cells_;
  std::vector<uint32_t> begin_;  // by task; empty where fewer than two workers spoke
  size_t worker_count_, class_count_;
  std::vector<double> weights_;
  bool with_classes_;
};

}  // namespace hone::quality
