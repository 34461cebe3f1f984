#pragma once
// The options that the methods share which learn from their own answers: rewards, generation, and
// train::OnlineConfig under TRL's names.

#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/reward_functions.h"
#include "cli/train_methods.h"
#include "cli/value_input.h"
#include "train/online.h"

namespace hone::cli {

class OnlineFlags {
 public:
  TrainFlags train;
  std::string ref_model;
  std::string rollouts;  // recorded answers, in the place of --data
  double rollout_tolerance = 1e-3;
  std::string value_model;  // of ppo; empty: the values are the policy's own

  // `config` is given what the options say; its own values are the defaults.
  void add_to(Options& options, train::OnlineConfig& config);
  // The parts of it: a method that has other names for the rest takes some.
  void add_rewards(Options& options, train::OnlineConfig& config);
  void add_sampling(Options& options, train::OnlineConfig& config);
  void add_reference(Options& options);
  // Reads the arguments; false when help was printed instead.
  bool parse(Options& options, const std::vector<std::string>& arguments,
             train::OnlineConfig& config, CommonOptions& common);

 private:
  double epsilon_high_ = 0;
};

// What a method needs beside its config, read and checked before the weights are loaded.
struct OnlineInput {
  data::Dataset rows;
  std::optional<data::Dataset> held_out;
  LoadedModel loaded;
  std::optional<LoadedModel> reference;
  std::optional<ValueInput> value;
  std::vector<llm::PromptTokens> prompts, eval_prompts;
  RewardFunctions rewards;
  std::optional<train::RecordedRollouts> recorded;
  TrainPlan plan;

  train::OnlineData data() const;
};
// Recorded answers out of rows of their kind; their rewards, where they have some, become `rewards`.
inline std::vector<data::RowKind> rollout_row_kinds() {
  return {data::RowKind::kTokenizedCompletion};
}
void read_rollouts(const data::Dataset& rows, const train::OnlineConfig& config,
                   LoadedModel& loaded, RewardFunctions& rewards,
                   std::optional<train::RecordedRollouts>& recorded);
OnlineInput read_online_input(const OnlineFlags& flags, const train::OnlineConfig& config,
                              const CommonOptions& common);

// Loads the weights, trains by `train(job, data)` and saves; the command's exit code.
int run_online(
    const char* label, OnlineInput& input, const OnlineFlags& flags,
    const train::OnlineConfig& config, const CommonOptions& common,
    const std::function<train::TrainResult(train::TrainJob&, const train::OnlineData&)>& train);

}  // namespace hone::cli
