#include "train/online.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "train/dealt_trees.h"
#include "train/shared_rewards.h"

namespace hone::train {

namespace {

constexpr const char* kState = "online.json";

std::vector<Reward> sums_of(const std::vector<Group>& groups, std::span<const double> weights) {
  std::vector<Reward> sums;
  for (const Group& group : groups) {
    for (const Completion& c : group.completions) {
      sums.push_back(reward::weighted_sum(c.rewards, weights));
    }
  }
  return sums;
}

Json floats_to_json(const std::vector<float>& values) {
  Json json = Json::array();
  for (float value : values) json.push_back(value);
  return json;
}

std::vector<float> floats_from_json(const Json& json) {
  std::vector<float> values;
  for (const Json& value : json.as_array()) {
    values.push_back(static_cast<float>(value.as_double()));
  }
  return values;
}

Json reward_to_json(const Reward& value) { return value ? Json(*value) : Json(); }

Completion completion_from_json(const Json& json) {
  Completion c;
  for (const Json& id : json.at("ids").as_array()) {
    c.ids.push_back(static_cast<int32_t>(id.as_int()));
  }
  c.log_probs = floats_from_json(json.at("log_probs"));
  c.reference = floats_from_json(json.at("reference"));
  if (const Json* values = json.find("values")) c.values = floats_from_json(*values);
  if (const Json* kept = json.find("kept")) c.kept = floats_from_json(*kept);
  c.ended = json.at("ended").as_bool();
  c.advantage = json.at("advantage").as_double();
  for (const Json& value : json.at("rewards").as_array()) {
    c.rewards.push_back(value.is_null() ? Reward() : Reward(value.as_double()));
  }
  if (c.ids.empty() || c.log_probs.size() != c.ids.size() ||
      (!c.reference.empty() && c.reference.size() != c.ids.size()) ||
      (!c.kept.empty() && c.kept.size() != c.ids.size())) {
    throw corrupt_data("a completion has another number of log-probabilities than of tokens");
  }
  return c;
}

}  // namespace

size_t longest_prompt(const std::vector<llm::PromptTokens>& prompts) {
  size_t longest = 1;
  for (const llm::PromptTokens& prompt : prompts) longest = std::max(longest, prompt.ids.size());
  return longest;
}

size_t largest_group_rows(const OnlineConfig& config, const std::vector<llm::PromptTokens>& prompts,
                          size_t context_length) {
  size_t largest = 0;
  for (const llm::PromptTokens& prompt : prompts) {
    const size_t answer =
        std::min(config.max_completion_length, context_length - prompt.ids.size());
    const size_t copies = config.prefix_sharing ? 1 : config.num_generations;
    largest = std::max(largest, copies * prompt.ids.size() + config.num_generations * answer);
  }
  // Small trees share a weight-gradient group, which a pass takes whole.
  return std::max(largest, std::min(llm::kGroupRows, config.prompts_per_generation() * largest));
}

std::vector<std::vector<Reward>> rewards_of(const std::vector<Group>& groups) {
  std::vector<std::vector<Reward>> rewards;
  for (const Group& group : groups) {
    for (const Completion& c : group.completions) rewards.push_back(c.rewards);
  }
  return rewards;
}

void add_reward_metrics(Json& metrics, const std::string& prefix, const std::vector<Group>& groups,
                        const reward::Functions& functions, std::span<const double> weights) {
  for (size_t k = 0; k < functions.size(); ++k) {
    std::vector<Reward> values;
    for (const Group& group : groups) {
      for (const Completion& c : group.completions) values.push_back(c.rewards[k]);
    }
    const std::string name = prefix + "rewards/" + functions[k]->name();
    metrics[name + "/mean"] = mean_of(values);
    metrics[name + "/std"] = deviation_of(values);
  }
  const std::vector<Reward> sums = sums_of(groups, weights);
  metrics[prefix + "reward"] = mean_of(sums);
  metrics[prefix + "reward_std"] = deviation_of(sums);
  size_t first = 0, flat = 0;
  for (const Group& group : groups) {
    const auto of_group = std::span(sums).subspan(first, group.completions.size());
    flat += deviation_of(of_group) <= 1e-8 ? 1 : 0;
    first += group.completions.size();
  }
  metrics[prefix + "frac_reward_zero_std"] =
      static_cast<double>(flat) / static_cast<double>(std::max<size_t>(groups.size(), 1));
}

void add_length_metrics(Json& metrics, const std::string& prefix,
                        const std::vector<Group>& groups) {
  struct Lengths {
    double sum = 0, least = 0, most = 0;
    size_t count = 0;
    void add(double length) {
      least = count == 0 ? length : std::min(least, length);
      most = std::max(most, length);
      sum += length;
      ++count;
    }
    double mean() const { return count == 0 ? 0 : sum / static_cast<double>(count); }
  };
  Lengths all, ended;
  for (const Group& group : groups) {
    for (const Completion& c : group.completions) {
      all.add(static_cast<double>(c.ids.size()));
      if (c.ended) ended.add(static_cast<double>(c.ids.size()));
    }
  }
  const std::string name = prefix + "completions/";
  metrics[name + "mean_length"] = all.mean();
  metrics[name + "min_length"] = all.least;
  metrics[name + "max_length"] = all.most;
  metrics[name + "mean_terminated_length"] = ended.mean();
  metrics[name + "min_terminated_length"] = ended.least;
  metrics[name + "max_terminated_length"] = ended.most;
  metrics[name + "clipped_ratio"] = static_cast<double>(all.count - ended.count) /
                                    static_cast<double>(std::max<size_t>(all.count, 1));
}

void add_kept_metrics(Json& metrics, const std::vector<Group>& groups) {
  double sum = 0, least = 1;
  size_t tokens = 0;
  for (const Group& group : groups) {
    for (const Completion& c : group.completions) {
      for (float kept : c.kept) {
        sum += static_cast<double>(kept);
        least = std::min(least, static_cast<double>(kept));
        ++tokens;
      }
    }
  }
  if (tokens == 0) return;
  metrics["sampling/kept_mass/mean"] = sum / static_cast<double>(tokens);
  metrics["sampling/kept_mass/min"] = least;
}

Json groups_to_json(const std::vector<Group>& groups) {
  Json json = Json::array();
  for (const Group& group : groups) {
    Json entry = Json::object(), completions = Json::array();
    entry["prompt"] = uint64_t{group.prompt};
    for (const Completion& c : group.completions) {
      Json one = Json::object(), ids = Json::array(), rewards = Json::array();
      for (int32_t id : c.ids) ids.push_back(int64_t{id});
      for (const Reward& value : c.rewards) rewards.push_back(reward_to_json(value));
      one["ids"] = std::move(ids);
      one["log_probs"] = floats_to_json(c.log_probs);
      one["reference"] = floats_to_json(c.reference);
      if (!c.values.empty()) one["values"] = floats_to_json(c.values);
      if (!c.kept.empty()) one["kept"] = floats_to_json(c.kept);
      one["ended"] = c.ended;
      one["rewards"] = std::move(rewards);
      one["advantage"] = c.advantage;
      completions.push_back(std::move(one));
    }
    entry["completions"] = std::move(completions);
    json.push_back(std::move(entry));
  }
  return json;
}

std::vector<Group> groups_from_json(const Json& json, size_t prompt_count) {
  std::vector<Group> groups;
  try {
    for (const Json& entry : json.as_array()) {
      Group group;
      const int64_t prompt = entry.at("prompt").as_int();
      if (prompt < 0 || static_cast<size_t>(prompt) >= prompt_count) {
        throw corrupt_data("a group names a prompt that is not there");
      }
      group.prompt = static_cast<size_t>(prompt);
      for (const Json& one : entry.at("completions").as_array()) {
        group.completions.push_back(completion_from_json(one));
      }
      groups.push_back(std::move(group));
    }
  } catch (const Error& error) {
    throw corrupt_data("the checkpoint's rollouts cannot be read: " + error.message());
  }
  return groups;
}

OnlineRun::OnlineRun(TrainJob& job, const OnlineConfig& config, const data::RunManifest& manifest,
                     const OnlineData& data, TrainedHeads heads, const Companion* companion)
    : job_(job),
      config_(config),
      data_(data),
      total_(total_online_steps(config, data.prompts.size())),
      order_(config, data.prompts.size()),
      training_(job, config, manifest,
                largest_group_rows(config, data.prompts, job.model.config.context_length), heads,
                companion) {
  reward::check_functions(data.rewards, config.reward_weights);
  if (config.beta > 0 && data.reference == nullptr && training_.adapter() == nullptr) {
    throw invalid_input("--beta needs a reference: full fine-tuning changes the model itself");
  }
  training_.pass().set_head_scale(head_scale(config.temperature));
  done_ = training_.restore();
  if (done_ > 0) restore(done_);
  training_.begin(done_, static_cast<double>(done_) / static_cast<double>(total_));
}

void OnlineRun::restore(size_t step) {
  const auto text = training_.directory().checkpoint_file(step, kState);
  if (!text) {
    throw corrupt_data("the checkpoint of step " + std::to_string(step) + " has no " + kState +
                       ": it is not of this method");
  }
  const Json json = Json::parse(*text).value();
  num_tokens_ = static_cast<uint64_t>(json.at("num_tokens").as_int());
  if (step % config_.window() == 0) return;
  generation_ = groups_from_json(json.at("groups"), data_.prompts.size());
  if (generation_.size() != config_.prompts_per_generation()) {
    throw corrupt_data("the checkpoint of step " + std::to_string(step) +
                       " holds another number of rollouts than its settings ask for");
  }
}

std::function<std::map<std::string, std::string>()> OnlineRun::checkpoint_files(size_t step) {
  return [this, step] {
    Json json = Json::object();
    json["num_tokens"] = num_tokens_;
    // Behind the last step on a generation the next one is made anew, from the weights alone.
    if (step % config_.window() != 0) json["groups"] = groups_to_json(generation_);
    return std::map<std::string, std::string>{{kState, json.dump() + "\n"}};
  };
}

Speaker OnlineRun::speaker() const {
  return {&job_.model, training_.adapter(), data_.tokenizer, data_.end_of_generation};
}

void OnlineRun::score(const std::vector<llm::PromptTokens>& prompts,
                      std::vector<Group>& groups) const {
  // As Rollouts dealt the groups out.
  std::vector<size_t> begin = deal(groups.size(), ranks_of(job_).size());
  std::vector<reward::Sample> samples;
  std::vector<size_t> first_sample;
  for (const Group& group : groups) {
    first_sample.push_back(samples.size());
    const llm::PromptTokens& prompt = prompts[group.prompt];
    for (const Completion& c : group.completions) {
      samples.push_back(
          {prompt.text, c.text, prompt.ids, c.ids, c.ended, &prompt.columns, prompt.where});
    }
  }
  first_sample.push_back(samples.size());
  for (size_t& at : begin) at = first_sample[at];
  auto rewards = score_shared(ranks_of(job_), data_.rewards, samples, begin);
  size_t next = 0;
  for (Group& group : groups) {
    for (Completion& c : group.completions) c.rewards = std::move(rewards[next++]);
  }
}

std::vector<Group> OnlineRun::recorded(std::span<const size_t> prompts) const {
  std::vector<Group> groups;
  for (size_t prompt : prompts) groups.push_back(data_.recorded->groups[prompt]);
  if (!data_.recorded->has_rewards) score(data_.prompts, groups);
  return groups;
}

std::vector<Group> OnlineRun::ask(std::span<const size_t> prompts, size_t step, size_t place) {
  if (data_.recorded != nullptr) return recorded(prompts);
  Rollouts rollouts(job_.compute, speaker(), config_.rollout(), longest_prompt(data_.prompts),
                    training_.ranks());
  std::vector<Group> groups = rollouts.generate(data_.prompts, prompts, "rollout", step, place);
  score(data_.prompts, groups);
  return groups;
}

void OnlineRun::add_reference(std::vector<Group>& groups) {
  if (reference_pass_ == nullptr) {
    const llm::Model& model = data_.reference == nullptr ? job_.model : *data_.reference;
    // Nothing is kept for a backward pass, so the small memory of recompute is enough.
    reference_pass_ = std::make_unique<llm::TrainingPass>(
        job_.compute, model, nullptr, training_.pass().max_rows(), llm::PassOptions{true});
    reference_pass_->set_head_scale(head_scale(config_.temperature));
  }
  std::vector<llm::TreeExample> trees;
  for (const Group& group : groups) {
    trees.push_back(
        group_tree(data_.prompts[group.prompt].ids, group.completions, config_.prefix_sharing));
  }
  score_trees(training_.ranks(), *reference_pass_, trees,
              [&](size_t i, const llm::TreeResult& result) {
                size_t at = 0;
                for (Completion& c : groups[i].completions) {
                  const auto values = result.log_probs.subspan(at, c.ids.size());
                  c.reference.assign(values.begin(), values.end());
                  at += c.ids.size();
                }
              });
}

std::span<const Group> OnlineRun::groups_of(size_t step, const Collect& collect) {
  if (speaks(step)) {
    generation_ = collect(step);
    for (const Group& group : generation_) {
      for (const Completion& c : group.completions) {
        num_tokens_ += data_.prompts[group.prompt].ids.size() + c.ids.size();
      }
    }
    if (config_.log_completions) log(step);
  }
  const size_t inner = (step - 1) % config_.steps_of_generation();
  return std::span<const Group>(generation_)
      .subspan(inner * config_.prompts_per_step(), config_.prompts_per_step());
}

void OnlineRun::log(size_t step) {
  for (const Group& group : generation_) {
    for (const Completion& c : group.completions) {
      const llm::PromptTokens& prompt = data_.prompts[group.prompt];
      Json line = Json::object(), rewards = Json::object();
      line["step"] = uint64_t{step};
      line["id"] = prompt.name;
      line["prompt"] = prompt.text;
      line["completion"] = c.text;
      for (size_t k = 0; k < data_.rewards.size(); ++k) {
        rewards[data_.rewards[k]->name()] = reward_to_json(c.rewards[k]);
      }
      line["rewards"] = std::move(rewards);
      line["advantage"] = c.advantage;
      line["tokens"] = uint64_t{c.ids.size()};
      line["ended"] = c.ended;
      training_.directory().log_completion(line);
    }
  }
}

StepEnd OnlineRun::step_end(size_t step, double loss, double normaliser,
                            const Accumulated& gradients, Json metrics) {
  StepEnd end;
  end.step = step;
  end.total_steps = total_;
  end.loss = loss;
  end.normaliser = normaliser;
  end.gradients = gradients;
  end.share_done = static_cast<double>(step) / static_cast<double>(total_);
  end.epoch = epoch(step);
  add_metrics(metrics);
  end.metrics = std::move(metrics);
  end.evaluate = evaluation();
  end.note = note();
  end.checkpoint_files = checkpoint_files(step);
  return end;
}

void OnlineRun::add_metrics(Json& metrics) const {
  metrics["num_tokens"] = num_tokens_;
  add_length_metrics(metrics, "", generation_);
  add_kept_metrics(metrics, generation_);
  add_reward_metrics(metrics, "", generation_, data_.rewards, config_.reward_weights);
}

std::string OnlineRun::note() const {
  char text[48];
  std::snprintf(text, sizeof text, "reward %.4f",
                mean_of(sums_of(generation_, config_.reward_weights)));
  return text;
}

std::function<Json(size_t)> OnlineRun::evaluation() {
  if (data_.eval_prompts.empty()) return {};
  return [this](size_t step) {
    RolloutOptions options = config_.rollout();
    if (config_.num_generations_eval > 0) options.num_generations = config_.num_generations_eval;
    Rollouts rollouts(job_.compute, speaker(), options, longest_prompt(data_.eval_prompts),
                      training_.ranks());
    std::vector<size_t> all(data_.eval_prompts.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    // The same random numbers each time: what differs is the policy.
    std::vector<Group> groups = rollouts.generate(data_.eval_prompts, all, "evaluation", 0);
    score(data_.eval_prompts, groups);
    Json line = Json::object();
    line["step"] = uint64_t{step};
    add_length_metrics(line, "eval_", groups);
    add_reward_metrics(line, "eval_", groups, data_.rewards, config_.reward_weights);
    return line;
  };
}

double OnlineRun::epoch(size_t step) const {
  const size_t per_epoch =
      data_.prompts.size() / config_.prompts_per_generation() * config_.window();
  return static_cast<double>(step) / static_cast<double>(per_epoch);
}

}  // namespace hone::train
