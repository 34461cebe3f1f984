#pragma once
// What a promotion gate is shown (registry/gate.h): two reports of one set compared, and the training
// prompts that stand in a test set. From files, for hone model promote and for a server's job.
//
// Errors: invalid_input with a sentence that names the file, and what the readers throw.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/env.h"
#include "data/dataset.h"
#include "eval/report.h"
#include "registry/gate.h"

namespace hone::cli {

// Digest of what a report is about: the adapter's, else the model's; empty when it names neither.
std::string subject_of(const eval::Report& report);

// candidate against champion on one set. champion: empty = none. metric: empty = the report's own.
registry::GateComparison compare_for_gate(Env& env, const std::string& candidate,
                                          const std::string& champion, std::string_view metric);

// Prompts of the training rows that stand in the test set too; `what` names the set in a refusal of a
// file that is not the one of this digest.
uint64_t prompts_in_common(Env& env, const data::Dataset& training, const std::string& path,
                           std::string_view digest, const std::string& what);

}  // namespace hone::cli
