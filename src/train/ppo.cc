#include "train/ppo.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "base/check.h"
#include "base/error.h"
#include "base/rng.h"
#include "train/dealt_trees.h"
#include "train/settings_reader.h"

namespace hone::train {

namespace {

constexpr const char* kState = "ppo.json";

// An answer of the generation: where it stands and what it is trained towards.
struct Answer {
  size_t group = 0, completion = 0;
  double score = 0;
};

// Places that have a value: before each token, and behind the last one of an answer that was not cut
// where the score stands there.
size_t slots_of(const Completion& c, const PpoConfig& config) {
  const bool behind = config.score_position == ScorePosition::kBehind;
  return c.ids.size() + (behind && c.ids.size() < config.max_completion_length ? 1 : 0);
}

// Adds the values of all slots, answer after answer, to the targets of a group's tree.
void add_slots(const std::vector<int32_t>& prompt, const Group& group, const PpoConfig& config,
               llm::TreeExample& example) {
  uint32_t node = config.prefix_sharing ? 1 : 0;
  const auto before = static_cast<uint32_t>(config.prefix_sharing ? 0 : prompt.size());
  const auto last_of_prompt = static_cast<uint32_t>(prompt.size() - 1);
  for (const Completion& c : group.completions) {
    // The value of a slot is read before its token; of the last slot behind the last token.
    example.targets.push_back({config.prefix_sharing ? 0 : node, last_of_prompt, true});
    const auto slots = static_cast<uint32_t>(slots_of(c, config));
    for (uint32_t t = 1; t < slots; ++t) example.targets.push_back({node, before + t - 1, true});
    ++node;
  }
}

// The tree of a group with what PPO reads of the policy: log-probabilities of all tokens, and behind
// them the values where they are its own.
llm::TreeExample policy_tree(const std::vector<int32_t>& prompt, const Group& group,
                             const PpoConfig& config) {
  llm::TreeExample example = group_tree(prompt, group.completions, config.prefix_sharing);
  if (!config.value_model) add_slots(prompt, group, config, example);
  return example;
}

// And with the values alone.
llm::TreeExample value_tree(const std::vector<int32_t>& prompt, const Group& group,
                            const PpoConfig& config) {
  llm::TreeExample example = group_tree(prompt, group.completions, config.prefix_sharing);
  example.targets.clear();
  add_slots(prompt, group, config, example);
  return example;
}

// Where an answer's tokens and slots begin among the targets of its group's tree (of its two trees).
struct Place {
  size_t token = 0, slot = 0;
};
Place place_of(const Group& group, size_t completion, const PpoConfig& config) {
  Place place;
  if (!config.value_model) {
    for (const Completion& c : group.completions) place.slot += c.ids.size();
  }
  for (size_t k = 0; k < completion; ++k) {
    place.token += group.completions[k].ids.size();
    place.slot += slots_of(group.completions[k], config);
  }
  return place;
}

// What the steps on one generation share. All of it follows from the generation and the coefficient,
// so a resumed run has it again.
class Generation {
 public:
  Generation(const PpoConfig& config, const std::vector<llm::PromptTokens>& prompts,
             const std::vector<Group>& groups, double kl_coef)
      : config_(config), groups_(groups) {
    for (size_t g = 0; g < groups.size(); ++g) {
      const std::vector<int32_t>& prompt = prompts[groups[g].prompt].ids;
      trees_.push_back(policy_tree(prompt, groups[g], config));
      if (config.value_model) value_trees_.push_back(value_tree(prompt, groups[g], config));
      first_answer_.push_back(answers_.size());
      for (const Completion& c : groups[g].completions) {
        const auto sum = reward::weighted_sum(c.rewards, config.reward_weights);
        if (!sum) {
          throw invalid_input(
              "no reward has a value for an answer to " + prompts[groups[g].prompt].where +
              ": PPO needs one for every answer; give --reward one that always has");
        }
        add_answer(c, *sum);
      }
    }
    PpoShaping shaping;
    shaping.kl_coef = kl_coef;
    shaping.kl_estimator = config.kl_estimator;
    shaping.whiten_rewards = config.whiten_rewards;
    shaping.gamma = config.gamma;
    shaping.lam = config.lam;
    shaping.kl_clamp = config.conventions.kl_clamp;
    shaping.advantage_whitening = config.conventions.advantage_whitening;
    targets_ = ppo_targets(answers_, shaping);
    kl_coef_ = kl_coef;
  }

