#include "train/jepa.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "llm/predictor_tokens.h"
#include "train/row_steps.h"
#include "train/settings_reader.h"

namespace hone::train {

using llm::TreeExample;
using llm::TreeResult;
using llm::ViewTokens;

namespace {

class JepaRows : public RowLoss {
 public:
  JepaRows(const JepaConfig& config, const llm::ModelConfig& model,
           const std::vector<ViewTokens>& rows)
      : config_(config), layout_(view_layout(config, model)), rows_(rows) {}

  Rows all() {
    Rows rows;
    rows.loss = this;
    for (const ViewTokens& row : rows_) {
      rows.trees.push_back(row.tree(layout_));
      rows.tokens.push_back(row.row.tokens.size());
    }
    return rows;
  }

  // A step that leaves the views out runs sft's trees.
  std::vector<TreeExample> trees_of_step(size_t step, std::span<const size_t> batch) override {
    Rng rng(config_.seed, rng_stream("jepa-dropout", step));
    with_views_ = config_.jepa_dropout == 0 || rng.uniform() >= config_.jepa_dropout;
    std::vector<TreeExample> trees;
    for (size_t row : batch) {
      if (!with_views_) trees.push_back(rows_[row].row.tree());
    }
    return trees;
  }

  void begin(std::span<const size_t> batch, llm::TrainingPass& pass) override {
    batch_.assign(batch.begin(), batch.end());
    states_.assign(batch.size(), {});
    double tokens = 0, weights = 0;
    for (size_t row : batch_) {
      tokens += weight(row) * static_cast<double>(rows_[row].row.trained_tokens());
      weights += weight(row);
    }
    if (weights == 0) tokens = weights = 1;  // every row weighs 0: the gradient is 0 too
    normaliser_ = tokens;
    weight_ = weights;
    if (with_views_ && config_.jepa_loss == JepaLossType::kInfoNce) compare_views(pass);
  }

  bool reads_words() const override { return false; }
  bool slopes_are_known() const override { return true; }
  void known(size_t place, std::span<float> coefficients) override {
    const size_t tokens = rows_[batch_[place]].row.trained_tokens();
    const double slope = -config_.jepa_gamma * weight(batch_[place]);
    std::fill_n(coefficients.begin(), tokens, static_cast<float>(slope));
    std::fill(coefficients.begin() + static_cast<std::ptrdiff_t>(tokens), coefficients.end(), 0.0f);
  }

  void row(size_t place, const TreeResult& result, std::span<float>) override {
    const size_t row = batch_[place], tokens = rows_[row].row.trained_tokens();
    State& state = states_[place];
    state = {};
    for (size_t i = 0; i < tokens; ++i) {
      state.negative_log_prob -= static_cast<double>(result.log_probs[i]);
      state.entropy += static_cast<double>(result.rows[i].entropy);
    }
    state.correct = correct(rows_[row], result);
    if (!with_views_) return;
    const llm::HiddenState &u = result.hidden[tokens], &v = result.hidden[tokens + 1];
    const bool is_known = config_.jepa_loss == JepaLossType::kInfoNce;
    // The micro-batch's slopes hold the rows' weights already.
    const JepaLoss loss =
        is_known ? compared_[place] : jepa_loss(config_.jepa_loss, u.value, v.value);
    state.distance = loss.value;
    state.cosine = loss.cosine;
    const double scale = config_.jepa_lambda * normaliser_ / weight_ * (is_known ? 1 : weight(row));
    for (size_t k = 0; k < u.slope.size(); ++k) {
      u.slope[k] += static_cast<float>(scale * loss.du[k]);
      v.slope[k] += static_cast<float>(scale * loss.dv[k]);
    }
  }

  RowBatch end(const std::string& prefix) override {
    double likelihood = 0, distance = 0, cosine = 0, entropy = 0, tokens = 0, right = 0;
    for (size_t i = 0; i < states_.size(); ++i) {
      const double w = weight(batch_[i]);
      likelihood += w * states_[i].negative_log_prob;
      distance += w * states_[i].distance;
      cosine += states_[i].cosine;
      entropy += states_[i].entropy;
      right += static_cast<double>(states_[i].correct);
      tokens += static_cast<double>(rows_[batch_[i]].row.trained_tokens());
    }
    RowBatch out;
    out.normaliser = normaliser_;
    const double lm_loss = likelihood / normaliser_, jepa = distance / weight_;
    out.loss = config_.jepa_gamma * lm_loss + (with_views_ ? config_.jepa_lambda * jepa : 0);
    out.metrics[prefix + "lm_loss"] = lm_loss;
    if (with_views_) {
      out.metrics[prefix + "jepa_loss"] = jepa;
      out.metrics[prefix + "cosine_similarity"] = cosine / static_cast<double>(states_.size());
    }
    out.metrics[prefix + "entropy"] = entropy / tokens;
    out.metrics[prefix + "mean_token_accuracy"] = right / tokens;
    return out;
  }

 private:
  struct State {
    double negative_log_prob = 0, entropy = 0, distance = 0, cosine = 0;
    size_t correct = 0;
  };

  double weight(size_t row) const { return rows_[row].row.weight; }

