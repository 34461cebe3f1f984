#include "train/online_dpo.h"

#include <cmath>

#include "base/error.h"
#include "train/preference_loss.h"

namespace hone::train {

namespace {

// What the loop watches of one pair.
struct PairState {
  bool counts = false;
  size_t chosen = 0;  // 0 or 1
  double loss = 0, margin = 0;
  double log_prob[2] = {0, 0}, reference[2] = {0, 0};
};

// An answer's sum of rewards; one that was cut pays for it.
Reward earned(const OnlineDpoConfig& config, const Completion& c) {
  Reward sum = reward::weighted_sum(c.rewards, config.reward_weights);
  if (sum && !c.ended && config.missing_eos_penalty) *sum -= *config.missing_eos_penalty;
  return sum;
}

std::vector<Group> collect(OnlineRun& run, const OnlineDpoConfig& config, size_t step) {
  std::vector<Group> groups = run.ask(run.prompts_of(step), step, 0);
  run.add_reference(groups);
  for (Group& group : groups) {
    const Reward a = earned(config, group.completions[0]), b = earned(config, group.completions[1]);
    if (!a || !b) continue;
    // Which is chosen, for the log and the loss.
    group.completions[0].advantage = *a >= *b ? 1 : -1;
    group.completions[1].advantage = -group.completions[0].advantage;
  }
  return groups;
}

PairState state_of(const OnlineDpoConfig& config, const Group& group) {
  PairState state;
  state.counts = group.completions[0].advantage != 0;
  state.chosen = group.completions[0].advantage > 0 ? 0 : 1;
  for (size_t k = 0; k < 2; ++k) {
    for (float value : group.completions[k].reference) {
      state.reference[k] += static_cast<double>(value);
    }
  }
  if (state.counts) {
    state.margin = *earned(config, group.completions[state.chosen]) -
                   *earned(config, group.completions[1 - state.chosen]);
  }
  return state;
}

class Batch {
 public:
  Batch(const OnlineDpoConfig& config, const std::vector<llm::PromptTokens>& prompts,
        std::span<const Group> groups)
      : config_(config), groups_(groups) {
    for (const Group& group : groups) {
      trees_.push_back(
          group_tree(prompts[group.prompt].ids, group.completions, config.prefix_sharing));
      states_.push_back(state_of(config, group));
      pairs_ += states_.back().counts ? 1 : 0;
    }
  }
  const std::vector<llm::TreeExample>& trees() const { return trees_; }
  double normaliser() const { return std::max(1.0, pairs_); }

  // must_equal: the weights are those that spoke.
  void see(size_t i, const llm::TreeResult& result, std::span<float> coefficients, bool must_equal,
           size_t step) {
    PairState& state = states_[i];
    size_t at = 0;
    for (size_t k = 0; k < 2; ++k) {
      const Completion& c = groups_[i].completions[k];
      state.log_prob[k] = 0;
      for (size_t t = 0; t < c.ids.size(); ++t, ++at) {
        state.log_prob[k] += static_cast<double>(result.log_probs[at]);
        if (must_equal && result.log_probs[at] != c.log_probs[t]) {
          throw Error(ErrorCode::kInternal,
                      "step " + std::to_string(step) +
                          ": an answer has other log-probabilities in training than where it was "
                          "drawn; they must be equal to the bit: please report this");
        }
      }
    }
    if (!state.counts) return;
    const size_t c = state.chosen, r = 1 - c;
    // One token each: IPO is on sums here, as TRL has it.
    const PairLoss loss = preference_loss(
        config_.loss_type, config_.beta, 0,
        {state.log_prob[c], state.log_prob[r], state.reference[c], state.reference[r], 1, 1});
    state.loss = loss.value;
    const size_t first = groups_[i].completions[0].ids.size();
    for (size_t t = 0; t < coefficients.size(); ++t) {
      coefficients[t] =
          static_cast<float>((t < first) == (c == 0) ? loss.d_chosen : loss.d_rejected);
    }
  }

  double loss() const {
    double sum = 0;
    for (const PairState& state : states_) sum += state.loss;
    return sum / normaliser();
  }

  void add_metrics(Json& metrics) const {
    double chosen = 0, rejected = 0, right = 0, margin = 0, kl = 0, entropy = 0;
    double logp_chosen = 0, logp_rejected = 0, answers = 0;
    for (const PairState& s : states_) {
      for (size_t k = 0; k < 2; ++k) {
        kl += s.log_prob[k] - s.reference[k];
        entropy -= s.log_prob[k];
        answers += 1;
      }
      if (!s.counts) continue;
      const size_t c = s.chosen, r = 1 - c;
      const double good = config_.beta * (s.log_prob[c] - s.reference[c]);
      const double bad = config_.beta * (s.log_prob[r] - s.reference[r]);
      chosen += good;
      rejected += bad;
      right += good > bad ? 1 : 0;
      margin += s.margin;
      logp_chosen += s.log_prob[c];
      logp_rejected += s.log_prob[r];
    }
    const double pairs = normaliser();
    metrics["objective/kl"] = kl / answers;
    metrics["objective/entropy"] = entropy / answers;
    metrics["objective/non_score_reward"] = -config_.beta * kl / answers;
    metrics["objective/scores_margin"] = margin / pairs;
    metrics["rewards/chosen"] = chosen / pairs;
    metrics["rewards/rejected"] = rejected / pairs;
    metrics["rewards/accuracies"] = right / pairs;
    metrics["rewards/margins"] = (chosen - rejected) / pairs;
    metrics["logps/chosen"] = logp_chosen / pairs;
    metrics["logps/rejected"] = logp_rejected / pairs;
    metrics["beta"] = config_.beta;
  }

 private:
  const OnlineDpoConfig& config_;
  std::span<const Group> groups_;
  std::vector<llm::TreeExample> trees_;
  std::vector<PairState> states_;
  double pairs_ = 0;
};

}  // namespace

TrainResult train_online_dpo(TrainJob& job, const OnlineDpoConfig& config, const OnlineData& data) {
  validate(config);
  OnlineRun run(job, config, make_manifest("online_dpo", config, config.to_json(), job.manifest),
                data);
  const size_t total = run.total_steps();
  size_t step = run.done_steps();
  while (step < total) {
    const size_t s = step + 1;
    Batch batch(config, data.prompts,
                run.groups_of(s, [&](size_t at) { return collect(run, config, at); }));
    const auto loss = [&](size_t i, const llm::TreeResult& result, std::span<float> coefficients) {
      batch.see(i, result, coefficients, run.must_equal_sampler(s), s);
    };
    const Accumulated gradients = accumulate_gradients(
        run.training().pass(), run.training().optimizer(), batch.trees(), loss, s);
    Json metrics = Json::object();
    batch.add_metrics(metrics);
    if (run.must_equal_sampler(s)) metrics["sampling/sampling_logp_difference/max"] = 0.0;
    step = s;
    if (!run.training().end_step(
            run.step_end(s, batch.loss(), batch.normaliser(), gradients, std::move(metrics)))) {
      break;
    }
  }
  return run.training().finish(step, total);
}

}  // namespace hone::train
