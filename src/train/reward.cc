#include "train/reward.h"

#include <algorithm>

#include "train/pair_sums.h"
#include "train/reward_loss.h"
#include "train/row_steps.h"

namespace hone::train {

using llm::PreferenceTokens;
using llm::StepTokens;
using llm::TreeExample;
using llm::TreeResult;

namespace {

// Pairs of answers: what the loop needs to know of them.
class PairRows {
 public:
  struct State {  // of one pair
    double loss = 0, chosen = 0, rejected = 0;
  };
  PairRows(const RewardConfig& config, const std::vector<PreferenceTokens>& rows)
      : config_(config), rows_(rows) {}

  size_t size() const { return rows_.size(); }
  TreeExample tree(size_t i) const { return rows_[i].score_tree(config_.prefix_sharing); }
  // What the sum of losses is divided by, and what is read.
  double weight(size_t i) const { return rows_[i].weight; }
  size_t tokens(size_t i) const { return pair_tokens(rows_[i]); }

  State see(size_t i, const TreeResult& result, std::span<float> coefficients) const {
    const PreferenceTokens& e = rows_[i];
    const double chosen = static_cast<double>(result.log_probs[0]);
    const double rejected = static_cast<double>(result.log_probs[1]);
    const RewardLoss loss =
        reward_loss(chosen, rejected, e.margin, e.probability, config_.center_rewards_coefficient);
    if (!coefficients.empty()) {
      coefficients[0] = static_cast<float>(e.weight * loss.d_chosen);
      coefficients[1] = static_cast<float>(e.weight * loss.d_rejected);
    }
    return {loss.value, chosen, rejected};
  }

  RowBatch combine(const std::vector<State>& states, std::span<const size_t> rows,
                   const std::string& prefix) const {
    double loss = 0, weights = 0, sum = 0, margin = 0, correct = 0;
    double least = states.front().chosen, most = states.front().chosen;
    for (size_t i = 0; i < states.size(); ++i) {
      const State& s = states[i];
      loss += weight(rows[i]) * s.loss;
      weights += weight(rows[i]);
      sum += s.chosen + s.rejected;
      margin += s.chosen - s.rejected;
      correct += s.chosen > s.rejected ? 1 : 0;
      least = std::min({least, s.chosen, s.rejected});
      most = std::max({most, s.chosen, s.rejected});
    }
    const double n = static_cast<double>(states.size());
    RowBatch out;
    out.loss = weights > 0 ? loss / weights : 0;
    out.metrics[prefix + "accuracy"] = correct / n;
    out.metrics[prefix + "margin"] = margin / n;
    out.metrics[prefix + "min_reward"] = least;
    out.metrics[prefix + "mean_reward"] = sum / (2 * n);
    out.metrics[prefix + "max_reward"] = most;
    return out;
  }

 private:
  const RewardConfig& config_;
  const std::vector<PreferenceTokens>& rows_;
};

// Answers in steps: the loss is the mean over the batch's labelled steps.
class StepRows {
 public:
  struct State {  // of one answer
    double loss = 0, score = 0, correct = 0;
  };
  explicit StepRows(const std::vector<StepTokens>& rows) : rows_(rows) {}

  size_t size() const { return rows_.size(); }
  TreeExample tree(size_t i) const { return rows_[i].score_tree(); }
  double weight(size_t i) const {
    return rows_[i].weight * static_cast<double>(rows_[i].ends.size());
  }
  size_t tokens(size_t i) const { return rows_[i].tokens.size(); }

  State see(size_t i, const TreeResult& result, std::span<float> coefficients) const {
    const StepTokens& e = rows_[i];
    State state;
    for (size_t k = 0; k < e.ends.size(); ++k) {
      const double score = static_cast<double>(result.log_probs[k]);
      const bool right = e.labels[k] != 0;
      const StepLoss loss = step_loss(score, right);
      if (!coefficients.empty()) coefficients[k] = static_cast<float>(e.weight * loss.slope);
      state.loss += loss.value;
      state.score += score;
      state.correct += (score > 0) == right ? 1 : 0;
    }
    return state;
  }

  RowBatch combine(const std::vector<State>& states, std::span<const size_t> rows,
                   const std::string& prefix) const {
    double loss = 0, weights = 0, steps = 0, correct = 0, scores = 0;
    for (size_t i = 0; i < states.size(); ++i) {
      loss += rows_[rows[i]].weight * states[i].loss;
      weights += weight(rows[i]);
      steps += static_cast<double>(rows_[rows[i]].ends.size());
      correct += states[i].correct;
      scores += states[i].score;
    }
    RowBatch out;
    out.loss = weights > 0 ? loss / weights : 0;
    out.metrics[prefix + "accuracy"] = correct / steps;
    out.metrics[prefix + "mean_reward"] = scores / steps;
    return out;
  }

 private:
  const std::vector<StepTokens>& rows_;
};

// Either kind on the loop of rows: the loss of a batch is a mean over its weights.
template <typename Kind>
class ScoreLoss : public RowLoss {
 public:
  explicit ScoreLoss(const Kind& rows) : rows_(rows) {}

  void begin(std::span<const size_t> batch, llm::TrainingPass&) override {
    batch_.assign(batch.begin(), batch.end());
    states_.assign(batch.size(), {});
  }
  void row(size_t place, const TreeResult& result, std::span<float> coefficients) override {
    states_[place] = rows_.see(batch_[place], result, coefficients);
  }
  RowBatch end(const std::string& prefix) override {
    RowBatch out = rows_.combine(states_, batch_, prefix);
    out.normaliser = 0;
    for (size_t row : batch_) out.normaliser += rows_.weight(row);
    if (out.normaliser == 0) out.normaliser = 1;  // every row weighs 0: the gradient is 0 too
    return out;
  }
  bool reads_words() const override { return false; }

 private:
  const Kind& rows_;
  std::vector<size_t> batch_;
  std::vector<typename Kind::State> states_;
};

template <typename Kind>
Rows rows_of(const Kind& kind, RowLoss& loss) {
  Rows rows;
  rows.loss = &loss;
  for (size_t i = 0; i < kind.size(); ++i) {
    rows.trees.push_back(kind.tree(i));
    rows.tokens.push_back(kind.tokens(i));
  }
  return rows;
}

template <typename Kind>
TrainResult learn(TrainJob& job, const RewardConfig& config, const Kind& rows, const Kind& eval) {
  validate(config);
  ScoreLoss<Kind> loss(rows), eval_loss(eval);
  return train_rows(job, config, "reward", config.to_json(), rows_of(rows, loss),
                    rows_of(eval, eval_loss), {.language = false, .score = true});
}

}  // namespace

RewardPairs reward_pairs(std::vector<PreferenceTokens> all, size_t max_length) {
  RewardPairs out;
  for (PreferenceTokens& e : all) {
    const size_t longest = e.prompt.size() + std::max(e.chosen.size(), e.rejected.size());
    if (max_length > 0 && longest > max_length) {
      ++out.too_long;
    } else {
      out.pairs.push_back(std::move(e));
    }
  }
  return out;
}

TrainResult train_reward(TrainJob& job, const RewardConfig& config,
                         const std::vector<PreferenceTokens>& examples,
                         const std::vector<PreferenceTokens>& eval_examples) {
  return learn(job, config, PairRows(config, examples), PairRows(config, eval_examples));
}

TrainResult train_process_reward(TrainJob& job, const RewardConfig& config,
                                 const std::vector<StepTokens>& examples,
                                 const std::vector<StepTokens>& eval_examples) {
  return learn(job, config, StepRows(examples), StepRows(eval_examples));
}

}  // namespace hone::train