  const std::vector<llm::TreeExample>& trees() const { return trees_; }
  // Of a value model; empty without one.
  const std::vector<llm::TreeExample>& value_trees() const { return value_trees_; }
  size_t answer_count() const { return answers_.size(); }
  double mean_kl() const {
    double sum = 0;
    for (const PpoTargets& t : targets_) sum += std::accumulate(t.kl.begin(), t.kl.end(), 0.0);
    return sum / static_cast<double>(answers_.size());
  }
  // Mean advantage of an answer's tokens, for the log of completions.
  double advantage(size_t answer) const {
    const std::vector<double>& a = targets_[answer].advantages;
    return std::accumulate(a.begin(), a.end(), 0.0) / static_cast<double>(a.size());
  }
  size_t first_answer(size_t group) const { return first_answer_[group]; }
  const PpoAnswer& answer(size_t i) const { return answers_[i]; }
  const PpoTargets& targets(size_t i) const { return targets_[i]; }

  void add_metrics(Json& metrics) const;

 private:
  void add_answer(const Completion& c, double score) {
    PpoAnswer answer;
    answer.log_probs.assign(c.log_probs.begin(), c.log_probs.end());
    answer.ref_log_probs.assign(c.reference.begin(), c.reference.end());
    answer.values.assign(c.values.begin(), c.values.end());
    answer.score = score;
    if (!c.ended) answer.score -= config_.missing_eos_penalty.value_or(0);
    answers_.push_back(std::move(answer));
  }

  const PpoConfig& config_;
  const std::vector<Group>& groups_;
  std::vector<llm::TreeExample> trees_, value_trees_;
  std::vector<size_t> first_answer_;
  std::vector<PpoAnswer> answers_;
  std::vector<PpoTargets> targets_;
  double kl_coef_ = 0;
};

void Generation::add_metrics(Json& metrics) const {
  double entropy = 0, scores = 0, ended = 0;
  for (size_t i = 0; i < answers_.size(); ++i) {
    for (double log_prob : answers_[i].log_probs) entropy -= log_prob;
    scores += answers_[i].score;
  }
  for (const Group& group : groups_) {
    for (const Completion& c : group.completions) ended += c.ended ? 1 : 0;
  }
  const double n = static_cast<double>(answers_.size());
  const double kl = mean_kl();
  metrics["objective/kl"] = kl;
  metrics["objective/entropy"] = entropy / n;
  metrics["objective/non_score_reward"] = -kl_coef_ * kl;
  metrics["objective/scores"] = scores / n;
  metrics["objective/rlhf_reward"] = scores / n - kl_coef_ * kl;
  metrics["objective/kl_coef"] = kl_coef_;
  metrics["val/num_eos_tokens"] = ended;
}

// Sums over one optimiser step.
struct StepSums {
  double policy = 0, value = 0, policy_clipped = 0, value_clipped = 0, entropy = 0;
  double ratio = 0, ratio_squares = 0, square_log_ratio = 0, difference = 0;
};

class MiniBatch {
 public:
  MiniBatch(const PpoConfig& config, const Generation& generation, const std::vector<Group>& groups,
            std::span<const size_t> chosen, bool warming_up)
      : config_(config), generation_(generation), groups_(groups), warming_up_(warming_up) {
    for (size_t g : chosen) {
      members_.push_back(g);
      trees_.push_back(generation.trees()[g]);
      if (config.value_model) value_trees_.push_back(generation.value_trees()[g]);
      for (const Completion& c : groups[g].completions) {
        tokens_ += static_cast<double>(c.ids.size());
        slots_ += static_cast<double>(slots_of(c, config));
      }
    }
    sums_.resize(members_.size());
    value_sums_.resize(value_trees_.size());
  }

  const std::vector<llm::TreeExample>& trees() const { return trees_; }
  const std::vector<llm::TreeExample>& value_trees() const { return value_trees_; }
  double tokens() const { return tokens_; }
  double slots() const { return slots_; }

