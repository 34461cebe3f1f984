#pragma once
// The report of hone eval preferences: pairs scored by a model, beside the model without adapter.

#include <string>
#include <vector>

#include "cli/common.h"
#include "eval/report.h"
#include "llm/pair_scoring.h"

namespace hone::cli {

struct PreferenceEvaluation {
  const LoadedModel& loaded;
  const std::vector<llm::PreferenceTokens>& pairs;
  std::vector<llm::PairSums> policy, reference;
  double beta = 0.1;
  std::string model_path, adapter_path, data_digest;
};

// Digests, settings, items and sums; canonical JSON by eval::write_report.
eval::Report preference_report(const PreferenceEvaluation& evaluation);

// Item names must be distinct: rows without an id are named by their line.
std::vector<llm::PreferenceTokens> name_pairs(std::vector<llm::PreferenceTokens> pairs,
                                              const std::vector<std::string>& names);

// "likelihood_accuracy   62.5 %   [50.1 %, 73.5 %]" for each metric.
std::string sums_text(const eval::Report& report);

}  // namespace hone::cli
