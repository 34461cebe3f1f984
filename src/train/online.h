#pragma once
// What the methods that learn from their own answers share around their loops: answers with their
// rewards, the generation that several steps train on, and the logs of both.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "reward/reward.h"
#include "train/online_config.h"
#include "train/recorded_rollouts.h"
#include "train/rollout.h"
#include "train/training_run.h"

namespace hone::train {

struct OnlineData {
  const std::vector<llm::PromptTokens>& prompts;
  const std::vector<llm::PromptTokens>& eval_prompts;
  const reward::Functions& rewards;
  const llm::Tokenizer* tokenizer = nullptr;  // null: no texts
  std::vector<int32_t> end_of_generation = {};
  // With beta: what the policy is held to. Null: the model that is trained, without its adapter.
  const llm::Model* reference = nullptr;
  // Answers that were given before, in the place of the policy's own; `prompts` are theirs.
  const RecordedRollouts* recorded = nullptr;
};

// Rows of the largest pass that a run cannot do without: its largest tree, or a group of small ones.
size_t largest_group_rows(const OnlineConfig& config, const std::vector<llm::PromptTokens>& prompts,
                          size_t context_length);
size_t longest_prompt(const std::vector<llm::PromptTokens>& prompts);

class OnlineRun {
 public:
  // The directory is opened and the checkpoint restored.
  OnlineRun(TrainJob& job, const OnlineConfig& config, const data::RunManifest& manifest,
            const OnlineData& data, TrainedHeads heads = {}, const Companion* companion = nullptr);

  TrainingRun& training() { return training_; }
  size_t total_steps() const { return total_; }
  size_t done_steps() const { return done_; }
  // True for the first step on a generation: the weights are those that spoke.
  bool speaks(size_t step) const { return (step - 1) % config_.window() == 0; }
  // And what they said is trained on: log-probabilities must be the sampler's, to the bit.
  bool must_equal_sampler(size_t step) const { return speaks(step) && data_.recorded == nullptr; }
  size_t generation_of(size_t step) const { return (step - 1) / config_.window(); }

  // Answers of the policy as it is now to those prompts, with their rewards. `place`: of the first
  // among all prompts that this step asks.
  std::vector<Group> ask(std::span<const size_t> prompts, size_t step, size_t place);
  // The prompts that the order has for the generation of this step.
  std::vector<size_t> prompts_of(size_t step) { return order_.prompts_of(generation_of(step)); }

  // The groups that this step trains on. At the first step on a generation `collect` makes it: whole
  // groups, with advantages. Reference log-probabilities are there before it is called for them.
  using Collect = std::function<std::vector<Group>(size_t step)>;
  std::span<const Group> groups_of(size_t step, const Collect& collect);
  // All groups of the generation that groups_of chose from.
  const std::vector<Group>& generation() const { return generation_; }

  // Fills `reference` of every completion.
  void add_reference(std::vector<Group>& groups);

  // The end of a step with these gradients, for TrainingRun::end_step: `metrics` with rewards, lengths
  // and tokens of the generation by TRL's names, evaluation where there are held-out prompts, and what
  // a checkpoint needs.
  StepEnd step_end(size_t step, double loss, double normaliser, const Accumulated& gradients,
                   Json metrics);

 private:
  void add_metrics(Json& metrics) const;
  std::string note() const;  // for who watches: "reward 0.25"
  std::function<Json(size_t step)> evaluation();
  std::function<std::map<std::string, std::string>()> checkpoint_files(size_t step);
  double epoch(size_t step) const;
  void restore(size_t step);
  void log(size_t step);
  Speaker speaker() const;
  std::vector<Group> recorded(std::span<const size_t> prompts) const;
  void score(const std::vector<llm::PromptTokens>& prompts, std::vector<Group>& groups) const;

  TrainJob& job_;
  const OnlineConfig& config_;
  OnlineData data_;
  size_t total_, done_ = 0;
  PromptOrder order_;
  TrainingRun training_;
  std::vector<Group> generation_;
  std::unique_ptr<llm::TrainingPass> reference_pass_;
  uint64_t num_tokens_ = 0;
};

// Statistics of answers by TRL's names, each behind `prefix`.
void add_reward_metrics(Json& metrics, const std::string& prefix, const std::vector<Group>& groups,
                        const reward::Functions& functions, std::span<const double> weights);
void add_length_metrics(Json& metrics, const std::string& prefix, const std::vector<Group>& groups);
// sampling/kept_mass/*, where a part of the distribution was drawn from.
void add_kept_metrics(Json& metrics, const std::vector<Group>& groups);

// Groups as JSON and back, bits and all; texts are left out. from_json throws corrupt_data.
Json groups_to_json(const std::vector<Group>& groups);
std::vector<Group> groups_from_json(const Json& json, size_t prompt_count);

// The rewards of all completions, group after group: the sum with weights.
std::vector<std::vector<Reward>> rewards_of(const std::vector<Group>& groups);

}  // namespace hone::train
