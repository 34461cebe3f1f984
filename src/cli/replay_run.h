#pragma once
// The steps of a run computed again, from a checkpoint of it and the files that it used.

#include <string>
#include <vector>

#include "cli/common.h"
#include "data/run_manifest.h"
#include "train/run_directory.h"

namespace hone::cli {

// Paths that were given in the place of those that the run remembers, and the like.
struct ReplayFlags {
  std::string model, ref_model, teacher, value_model, data, steps, temporary_dir;
  std::vector<std::string> rewards;
  CommonOptions common;
};

struct Checkpoint {
  size_t step = 0;  // 0: from the start
  std::string name;
};

// The newest checkpoint of the run before the first step that is asked for.
Checkpoint nearest_checkpoint(const std::string& run, size_t first);

// Computes the steps behind the checkpoint up to `last`, in a temporary folder, by the method of the
// manifest. Files are held against its digests. Throws Error: invalid_input, not_found, ...
std::vector<train::StepRecord> replay_steps(const std::string& run, const ReplayFlags& flags,
                                            const data::RunManifest& manifest,
                                            const Checkpoint& checkpoint, size_t last);

}  // namespace hone::cli
