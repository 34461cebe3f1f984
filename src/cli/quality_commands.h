#pragma once
// The commands of hone quality (quality_command.cc finds the right one).

#include "cli/commands.h"

namespace hone::cli {

int run_quality_aggregate(const Arguments& arguments);
int run_quality_agreement(const Arguments& arguments);
int run_quality_rank(const Arguments& arguments);
int run_quality_simulate(const Arguments& arguments);
int run_bench_labels(const Arguments& arguments);  // bench labels

}  // namespace hone::cli
