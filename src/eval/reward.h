#pragma once
// Does a reward model put the answer that people preferred above the other one? Per held-out pair.
//
// Metrics of an item (docs/formats/report.md):
//   reward_accuracy   1 when the chosen answer scores higher, 0.5 when equal, else 0
//   reward_margin     the difference of the two scores
//   chosen_reward, rejected_reward   the scores
//
// Pure: scores in, report items out.

#include <map>
#include <vector>

#include "eval/report.h"
#include "llm/pair_scoring.h"
#include "quality/paired_tests.h"

namespace hone::eval {

// One entry per pair. Items are named by the pairs' names, which must be distinct.
std::vector<ReportItem> reward_items(const std::vector<llm::PreferenceTokens>& pairs,
                                     const std::vector<llm::PairSums>& scores);
// Labelled steps of a process reward model, an item each, "NAME#1" the first of a row: right when the
// score's sign is the label's; reward_margin is the score, or minus it for a wrong step.
// scores: of each row, in the order of its ends.
std::vector<ReportItem> step_items(const std::vector<llm::StepTokens>& rows,
                                   const std::vector<std::vector<double>>& scores);
std::map<std::string, Better> reward_metrics();

// The exact test of "right as often as wrong" over the items' reward_margin.
struct AgainstChance {
  quality::SignTest test;
  Json to_json() const;  // {"right", "wrong", "equal", "p"}
};
AgainstChance against_chance(const Report& report);

}  // namespace hone::eval
