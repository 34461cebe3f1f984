#pragma once
// hone job gate: what a gate wants to know, measured (cli/gate_job.h).

#include "cli/commands.h"

namespace hone::cli {

// SPEC.json: {"candidate": {"model", "adapter"?}, "champion"?: the same, "sets": [{"name", "data",
// "digest", "metric"}], "training"?, "training_digest"?, "output"}. Lines of progress on stdout; the
// last is {"phase": "done", "evidence": …} (registry::GateEvidence).
int run_job_gate(const Arguments& arguments);

// A server's children run while nobody else wants the processor.
void stand_behind();

}  // namespace hone::cli