  void see(size_t tree, const llm::TreeResult& result, std::span<float> coefficients) {
    const Group& group = groups_[members_[tree]];
    const size_t first = generation_.first_answer(members_[tree]);
    StepSums sums;
    for (size_t k = 0; k < group.completions.size(); ++k) {
      const Place place = place_of(group, k, config_);
      policy_of(first + k, result, place.token, coefficients, sums);
      if (!config_.value_model) value_of(first + k, result, place.slot, coefficients, sums);
    }
    sums_[tree] = sums;  // a repeated step sees a tree again
  }
  // Of the value model.
  void see_values(size_t tree, const llm::TreeResult& result, std::span<float> coefficients) {
    const Group& group = groups_[members_[tree]];
    StepSums sums;
    for (size_t k = 0; k < group.completions.size(); ++k) {
      value_of(generation_.first_answer(members_[tree]) + k, result,
               place_of(group, k, config_).slot, coefficients, sums);
    }
    value_sums_[tree] = sums;
  }

  double loss() const {
    const StepSums s = total();
    return s.policy / tokens_ + config_.vf_coef * s.value / slots_;
  }
  double sampler_difference() const { return total().difference; }
  void add_metrics(Json& metrics) const;

 private:
  void policy_of(size_t i, const llm::TreeResult& result, size_t at, std::span<float> coefficients,
                 StepSums& sums) const {
    const PpoAnswer& answer = generation_.answer(i);
    const PpoClip clip{config_.cliprange, config_.conventions.clamp_log_ratio,
                       config_.conventions.dual_clip};
    for (size_t t = 0; t < answer.log_probs.size(); ++t) {
      const double now = static_cast<double>(result.log_probs[at + t]);
      const double off = now - answer.log_probs[t];
      const PpoLoss loss =
          ppo_policy_loss(now, answer.log_probs[t], generation_.targets(i).advantages[t], clip);
      coefficients[at + t] = warming_up_ ? 0.0f : static_cast<float>(loss.slope);
      const double ratio = std::exp(off);
      sums.policy += loss.value;
      sums.policy_clipped += loss.clipped ? 1 : 0;
      sums.entropy += static_cast<double>(result.rows[at + t].entropy);
      sums.ratio += ratio;
      sums.ratio_squares += ratio * ratio;
      sums.square_log_ratio += off * off;
      sums.difference = std::max(sums.difference, std::abs(off));
    }
  }

  // The value's mean is over slots; a sum that the policy shares is divided by the tokens.
  void value_of(size_t i, const llm::TreeResult& result, size_t at, std::span<float> coefficients,
                StepSums& sums) const {
    const PpoAnswer& answer = generation_.answer(i);
    const double share = config_.value_model ? 1 : tokens_ / slots_;
    for (size_t t = 0; t < answer.values.size(); ++t) {
      const PpoLoss loss =
          ppo_value_loss(static_cast<double>(result.log_probs[at + t]), answer.values[t],
                         generation_.targets(i).returns[t], config_.cliprange_value);
      coefficients[at + t] = static_cast<float>(config_.vf_coef * loss.slope * share);
      sums.value += loss.value;
      sums.value_clipped += loss.clipped ? 1 : 0;
    }
  }

  StepSums total() const {
    StepSums all;
    for (const StepSums& s : sums_) {
      all.policy += s.policy;
      all.value += s.value;
      all.policy_clipped += s.policy_clipped;
      all.value_clipped += s.value_clipped;
      all.entropy += s.entropy;
      all.ratio += s.ratio;
      all.ratio_squares += s.ratio_squares;
      all.square_log_ratio += s.square_log_ratio;
      all.difference = std::max(all.difference, s.difference);
    }
    for (const StepSums& s : value_sums_) {
      all.value += s.value;
      all.value_clipped += s.value_clipped;
    }
    return all;
  }

