#include "train/rloo.h"

#include "train/policy_step.h"

namespace hone::train {

namespace {

// Sum of old - reference over an answer's tokens.
double kl_of(const Completion& c) {
  double sum = 0;
  for (size_t t = 0; t < c.reference.size(); ++t) {
    sum += static_cast<double>(c.log_probs[t]) - static_cast<double>(c.reference[t]);
  }
  return sum;
}

std::vector<Group> collect(OnlineRun& run, const RlooConfig& config, size_t step) {
  std::vector<Group> groups = run.ask(run.prompts_of(step), step, 0);
  if (config.beta > 0) run.add_reference(groups);
  std::vector<Reward> rewards;
  for (const Group& group : groups) {
    for (const Completion& c : group.completions) {
      rewards.push_back(rloo_reward(reward::weighted_sum(c.rewards, config.reward_weights),
                                    config.reward_clip_range, config.beta, kl_of(c)));
    }
  }
  const Advantages advantages = leave_one_out_advantages(
      rewards, config.num_generations, config.normalize_advantages, config.conventions);
  size_t next = 0;
  for (Group& group : groups) {
    for (Completion& c : group.completions) c.advantage = advantages.values[next++];
  }
  return groups;
}

// Of a token, over the generation.
double mean_kl(const std::vector<Group>& groups) {
  double sum = 0, tokens = 0;
  for (const Group& group : groups) {
    for (const Completion& c : group.completions) {
      sum += kl_of(c);
      tokens += static_cast<double>(c.ids.size());
    }
  }
  return tokens > 0 ? sum / tokens : 0;
}

}  // namespace

TrainResult train_rloo(TrainJob& job, const RlooConfig& config, const OnlineData& data) {
  validate(config);
  OnlineRun run(job, config, make_manifest("rloo", config, config.to_json(), job.manifest), data);
  PolicyStepOptions options;
  options.loss = config.loss();
  options.micro_batch = config.per_device_train_batch_size;
  options.max_completion_length = config.max_completion_length;
  options.prefix_sharing = config.prefix_sharing;
  const size_t total = run.total_steps();
  size_t step = run.done_steps();
  while (step < total) {
    const size_t s = step + 1;
    const std::span<const Group> groups =
        run.groups_of(s, [&](size_t at) { return collect(run, config, at); });
    options.must_equal_sampler = run.must_equal_sampler(s);
    options.generation_tokens_per_step =
        static_cast<double>(learning_tokens(run.generation(), false)) /
        static_cast<double>(config.steps_of_generation());
    PolicyStep done = policy_step(run.training(), data.prompts, groups, options, s);
    if (config.beta > 0) done.metrics["kl"] = mean_kl(run.generation());
    step = s;
    if (!run.training().end_step(
            run.step_end(s, done.loss, done.normaliser, done.gradients, std::move(done.metrics)))) {
      break;
    }
  }
  return run.training().finish(step, total);
}

}  // namespace hone::train
