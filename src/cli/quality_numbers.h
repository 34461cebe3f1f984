#pragma once
// hone quality aggregate for labels that are numbers: mean, median, huber, reliability-weighted.

#include <string>

#include "cli/quality_input.h"
#include "quality/numeric.h"

namespace hone::cli {

struct NumbersFlags {
  quality::NumericOptions fit;
  std::string truth, answers, workers;  // files; empty: not asked for
  std::string folder;                   // answers.csv, workers.csv, summary.json
  bool overwrite = false;
};

// Writes the files and prints the summary; returns the exit code.
int aggregate_numbers_of(const LabelInput& input, const NumbersFlags& flags,
                         const CommonOptions& common);

}  // namespace hone::cli