  const PpoConfig& config_;
  const Generation& generation_;
  const std::vector<Group>& groups_;
  bool warming_up_;
  std::vector<size_t> members_;
  std::vector<llm::TreeExample> trees_, value_trees_;
  std::vector<StepSums> sums_, value_sums_;
  double tokens_ = 0, slots_ = 0;
};

void MiniBatch::add_metrics(Json& metrics) const {
  const StepSums s = total();
  const double mean_ratio = s.ratio / tokens_;
  metrics["policy/approxkl_avg"] = 0.5 * s.square_log_ratio / tokens_;
  metrics["policy/clipfrac_avg"] = s.policy_clipped / tokens_;
  metrics["policy/entropy_avg"] = s.entropy / tokens_;
  metrics["loss/policy_avg"] = s.policy / tokens_;
  metrics["loss/value_avg"] = s.value / slots_;
  metrics["val/clipfrac_avg"] = s.value_clipped / slots_;
  metrics["val/ratio"] = mean_ratio;
  metrics["val/ratio_var"] = std::max(0.0, s.ratio_squares / tokens_ - mean_ratio * mean_ratio);
}

// The values of every slot under the policy, or the value model, as it is now.
void add_values(Communicator& ranks, llm::TrainingPass& pass, const PpoConfig& config,
                const std::vector<llm::PromptTokens>& prompts, std::vector<Group>& groups) {
  std::vector<llm::TreeExample> trees;
  for (const Group& group : groups) {
    trees.push_back(value_tree(prompts[group.prompt].ids, group, config));
  }
  score_trees(ranks, pass, trees, [&](size_t g, const llm::TreeResult& result) {
    size_t at = 0;
    for (Completion& c : groups[g].completions) {
      const size_t slots = slots_of(c, config);
      const auto values = result.log_probs.subspan(at, slots);
      c.values.assign(values.begin(), values.end());
      at += slots;
    }
  });
}

TrainedHeads heads_of(const PpoConfig& config) {
  return {.language = true, .score = !config.value_model, .score_from_zero = true};
}

std::unique_ptr<ValueModel> make_value_model(TrainJob& job, const PpoConfig& config,
                                             const OnlineData& data, ValueStart* start) {
  HONE_CHECK(config.value_model == (start != nullptr));
  if (start == nullptr) return nullptr;
  const llm::ModelConfig& policy = job.model.config;
  check_value_model(policy, start->model.config,
                    longest_prompt(data.prompts) + config.max_completion_length);
  return std::make_unique<ValueModel>(
      job, config, config.value_learning_rate.value_or(config.learning_rate), *start,
      largest_group_rows(config, data.prompts, policy.context_length));
}

// The loop's own state: the coefficient of the generation at hand.
class PpoLoop {
 public:
  PpoLoop(TrainJob& job, const PpoConfig& config, const OnlineData& data, ValueStart* value)
      : config_(config),
        data_(data),
        value_(make_value_model(job, config, data, value)),
        run_(job, config, make_manifest("ppo", config, config.to_json(), job.manifest), data,
             heads_of(config), value_ == nullptr ? nullptr : &value_->companion()),
        kl_coef_(config.beta) {
    if (run_.done_steps() > 0) restore(run_.done_steps());
  }

  TrainResult run() {
    const size_t total = run_.total_steps();
    size_t step = run_.done_steps();
    while (step < total && one_step(++step)) {
    }
    return run_.training().finish(step, total);
  }

 private:
  bool one_step(size_t s) {
    if (run_.speaks(s) && generation_) kl_coef_ = next_kl_coef();
    run_.groups_of(s, [&](size_t at) { return collect(at); });
    if (run_.speaks(s) || !generation_) {
      generation_.emplace(config_, data_.prompts, run_.generation(), kl_coef_);
    }
    const std::vector<size_t> chosen = groups_of_step(s);
    MiniBatch batch(config_, *generation_, run_.generation(), chosen,
                    s <= config_.value_warmup_steps);
    const Accumulated gradients = accumulate(batch, s);
    Json metrics = Json::object();
    check_sampler(batch, s, metrics);
    generation_->add_metrics(metrics);
    batch.add_metrics(metrics);
    metrics["episode"] = uint64_t{(run_.generation_of(s) + 1) * generation_->answer_count()};
    StepEnd end = run_.step_end(s, batch.loss(), batch.tokens(), gradients, std::move(metrics));
    end.companion_normaliser = batch.slots();
    end.rests = rests(s);
    end.checkpoint_files = [files = std::move(end.checkpoint_files), s, this] {
      auto all = files();
      Json state = Json::object();
      // Behind a generation's last step the next one's coefficient is known, and its KL no more.
      state["kl_coef"] = s % config_.window() == 0 ? next_kl_coef() : kl_coef_;
      all[kState] = state.dump() + "\n";
      return all;
    };
    return run_.training().end_step(end);
  }

  // While its values warm up apart from it, the policy is only looked at.
  bool rests(size_t s) const { return value_ != nullptr && s <= config_.value_warmup_steps; }