  // Trained tokens that were the likeliest.
  static size_t correct(const ViewTokens& row, const TreeResult& result) {
    size_t count = 0, at = 0;
    for (size_t i = 1; i < row.row.trained.size(); ++i) {
      if (row.row.trained[i] == 0) continue;
      count += result.rows[at++].argmax == row.row.tokens[i] ? 1 : 0;
    }
    return count;
  }

  // infonce of each micro-batch: consecutive rows of the batch, in data order.
  void compare_views(llm::TrainingPass& pass) {
    std::vector<TreeExample> trees;
    for (size_t row : batch_) trees.push_back(rows_[row].views_tree(layout_));
    std::vector<std::vector<float>> u(trees.size()), v(trees.size());
    llm::score_trees(pass, trees, [&](size_t i, const TreeResult& result) {
      u[i].assign(result.hidden[0].value.begin(), result.hidden[0].value.end());
      v[i].assign(result.hidden[1].value.begin(), result.hidden[1].value.end());
    });
    compared_.clear();
    for (size_t begin = 0; begin < trees.size();) {
      const size_t count = std::min(config_.per_device_train_batch_size, trees.size() - begin);
      std::vector<double> weights;
      for (size_t i = 0; i < count; ++i) weights.push_back(weight(batch_[begin + i]));
      for (JepaLoss& loss :
           jepa_infonce(std::span(u).subspan(begin, count), std::span(v).subspan(begin, count),
                        weights, config_.jepa_temperature)) {
        compared_.push_back(std::move(loss));
      }
      begin += count;
    }
  }

  const JepaConfig& config_;
  const ViewTokens::Layout layout_;
  const std::vector<ViewTokens>& rows_;
  bool with_views_ = true;
  std::vector<size_t> batch_;
  std::vector<State> states_;
  std::vector<JepaLoss> compared_;
  double normaliser_ = 1, weight_ = 1;
};

}  // namespace

llm::ViewTokens::Layout view_layout(const JepaConfig& config, const llm::ModelConfig& model) {
  return {model.vocab_size, config.jepa_predictors, config.prefix_sharing};
}

Json JepaConfig::to_json() const {
  Json json = SftConfig::to_json();
  json["jepa_loss"] = name(jepa_loss);
  json["jepa_lambda"] = jepa_lambda;
  json["jepa_gamma"] = jepa_gamma;
  json["jepa_predictors"] = uint64_t{jepa_predictors};
  json["jepa_dropout"] = jepa_dropout;
  json["jepa_temperature"] = jepa_temperature;
  return json;
}

JepaConfig jepa_config_from_json(const Json& json) {
  Settings settings(json);
  JepaConfig config;
  read_sft(settings, config);
  settings.read(
      "jepa_loss", &config.jepa_loss,
      {JepaLossType::kCosine, JepaLossType::kL2, JepaLossType::kMse, JepaLossType::kInfoNce});
  settings.read("jepa_lambda", &config.jepa_lambda);
  settings.read("jepa_gamma", &config.jepa_gamma);
  settings.read("jepa_predictors", &config.jepa_predictors);
  settings.read("jepa_dropout", &config.jepa_dropout);
  settings.read("jepa_temperature", &config.jepa_temperature);
  settings.refuse_unknown();
  validate(config);
  return config;
}

void validate(const JepaConfig& c) {
  validate(static_cast<const SftConfig&>(c));
  require(std::isfinite(c.jepa_lambda) && c.jepa_lambda > 0, "jepa-lambda", c.jepa_lambda,
          "above 0 (without the second term it is hone train sft)");
  require(std::isfinite(c.jepa_gamma) && c.jepa_gamma >= 0, "jepa-gamma", c.jepa_gamma,
          "0 or more");
  require(c.jepa_predictors <= llm::kMostPredictors, "jepa-predictors",
          static_cast<double>(c.jepa_predictors), "at most 16");
  require(c.jepa_dropout >= 0 && c.jepa_dropout < 1, "jepa-dropout", c.jepa_dropout, "in [0, 1)");
  require(std::isfinite(c.jepa_temperature) && c.jepa_temperature >= 1e-3, "jepa-temperature",
          c.jepa_temperature, "0.001 or more");
  if (c.packing) {
    throw invalid_input(
        "--packing is not for jepa: a row and its views are one tree already, nothing is padded; "
        "leave it out");
  }
  if (c.jepa_loss == JepaLossType::kInfoNce && c.per_device_train_batch_size < 2) {
    throw invalid_input(
        "--per-device-train-batch-size is 1: infonce tells a row's second view from the other "
        "rows' of its micro-batch, so it needs two rows (or --jepa-loss cosine)");
  }
  if (c.jepa_loss == JepaLossType::kInfoNce && c.lora_dropout > 0) {
    throw invalid_input(
        "--lora-dropout with --jepa-loss infonce is not supported: the states it compares are "
        "computed before the step, without what the step drops; leave one of them out");
  }
}

TrainResult train_jepa(TrainJob& job, const JepaConfig& config,
                       const std::vector<ViewTokens>& examples,
                       const std::vector<ViewTokens>& eval_examples) {
  validate(config);
  JepaRows loss(config, job.model.config, examples);
  JepaRows eval_loss(config, job.model.config, eval_examples);
  return train_rows(job, config, "jepa", config.to_json(), loss.all(), eval_loss.all(),
                    {.predictors = config.jepa_predictors});
}

}  // namespace hone::train
