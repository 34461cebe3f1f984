#pragma once
// Does the model prefer what people preferred? Per held-out pair, from log-probabilities alone.
//
// Metrics of an item (docs/formats/report.md):
//   likelihood_accuracy   1 when the chosen answer's mean log-probability per token is higher, 0.5
//                         when equal, else 0. Needs no reference: base and trained model compare.
//   likelihood_margin     the difference of those means, in nats a token
//   reward_accuracy       the same question to the implicit reward beta (l - l_ref), summed; a
//                         model that is its own reference ties everywhere
//   reward_margin         its difference
//   reward_accuracy_norm  the implicit reward per token (length-normalised)
//
// Pure: log-probabilities in, report items out.

#include <vector>

#include "eval/report.h"
#include "llm/pair_scoring.h"

namespace hone::eval {

// policy and reference have one entry per pair. Items are named by the pairs' names, which must be
// distinct.
std::vector<ReportItem> preference_items(const std::vector<llm::PreferenceTokens>& pairs,
                                         const std::vector<llm::PairSums>& policy,
                                         const std::vector<llm::PairSums>& reference, double beta);

// Which way the metrics improve, for Report::better.
std::map<std::string, Better> preference_metrics();

}  // namespace hone::eval
