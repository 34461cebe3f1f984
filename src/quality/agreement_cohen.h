#pragma once
// Cohen's kappa pooled over pairs of workers: sum of n (observed - expected) over sum of n (1 -
// expected), n = common tasks. Internal to agreement.cc.

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
             std::vector<double> weights, bool with_classes);

  struct Scratch {
    std::vector<double> row, column, both;
    std::vector<uint32_t> touched;
    std::vector<double> numerator, denominator, said, agreed;  // by class
  };
  // multiplicity: how often each unit was drawn.
  void evaluate(std::span<const uint32_t> multiplicity, Scratch& scratch,
                AgreementValues& values) const;

 private:
  std::vector<CohenCell> cells_;
  std::vector<uint64_t> begin_;
  size_t class_count_;
  std::vector<double> weights_;
  bool with_classes_;
};

// All pairs of different workers of a table; throws too_large above kMostPairedLabels cells.
CohenPairs cohen_pairs(const LabelTable& table, std::vector<double> weights, bool with_classes);

}  // namespace hone::quality
