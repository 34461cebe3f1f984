#include "train/orpo.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "train/pair_sums.h"
#include "train/row_steps.h"
#include "train/settings_reader.h"
#include "train/unreferenced_loss.h"

namespace hone::train {

using llm::PreferenceTokens;
using llm::TreeExample;
using llm::TreeResult;

namespace {

// The pair's tree with the prompt's tokens as targets in front: the first mean counts them.
TreeExample tree_of(const PreferenceTokens& pair, bool prefix_sharing) {
  TreeExample tree = pair.tree(prefix_sharing);
  std::vector<llm::TreeTarget> targets;
  for (uint32_t i = 1; i < pair.prompt.size(); ++i) targets.push_back({0, i});
  tree.targets.insert(tree.targets.begin(), targets.begin(), targets.end());
  return tree;
}

size_t prompt_targets(const PreferenceTokens& pair) {
  return std::max<size_t>(pair.prompt.size(), 1) - 1;
}

class OrpoLoss : public RowLoss {
 public:
  OrpoLoss(const OrpoConfig& config, const std::vector<PreferenceTokens>& pairs,
           const std::vector<TreeExample>& trees)
      : config_(config), pairs_(pairs), trees_(trees) {}

  void begin(std::span<const size_t> rows, llm::TrainingPass&) override {
    batch_.assign(rows.begin(), rows.end());
    states_.assign(rows.size(), {});
    weight_ = tokens_ = 0;
    for (size_t row : batch_) {
      weight_ += pairs_[row].weight;
      tokens_ += pairs_[row].weight * likelihood_share(row);
    }
    if (weight_ == 0) weight_ = 1;  // every pair weighs 0: the gradient is 0 too
  }

  void row(size_t place, const TreeResult& result, std::span<float> coefficients) override {
    const size_t row = batch_[place], prompt = prompt_targets(pairs_[row]);
    const PreferenceTokens& pair = pairs_[row];
    State& state = states_[place];
    state.watch = watch_pair(pair, trees_[row], result, prompt);
    const AnswerLogProbs sums{state.watch.chosen.log_prob, state.watch.rejected.log_prob,
                              pair.chosen_tokens(), pair.rejected_tokens()};
    state.odds = orpo_loss(config_.beta, sums, pair.probability);
    state.rewards = {config_.beta * sums.mean_chosen(), config_.beta * sums.mean_rejected(),
                     sums.mean_chosen(), sums.mean_rejected()};
    state.negative_log_prob = answer_alone() ? -sums.mean_chosen() : -sums.chosen;
    for (size_t i = 0; i < prompt && !answer_alone(); ++i) {
      state.negative_log_prob -= static_cast<double>(result.log_probs[i]);
    }
    if (coefficients.empty()) return;
    // sum(w nll) / tokens_, in the units of sum(w L) / weight_.
    double likelihood = tokens_ > 0 ? -weight_ / tokens_ : 0;
    if (answer_alone()) likelihood /= static_cast<double>(pair.chosen_tokens());
    for (size_t i = 0; i < coefficients.size(); ++i) {
      const bool rejected = i >= prompt + pair.chosen_tokens();
      double slope = rejected ? state.odds.d_rejected : likelihood;
      if (i < prompt && answer_alone()) slope = 0;
      if (i >= prompt && !rejected) slope += state.odds.d_chosen;
      coefficients[i] = static_cast<float>(pair.weight * slope);
    }
  }

  RowBatch end(const std::string& prefix) override {
    double loss = 0, likelihood = 0, odds = 0;
    std::vector<PairWatch> watched;
    std::vector<PairRewards> rewards;
    for (size_t i = 0; i < states_.size(); ++i) {
      const double weight = pairs_[batch_[i]].weight;
      loss += weight * states_[i].odds.value;
      likelihood += weight * states_[i].negative_log_prob;
      odds += states_[i].odds.log_odds;
      watched.push_back(states_[i].watch);
      rewards.push_back(states_[i].rewards);
    }
    const double n = static_cast<double>(states_.size());
    RowBatch out;
    out.normaliser = weight_;
    const double nll = tokens_ > 0 ? likelihood / tokens_ : 0;
    out.loss = loss / weight_ + nll;
    add_pair_metrics(out.metrics, prefix, watched, rewards);
    out.metrics[prefix + "nll_loss"] = nll;
    out.metrics[prefix + "log_odds_chosen"] = odds / n;
    out.metrics[prefix + "log_odds_ratio"] = -loss / weight_ / config_.beta;
    return out;
  }

 private:
  struct State {
    PairWatch watch;
    PairRewards rewards;
    UnreferencedLoss odds;
    double negative_log_prob = 0;  // of prompt and chosen answer, or the answer's mean (nll_scope)
  };
  bool answer_alone() const { return config_.nll_scope == NllScope::kAnswer; }
  double likelihood_share(size_t row) const {
    return answer_alone()
               ? 1
               : static_cast<double>(prompt_targets(pairs_[row]) + pairs_[row].chosen_tokens());
  }

  const OrpoConfig& config_;
  const std::vector<PreferenceTokens>& pairs_;
  const std::vector<TreeExample>& trees_;
  std::vector<size_t> batch_;
  std::vector<State> states_;
  double weight_ = 1, tokens_ = 0;  // tokens_: what the first mean is over
};

Rows rows_of(const std::vector<PreferenceTokens>& pairs, bool prefix_sharing) {
  Rows rows;
  for (const PreferenceTokens& pair : pairs) {
    rows.trees.push_back(tree_of(pair, prefix_sharing));
    rows.tokens.push_back(pair_tokens(pair));
  }
  return rows;
}

}  // namespace

Json OrpoConfig::to_json() const {
  Json json = TrainConfig::to_json();
  json["beta"] = beta;
  if (nll_scope != NllScope::kPromptAndAnswer) json["nll_scope"] = train::name(nll_scope);
  return json;
}

OrpoConfig orpo_config_from_json(const Json& json) {
  Settings settings(json);
  OrpoConfig config;
  read_common(settings, config);
  settings.read("beta", &config.beta);
  settings.read_if_there("nll_scope", &config.nll_scope,
                         {NllScope::kPromptAndAnswer, NllScope::kAnswer});
  settings.refuse_unknown();
  validate(config);
  return config;
}

void validate(const OrpoConfig& c) {
  validate(static_cast<const TrainConfig&>(c));
  require(std::isfinite(c.beta) && c.beta > 0, "beta", c.beta, "above 0");
}

TrainResult train_orpo(TrainJob& job, const OrpoConfig& config,
                       const std::vector<PreferenceTokens>& examples,
                       const std::vector<PreferenceTokens>& eval_examples) {
  validate(config);
  Rows rows = rows_of(examples, config.prefix_sharing);
  Rows eval = rows_of(eval_examples, config.prefix_sharing);
  OrpoLoss loss(config, examples, rows.trees), eval_loss(config, eval_examples, eval.trees);
  rows.loss = &loss;
  eval.loss = &eval_loss;
  return train_rows(job, config, "orpo", config.to_json(), rows, eval);
}

}  // namespace hone::train
