#pragma once
// The options that every training method has: files, and train::TrainConfig under TRL's names.

#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/options.h"
#include "train/config.h"

namespace hone::cli {

struct TrainFlags {
  ModelOptions model;
  std::string data, eval_data, output, on_bad_row = "fail";
  std::string lr_scheduler_type = "linear", train_sampling_strategy = "random";
  std::string report_to = "none";
  bool resume = false, overwrite = false, dry_run = false, no_prefix_sharing = false;
  bool accept_recipe = false;
  // An option that stands in the place of --data, and its value; of methods that have one.
  const char* data_option = nullptr;
  const std::string* instead_of_data = nullptr;
  // Aliases whose gates' sets must not stand in the training rows, and where they are known.
  std::vector<std::string> gates;
  std::string data_dir, organisation;

  void add_to(Options& options, train::TrainConfig& config);
  // Reads the arguments and completes config; false when help was printed instead. Refuses what
  // cannot be, before any file is read.
  bool parse(Options& options, const std::vector<std::string>& arguments,
             train::TrainConfig& config, CommonOptions& common);
};

}  // namespace hone::cli