  Accumulated accumulate(MiniBatch& batch, size_t s) {
    TrainingRun& training = run_.training();
    const auto see = [&](size_t tree, const llm::TreeResult& result, std::span<float> slopes) {
      batch.see(tree, result, slopes);
    };
    Accumulated gradients;
    if (rests(s)) {
      std::vector<float> nobody_reads;
      score_trees(training.ranks(), training.pass(), batch.trees(),
                  [&](size_t tree, const llm::TreeResult& result) {
                    nobody_reads.assign(result.log_probs.size(), 0);
                    see(tree, result, nobody_reads);
                  });
    } else {
      gradients =
          accumulate_gradients(training.pass(), training.optimizer(), batch.trees(), see, s);
    }
    if (value_ == nullptr) return gradients;
    const Accumulated beside = accumulate_gradients(
        value_->pass(), value_->optimizer(), batch.value_trees(),
        [&](size_t tree, const llm::TreeResult& result, std::span<float> slopes) {
          batch.see_values(tree, result, slopes);
        },
        s);
    gradients.rows += beside.rows;
    return gradients;
  }

  // A generation's KL steers the coefficient of the next one.
  double next_kl_coef() const {
    if (config_.kl_target == 0) return kl_coef_;
    return adapted_kl_coef(kl_coef_, generation_->mean_kl(), config_.kl_target, config_.kl_horizon,
                           generation_->answer_count());
  }

  std::vector<Group> collect(size_t step) {
    std::vector<Group> groups = run_.ask(run_.prompts_of(step), step, 0);
    if (config_.beta > 0) {
      run_.add_reference(groups);
    } else {
      for (Group& group : groups) {
        for (Completion& c : group.completions) c.reference = c.log_probs;
      }
    }
    TrainingRun& training = run_.training();
    add_values(training.ranks(), value_ == nullptr ? training.pass() : value_->pass(), config_,
               data_.prompts, groups);
    const Generation generation(config_, data_.prompts, groups, kl_coef_);
    size_t i = 0;
    for (Group& group : groups) {
      for (Completion& c : group.completions) c.advantage = generation.advantage(i++);
    }
    return groups;
  }

  // An epoch's order is its own; each mini-batch takes as many prompts.
  std::vector<size_t> groups_of_step(size_t s) const {
    const size_t inner = (s - 1) % config_.window();
    const size_t epoch = inner / config_.num_mini_batches;
    std::vector<size_t> order(run_.generation().size());
    std::iota(order.begin(), order.end(), size_t{0});
    Rng rng(config_.seed, rng_stream("ppo-epoch", run_.generation_of(s), epoch));
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    const size_t count = config_.prompts_per_step();
    const size_t first = inner % config_.num_mini_batches * count;
    return {order.begin() + static_cast<std::ptrdiff_t>(first),
            order.begin() + static_cast<std::ptrdiff_t>(first + count)};
  }

  void check_sampler(const MiniBatch& batch, size_t s, Json& metrics) const {
    if (!run_.must_equal_sampler(s)) return;
    const double difference = batch.sampler_difference();
    metrics["sampling/sampling_logp_difference/max"] = difference;
    if (difference == 0) return;
    throw Error(ErrorCode::kInternal,
                "step " + std::to_string(s) +
                    ": an answer has other log-probabilities in training than where it was drawn "
                    "(by " +
                    number_to_string(difference) +
                    "); they must be equal to the bit: please report this");
  }

  void restore(size_t step) {
    const auto text = run_.training().directory().checkpoint_file(step, kState);
    const Result<Json> json = text ? Json::parse(*text) : Result<Json>(Json());
    const Json* coefficient = json && json->is_object() ? json->find("kl_coef") : nullptr;
    if (coefficient == nullptr || !coefficient->is_number()) {
      throw corrupt_data("the checkpoint of step " + std::to_string(step) + " has no " + kState +
                         ": it is not of this method");
    }
    kl_coef_ = coefficient->as_double();
    if (!run_.generation().empty()) {
      generation_.emplace(config_, data_.prompts, run_.generation(), kl_coef_);
    }
  }

