#pragma once
// A server's job of kind "gate": a candidate and what its alias answers with are measured on the
// gate's sets by a child process (hone job gate), and the alias moves or stays by what came out.
//
// Errors: not_found and conflict with a sentence when what was asked no longer fits what is there.

#include <string>

#include "api/platform.h"
#include "registry/aliases.h"
#include "store/job_queue.h"

namespace hone::cli {

// What the child reads (cli/gate_command.cc): {candidate, champion?, sets, training?, output}.
// folder: where the reports go; they stay, as the decision's evidence.
Json gate_spec(api::Platform& platform, const store::Job& job, const std::string& folder);

// In one write with the decision's record. evidence: what the child said at its end.
registry::Promotion decide_gate(api::Platform& platform, const store::Job& job,
                                const Json& evidence);

}  // namespace hone::cli
