#include "train/cpo.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "train/pair_sums.h"
#include "train/row_steps.h"
#include "train/settings_reader.h"

namespace hone::train {

using llm::PreferenceTokens;
using llm::TreeExample;
using llm::TreeResult;

namespace {

class CpoLoss : public RowLoss {
 public:
  CpoLoss(const CpoConfig& config, const std::vector<PreferenceTokens>& pairs,
          const std::vector<TreeExample>& trees)
      : config_(config), pairs_(pairs), trees_(trees) {}

  void begin(std::span<const size_t> rows, llm::TrainingPass&) override {
    batch_.assign(rows.begin(), rows.end());
    states_.assign(rows.size(), {});
    weight_ = tokens_ = 0;
    for (size_t row : batch_) {
      weight_ += pairs_[row].weight;
      tokens_ += pairs_[row].weight * static_cast<double>(pairs_[row].chosen_tokens());
    }
    if (weight_ == 0) weight_ = 1;  // every pair weighs 0: the gradient is 0 too
  }

  void row(size_t place, const TreeResult& result, std::span<float> coefficients) override {
    const size_t row = batch_[place];
    const PreferenceTokens& pair = pairs_[row];
    State& state = states_[place];
    state.watch = watch_pair(pair, trees_[row], result, 0);
    const AnswerLogProbs sums{state.watch.chosen.log_prob, state.watch.rejected.log_prob,
                              pair.chosen_tokens(), pair.rejected_tokens()};
    state.loss = cpo_loss(config_.loss(), sums, pair.probability);
    const bool means =
        config_.loss_type == CpoLossType::kIpo || config_.loss_type == CpoLossType::kSimpo;
    const double chosen = means ? sums.mean_chosen() : sums.chosen;
    const double rejected = means ? sums.mean_rejected() : sums.rejected;
    state.rewards = {config_.beta * chosen, config_.beta * rejected, chosen, rejected};
    if (coefficients.empty()) return;
    // alpha sum(w nll) / tokens_, in the units of sum(w L) / weight_.
    const double likelihood = tokens_ > 0 ? -config_.cpo_alpha * weight_ / tokens_ : 0;
    for (size_t i = 0; i < coefficients.size(); ++i) {
      const double slope =
          i < pair.chosen_tokens() ? state.loss.d_chosen + likelihood : state.loss.d_rejected;
      coefficients[i] = static_cast<float>(pair.weight * slope);
    }
  }

  RowBatch end(const std::string& prefix) override {
    double loss = 0, likelihood = 0;
    std::vector<PairWatch> watched;
    std::vector<PairRewards> rewards;
    for (size_t i = 0; i < states_.size(); ++i) {
      const double weight = pairs_[batch_[i]].weight;
      loss += weight * states_[i].loss.value;
      likelihood -= weight * states_[i].watch.chosen.log_prob;
      watched.push_back(states_[i].watch);
      rewards.push_back(states_[i].rewards);
    }
    RowBatch out;
    out.normaliser = weight_;
    const double nll = tokens_ > 0 ? likelihood / tokens_ : 0;
    out.loss = loss / weight_ + config_.cpo_alpha * nll;
    add_pair_metrics(out.metrics, prefix, watched, rewards);
    out.metrics[prefix + "nll_loss"] = nll;
    return out;
  }

 private:
  struct State {
    PairWatch watch;
    PairRewards rewards;
    UnreferencedLoss loss;
  };

  const CpoConfig& config_;
  const std::vector<PreferenceTokens>& pairs_;
  const std::vector<TreeExample>& trees_;
  std::vector<size_t> batch_;
  std::vector<State> states_;
  double weight_ = 1, tokens_ = 0;
};

Rows rows_of(const std::vector<PreferenceTokens>& pairs, bool prefix_sharing) {
  Rows rows;
  for (const PreferenceTokens& pair : pairs) {
    rows.trees.push_back(pair.tree(prefix_sharing));
    rows.tokens.push_back(pair_tokens(pair));
  }
  return rows;
}

}  // namespace

Json CpoConfig::to_json() const {
  Json json = TrainConfig::to_json();
  json["loss_type"] = name(loss_type);
  json["beta"] = beta;
  json["label_smoothing"] = label_smoothing;
  json["cpo_alpha"] = cpo_alpha;
  json["simpo_gamma"] = simpo_gamma;
  return json;
}

CpoConfig cpo_config_from_json(const Json& json) {
  Settings settings(json);
  CpoConfig config;
  read_common(settings, config);
  settings.read(
      "loss_type", &config.loss_type,
      {CpoLossType::kSigmoid, CpoLossType::kHinge, CpoLossType::kIpo, CpoLossType::kSimpo});
  settings.read("beta", &config.beta);
  settings.read("label_smoothing", &config.label_smoothing);
  settings.read("cpo_alpha", &config.cpo_alpha);
  settings.read("simpo_gamma", &config.simpo_gamma);
  settings.refuse_unknown();
  validate(config);
  return config;
}

void validate(const CpoConfig& c) {
  validate(static_cast<const TrainConfig&>(c));
  require(std::isfinite(c.beta) && c.beta > 0, "beta", c.beta, "above 0");
  require(c.label_smoothing >= 0 && c.label_smoothing < 0.5, "label-smoothing", c.label_smoothing,
          "from 0 to below 0.5");
  require(std::isfinite(c.cpo_alpha) && c.cpo_alpha >= 0, "cpo-alpha", c.cpo_alpha, "0 or more");
  require(std::isfinite(c.simpo_gamma) && c.simpo_gamma >= 0, "simpo-gamma", c.simpo_gamma,
          "0 or more");
  const bool smooths = c.loss_type == CpoLossType::kSigmoid || c.loss_type == CpoLossType::kSimpo;
  if (c.label_smoothing > 0 && !smooths) {
    throw invalid_input("--label-smoothing has no meaning with --loss-type " +
                        std::string(name(c.loss_type)) + ": leave it out");
  }
}

TrainResult train_cpo(TrainJob& job, const CpoConfig& config,
                      const std::vector<PreferenceTokens>& examples,
                      const std::vector<PreferenceTokens>& eval_examples) {
  validate(config);
  Rows rows = rows_of(examples, config.prefix_sharing);
  Rows eval = rows_of(eval_examples, config.prefix_sharing);
  CpoLoss loss(config, examples, rows.trees), eval_loss(config, eval_examples, eval.trees);
  rows.loss = &loss;
  eval.loss = &eval_loss;
  return train_rows(job, config, "cpo", config.to_json(), rows, eval);
}

}  // namespace hone::train
