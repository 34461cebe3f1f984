#pragma once
// A reward that another program gives: command=... runs by /bin/sh, named by whoever types the
// command line or writes the operator's config, never by data or the API (decisions 4.2).
//
//   program:timeout=30,command=python3 judge.py
//
// One process for the whole run, started at the first batch. Each batch is one line to its stdin
//   {"samples": [{"prompt", "completion", "completion_ids", "ended", "row"}, ..]}
// and one line from its stdout, {"rewards": [number or null, ..]}, within `timeout` seconds. Its
// stderr is ours. A program that ends, is late, or says anything else ends the run in words; it is
// killed with its children when the reward is.

#include <memory>

#include "reward/reward.h"
#include "reward/spec.h"

namespace hone::reward {

std::unique_ptr<RewardFunction> make_program(Spec spec);

}  // namespace hone::reward
