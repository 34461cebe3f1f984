#pragma once
// LLM-JEPA's options, which hone train jepa and hone train sft share, and its run.

#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/options.h"
#include "cli/train_options.h"
#include "train/jepa.h"

namespace hone::cli {

struct JepaOptions {
  std::string loss = "cosine";

  void add_to(Options& options, train::JepaConfig& config);
  // After the arguments were read: refuses what cannot be.
  void complete(train::JepaConfig& config) const;
  // Of an sft whose --jepa-lambda is 0: refuses options that would do nothing.
  void check_unused(const train::JepaConfig& config) const;
};

size_t largest_view_tree(const train::JepaConfig& config, const llm::ModelConfig& model,
                         const std::vector<llm::ViewTokens>& rows);

// From the options that were read to the end of the run.
int run_jepa(const TrainFlags& flags, const train::JepaConfig& config, const CommonOptions& common);

}  // namespace hone::cli
