#include "train/grpo.h"

#include <algorithm>
#include <numeric>

#include "base/rng.h"
#include "train/entropy_control.h"
#include "train/policy_step.h"

namespace hone::train {

namespace {

constexpr const char* kEntropyState = "entropy.json";

// Of a run that goes on.
void restore(EntropyControl& control, OnlineRun& run) {
  if (!control.enabled() || run.done_steps() == 0) return;
  const auto text = run.training().directory().checkpoint_file(run.done_steps(), kEntropyState);
  const Result<Json> json = text ? Json::parse(*text) : Result<Json>(Json());
  control.from_json(json ? *json : Json());
}

bool has_spread(const Group& group, std::span<const double> weights) {
  std::vector<Reward> rewards;
  for (const Completion& c : group.completions) {
    rewards.push_back(reward::weighted_sum(c.rewards, weights));
  }
  return deviation_of(rewards) > 1e-8;
}

// Prompts in an order of this step's own, those that it has asked left out.
std::vector<size_t> other_prompts(const GrpoConfig& config, size_t step, size_t count,
                                  std::vector<size_t> asked) {
  std::sort(asked.begin(), asked.end());
  std::vector<size_t> others;
  for (size_t i = 0; i < count; ++i) {
    if (!std::binary_search(asked.begin(), asked.end(), i)) others.push_back(i);
  }
  Rng rng(config.seed, rng_stream("dynamic-sampling", step));
  for (size_t i = others.size(); i > 1; --i) std::swap(others[i - 1], others[rng.below(i)]);
  return others;
}

// Asks other prompts in the place of groups without spread.
void refill(OnlineRun& run, const GrpoConfig& config, size_t prompt_count, size_t step,
            std::vector<Group>& groups) {
  std::vector<size_t> asked;
  for (const Group& group : groups) asked.push_back(group.prompt);
  const std::vector<size_t> others = other_prompts(config, step, prompt_count, asked);
  size_t next = 0, place = groups.size();
  for (size_t batch = 1; batch < config.max_generation_batches && next < others.size(); ++batch) {
    std::vector<size_t> flat;
    for (size_t i = 0; i < groups.size(); ++i) {
      if (!has_spread(groups[i], config.reward_weights)) flat.push_back(i);
    }
    const size_t count = std::min(flat.size(), others.size() - next);
    if (count == 0) return;
    std::vector<Group> fresh = run.ask(std::span(others).subspan(next, count), step, place);
    next += count;
    place += count;
    for (size_t i = 0; i < count; ++i) {
      if (has_spread(fresh[i], config.reward_weights)) groups[flat[i]] = std::move(fresh[i]);
    }
  }
}

Advantages advantages_of(const GrpoConfig& config, const std::vector<Group>& groups) {
  const auto rewards = rewards_of(groups);
  if (config.advantage_estimator == AdvantageEstimator::kGroup) {
    return group_advantages(rewards, config.reward_weights, config.num_generations,
                            config.scale_rewards, config.multi_objective_aggregation,
                            config.conventions);
  }
  std::vector<Reward> sums;
  std::vector<size_t> tokens;
  for (const Group& group : groups) {
    for (const Completion& c : group.completions) tokens.push_back(c.ids.size());
  }
  for (const auto& row : rewards) {
    sums.push_back(reward::weighted_sum(row, config.reward_weights));
  }
  return batch_advantages(sums, config.num_generations,
                          config.advantage_estimator == AdvantageEstimator::kReinforceBaseline,
                          config.conventions, tokens);
}

std::vector<Group> collect(OnlineRun& run, const GrpoConfig& config, size_t prompt_count,
                           size_t step) {
  std::vector<Group> groups = run.ask(run.prompts_of(step), step, 0);
  if (config.dynamic_sampling) refill(run, config, prompt_count, step, groups);
  if (config.beta > 0) run.add_reference(groups);
  const Advantages advantages = advantages_of(config, groups);
  size_t next = 0;
  for (Group& group : groups) {
    for (Completion& c : group.completions) c.advantage = advantages.values[next++];
  }
  return groups;
}

}  // namespace

TrainResult train_grpo(TrainJob& job, const GrpoConfig& config, const OnlineData& data) {
  validate(config);
  OnlineRun run(job, config, make_manifest("grpo", config, config.to_json(), job.manifest), data);
  PolicyStepOptions options;
  options.loss = config.loss();
  options.mask_truncated_completions = config.mask_truncated_completions;
  options.top_entropy_quantile = config.top_entropy_quantile;
  options.micro_batch = config.per_device_train_batch_size;
  options.max_completion_length = config.max_completion_length;
  options.prefix_sharing = config.prefix_sharing;
  const size_t total = run.total_steps();
  size_t step = run.done_steps();
  EntropyControl control(config);
  restore(control, run);
  options.entropy_bonus = control.enabled();
  while (step < total) {
    const size_t s = step + 1;
    options.entropy_coef = control.applied();
    const std::span<const Group> groups =
        run.groups_of(s, [&](size_t at) { return collect(run, config, data.prompts.size(), at); });
    options.must_equal_sampler = run.must_equal_sampler(s);
    options.generation_tokens_per_step =
        static_cast<double>(learning_tokens(run.generation(), config.mask_truncated_completions)) /
        static_cast<double>(config.steps_of_generation());
    PolicyStep done = policy_step(run.training(), data.prompts, groups, options, s);
    control.update(done.entropy);
    if (control.enabled()) done.metrics["entropy_coef"] = control.coefficient();
    StepEnd end =
        run.step_end(s, done.loss, done.normaliser, done.gradients, std::move(done.metrics));
    if (control.enabled()) {
      end.checkpoint_files = [files = std::move(end.checkpoint_files), &control] {
        auto all = files();
        all[kEntropyState] = control.to_json().dump() + "\n";
        return all;
      };
    }
    step = s;
    if (!run.training().end_step(end)) break;
  }
  return run.training().finish(step, total);
}

}  // namespace hone::train