  const PpoConfig& config_;
  const OnlineData& data_;
  std::unique_ptr<ValueModel> value_;  // null: the values are the policy's own
  OnlineRun run_;
  double kl_coef_;
  std::optional<Generation> generation_;
};

}  // namespace

Json PpoConfig::to_json() const {
  Json json = OnlineConfig::to_json();
  json["num_mini_batches"] = uint64_t{num_mini_batches};
  json["kl_estimator"] = train::name(kl_estimator);
  json["kl_target"] = kl_target;
  json["kl_horizon"] = kl_horizon;
  json["whiten_rewards"] = whiten_rewards;
  json["cliprange"] = cliprange;
  json["cliprange_value"] = cliprange_value;
  json["vf_coef"] = vf_coef;
  json["gamma"] = gamma;
  json["lam"] = lam;
  json["missing_eos_penalty"] = missing_eos_penalty ? Json(*missing_eos_penalty) : Json();
  json["value_warmup_steps"] = uint64_t{value_warmup_steps};
  if (score_position != ScorePosition::kBehind) {
    json["score_position"] = train::name(score_position);
  }
  conventions.add_to(json, trl_conventions());
  if (value_model) {
    json["value_model"] = true;
    json["value_learning_rate"] = value_learning_rate ? Json(*value_learning_rate) : Json();
  }
  return json;
}

PpoConfig ppo_config_from_json(const Json& json) {
  Settings settings(json);
  PpoConfig c;
  read_online(settings, c);
  settings.read("num_mini_batches", &c.num_mini_batches);
  settings.read("kl_estimator", &c.kl_estimator, {KlEstimator::kK1, KlEstimator::kK3});
  settings.read("kl_target", &c.kl_target);
  settings.read("kl_horizon", &c.kl_horizon);
  settings.read("whiten_rewards", &c.whiten_rewards);
  settings.read("cliprange", &c.cliprange);
  settings.read("cliprange_value", &c.cliprange_value);
  settings.read("vf_coef", &c.vf_coef);
  settings.read("gamma", &c.gamma);
  settings.read("lam", &c.lam);
  settings.read("missing_eos_penalty", &c.missing_eos_penalty);
  settings.read("value_warmup_steps", &c.value_warmup_steps);
  settings.read_if_there("score_position", &c.score_position,
                         {ScorePosition::kBehind, ScorePosition::kLastToken});
  c.conventions.read(settings);
  settings.read_if_there("value_model", &c.value_model);
  if (c.value_model) settings.read("value_learning_rate", &c.value_learning_rate);
  settings.refuse_unknown();
  validate(c);
  return c;
}

void validate(const PpoConfig& c) {
  validate(static_cast<const OnlineConfig&>(c));
  const auto share = [](double value) { return value >= 0 && value <= 1; };
  require(c.num_mini_batches > 0, "--num-mini-batches must be 1 or more");
  require(c.steps_per_generation == c.gradient_accumulation_steps * c.num_mini_batches,
          "--steps-per-generation follows from --num-mini-batches in PPO: leave it out");
  require(std::isfinite(c.kl_target) && c.kl_target >= 0, "--kl-target must be 0 (fixed) or more");
  require(std::isfinite(c.kl_horizon) && c.kl_horizon > 0, "--kl-horizon must be above 0");
  require(c.beta > 0 || c.kl_target == 0, "--kl-target needs a --kl-coef above 0 to begin with");
  require(std::isfinite(c.cliprange) && c.cliprange > 0, "--cliprange must be above 0");
  require(std::isfinite(c.cliprange_value) && c.cliprange_value > 0,
          "--cliprange-value must be above 0");
  require(std::isfinite(c.vf_coef) && c.vf_coef >= 0, "--vf-coef must be 0 or more");
  require(share(c.gamma) && share(c.lam), "--gamma and --lam must lie between 0 and 1");
  require(!c.missing_eos_penalty ||
              (std::isfinite(*c.missing_eos_penalty) && *c.missing_eos_penalty > 0),
          "--missing-eos-penalty must be above 0");
  validate(c.conventions);
  require(c.conventions.advantage_whitening != AdvantageWhitening::kAnswers,
          "settings: \"advantage_whitening\": PPO has an advantage a token; take tokens_sample or "
          "tokens_population");
  require(
      !c.value_learning_rate || c.value_model,
      "--value-learning-rate is the value model's: name one with --value-model, or leave it out");
  require(!c.value_learning_rate ||
              (std::isfinite(*c.value_learning_rate) && *c.value_learning_rate > 0),
          "--value-learning-rate must be above 0");
}

TrainResult train_ppo(TrainJob& job, const PpoConfig& config, const OnlineData& data,
                      ValueStart* value) {
  validate(config);
  TrainResult result = PpoLoop(job, config, data, value).run();
  // final/ holds the policy: the value head has served.
  job.model.score = {};
  job.model.config.score_head = false;
  if (result.adapter) result.adapter->score = {};
  return result;
}

}  // namespace hone::train
