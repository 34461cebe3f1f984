#include "llm/training_pass.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "llm/head_scale.h"
#include "llm/linear_backward.h"
#include "llm/mean_logits.h"
#include "llm/predictor_tokens.h"
#include "llm/score_head.h"
#include "tensor/attention_backward.h"
#include "tensor/distillation_head.h"
#include "tensor/entropy_gradient.h"
#include "tensor/matmul.h"
#include "tensor/rms_norm.h"
#include "tensor/rope.h"
#include "tensor/swiglu.h"
#include "tensor/tile_stride.h"

namespace hone::llm {

using tensor::Compute;
using tensor::FixedStatistics;
using tensor::PanelMatrix;
using tensor::Tensor;
using tensor::tile_stride;
using tensor::View;

namespace {

// Columns of a layer's saved activations, each aligned to a cache line.
struct SavedColumns {
  size_t qkv = 0, raw = 0, attention = 0, lse = 0, x_mid = 0, gate_up = 0, total = 0;

  explicit SavedColumns(const ModelConfig& config, const LayerConfig& layer) {
    const size_t q = layer.head_count * layer.head_dim;
    const size_t kv = layer.kv_head_count * layer.head_dim;
    qkv = take(q + 2 * kv);
    raw = take(layer.qk_norm ? q + kv : 0);
    attention = take(q);
    lse = take(layer.head_count);
    x_mid = take(config.hidden_size);
    gate_up = take(2 * layer.intermediate_size);
    total = tile_stride(total);
  }

 private:
  size_t take(size_t columns) {
    const size_t begin = total;
    total += (columns + 15) / 16 * 16;
    return begin;
  }
};

struct Widest {
  size_t qkv = 0, attention = 0, intermediate = 0, saved = 0;
  size_t norm_heads = 0;  // q and k heads, where each has a norm

  // Of the maps that read one input: their outputs, each from a cache line on.
  size_t outputs(const ModelConfig& config) const {
    return std::max({qkv + 48, 2 * intermediate + 32, config.hidden_size + 16});
  }
  // Of any linear map.
  size_t input(const ModelConfig& config) const {
    return std::max({config.hidden_size, attention, intermediate});
  }

  explicit Widest(const ModelConfig& config) {
    for (const LayerConfig& layer : config.layers) {
      qkv = std::max(qkv, (layer.head_count + 2 * layer.kv_head_count) * layer.head_dim);
      attention = std::max(attention, layer.head_count * layer.head_dim);
      intermediate = std::max(intermediate, layer.intermediate_size);
      saved = std::max(saved, SavedColumns(config, layer).total);
      if (layer.qk_norm) {
        norm_heads = std::max(norm_heads, layer.head_count + layer.kv_head_count);
      }
    }
  }
};

Tensor scratch(size_t rows, size_t cols) { return cols == 0 ? Tensor() : Tensor(rows, cols); }

}  // namespace

size_t kept_layers(const ModelConfig& config, const PassOptions& options) {
  const size_t all = config.layers.size();
  return options.recompute ? std::clamp<size_t>(options.kept_layers, std::min<size_t>(1, all), all)
                           : all;
}

size_t kept_layer_bytes(const ModelConfig& config, size_t max_rows) {
  return Widest(config).saved * max_rows * sizeof(float);
}

size_t TrainingPass::planned_bytes(const ModelConfig& config, size_t max_lora_rank, size_t max_rows,
                                   const PassOptions& options) {
  const Widest widest(config);
  size_t per_row = (config.layers.size() + 1) * config.hidden_size;  // x_in
  per_row += kept_layers(config, options) * widest.saved;
  per_row += 3 * config.hidden_size + 3 * tile_stride(config.hidden_size) + widest.qkv +
             tile_stride(widest.qkv) + tile_stride(widest.attention) +
             tile_stride(2 * widest.intermediate) + 2 * tile_stride(widest.intermediate) +
             9 * max_lora_rank + (2 + widest.norm_heads) * config.layers.size();
  per_row += 2;  // a score and its gradient
  if (options.lora_dropout) per_row += widest.input(config);
  if (options.dora) per_row += tile_stride(widest.outputs(config));
  // The head's vocabulary tiles and attention's blocks of one layer, twice.
  per_row += 1024 + 2 * widest.qkv;
  const size_t head =
      options.teacher ? tensor::distillation_bytes(max_rows, config.hidden_size, config.vocab_size)
                      : tensor::head_gradient_bytes(max_rows, config.hidden_size, config.vocab_size,
                                                    options.known_coefficients);
  // Weights between the two halves of attention's gradient: at most p and ds of all pairs of rows.
  size_t slab = 0;
  for (const LayerConfig& layer : config.layers) {
    const size_t blocks = max_rows / tensor::kKvBlock + 2;
    slab = std::max(slab, max_rows * layer.head_count * 2 * sizeof(float) *
                              (blocks * tensor::kKvBlock + layer.head_dim + 16));
  }
  return per_row * max_rows * sizeof(float) + head + std::min(slab, tensor::kAttentionSlabBytes);
}

size_t TrainingPass::planned_score_bytes(const ModelConfig& config, size_t max_lora_rank,
                                         size_t rows, const PassOptions& options) {
  const Widest widest(config);
  size_t per_row = (config.layers.size() + 1) * config.hidden_size;  // x_in
  if (options.recompute) {
    per_row += widest.saved;
  } else {
    for (const LayerConfig& layer : config.layers) per_row += SavedColumns(config, layer).total;
  }
  per_row += 2 * config.hidden_size + tile_stride(config.hidden_size) +
             tile_stride(widest.intermediate) + 3 * max_lora_rank +
             (2 + widest.norm_heads) * config.layers.size();
  per_row += 1024 + 2 * widest.qkv;  // the head's tiles, and the keys and values of one layer
  return per_row * rows * sizeof(float);
}

TrainingPass::TrainingPass(Compute& compute, const Model& model, const LoraAdapter* adapter,
                           size_t max_rows, const PassOptions& options)
    : compute_(compute),
      model_(model),
      adapter_(adapter),
      max_rows_(max_rows),
      options_(options),
      kept_layers_(kept_layers(model.config, options)) {
  const ModelConfig& config = model.config;
  const Widest widest(config);
  const size_t rank = adapter == nullptr ? 0 : adapter->max_rank();
  const size_t hidden = config.hidden_size;
  x_in_ = Tensor((config.layers.size() + 1) * max_rows, hidden);
  saved_ = Tensor(kept_layers_ * max_rows, widest.saved);
  norm_ = Tensor(max_rows, tile_stride(hidden));
  activation_ = Tensor(max_rows, tile_stride(widest.intermediate));
  lora_ = scratch(max_rows, 3 * rank);
  inverse_rms_ = Tensor(2 * config.layers.size() + 1, max_rows);
  head_inverse_rms_ = Tensor(config.layers.size(), widest.norm_heads * max_rows);
  final_hidden_ = Tensor(max_rows, hidden);
  target_hidden_ = Tensor(max_rows, hidden);
  target_gradient_ = Tensor(max_rows, hidden);
  dx_ = Tensor(max_rows, tile_stride(hidden));
  dnorm_ = Tensor(max_rows, tile_stride(hidden));
  dqkv_ = Tensor(max_rows, tile_stride(widest.qkv));
  dkv_copy_ = Tensor(max_rows, widest.qkv);
  dattention_ = Tensor(max_rows, tile_stride(widest.attention));
  dgate_up_ = Tensor(max_rows, tile_stride(2 * widest.intermediate));
  dactivation_ = Tensor(max_rows, tile_stride(widest.intermediate));
  dlora_ = scratch(max_rows, 6 * rank);
  if (options.lora_dropout) dropped_ = Tensor(max_rows, widest.input(config));
  if (options.dora) dora_ = Tensor(max_rows, tile_stride(widest.outputs(config)));
  if (score_head(model, adapter) != nullptr) {
    scores_ = Tensor(max_rows, 1);
    dscores_ = Tensor(max_rows, 1);
  }
}

LayerActivations TrainingPass::layer_views(size_t layer, size_t rows) {
  const LayerConfig& config = model_.config.layers[layer];
  const SavedColumns columns(model_.config, config);
  const size_t place = layer - std::min(layer, first_kept());
  const View<float> all = saved_.rows_view(place * max_rows_, rows);
  const size_t q = config.head_count * config.head_dim;
  const size_t kv = config.kv_head_count * config.head_dim;
  LayerActivations a;
  a.x_in = x_in(layer, rows);
  a.qkv = all.slice_cols(columns.qkv, q + 2 * kv);
  if (config.qk_norm) a.qkv_raw = all.slice_cols(columns.raw, q + kv);
  a.attention = all.slice_cols(columns.attention, q);
  a.lse = all.slice_cols(columns.lse, config.head_count);
  a.x_mid = all.slice_cols(columns.x_mid, model_.config.hidden_size);
  a.gate_up = all.slice_cols(columns.gate_up, 2 * config.intermediate_size);
  a.x_out = x_in(layer + 1, rows);
  a.norm = norm_.rows_view(0, rows).slice_cols(0, model_.config.hidden_size);
  a.activation = activation_.rows_view(0, rows).slice_cols(0, config.intermediate_size);
  if (adapter_ != nullptr) a.lora = lora_.rows_view(0, rows);
  if (dropout_ != nullptr) a.dropout = {dropout_.get(), layer, dropped_.rows_view(0, rows)};
  a.inverse_rms_attention = inverse_rms_.view().row(2 * layer);
  a.inverse_rms_mlp = inverse_rms_.view().row(2 * layer + 1);
  if (config.qk_norm) {
    a.inverse_rms_q = head_inverse_rms_.view().row(layer);
    a.inverse_rms_k = a.inverse_rms_q + max_rows_ * config.head_count;
  }
  return a;
}

void TrainingPass::forward(const TreeRows& rows) {
  HONE_CHECK(rows.size() <= max_rows_);
  embed_with_predictors(compute_, model_, predictors_of(model_, adapter_), rows.tokens(),
                        x_in(0, rows.size()));
  for (size_t layer = 0; layer < model_.layers.size(); ++layer) {
    kv_.build(rows, model_.config.layers[layer]);
    run_layer(rows, layer);
  }
  tensor::rms_norm(compute_, x_in(model_.layers.size(), rows.size()), model_.final_norm.data(),
                   model_.config.rms_norm_eps, final_hidden_.rows_view(0, rows.size()),
                   inverse_rms_.view().row(2 * model_.layers.size()));
}

void TrainingPass::run_layer(const TreeRows& rows, size_t layer) {
  LoraRun run = {0, rows.size(), nullptr};
  if (adapter_ != nullptr) run.layer = &adapter_->layers[layer];
  layer_forward(compute_, model_, layer, std::span(&run, adapter_ == nullptr ? 0 : 1),
                rows.positions(), {kv_.stores(), kv_.runs()}, layer_views(layer, rows.size()));
}

void TrainingPass::gather_targets(const TreeRows& rows, std::span<const PassTarget> targets) {
  target_rows_.clear();
  targets_.clear();
  target_places_.clear();
  score_targets_.clear();
  entropy_targets_.clear();
  hidden_targets_.clear();
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i].token == kScoreTarget) {
      score_targets_.push_back({targets[i].row, i});
      continue;
    }
    if (targets[i].token == kHiddenTarget) {
      hidden_targets_.push_back({targets[i].row, i});
      continue;
    }
    target_rows_.push_back(targets[i].row);
    if (targets[i].token == kEntropyTarget) {
      entropy_targets_.push_back({targets[i].row, i});
      continue;
    }
    targets_.push_back(targets[i]);
    target_places_.push_back(i);
  }
  std::sort(target_rows_.begin(), target_rows_.end());
  target_rows_.erase(std::unique(target_rows_.begin(), target_rows_.end()), target_rows_.end());
  const auto compact = [&](size_t row) {
    return std::lower_bound(target_rows_.begin(), target_rows_.end(), row) - target_rows_.begin();
  };
  for (PassTarget& target : targets_) target.row = static_cast<uint32_t>(compact(target.row));
  for (ScoreTarget& target : entropy_targets_) {
    target.row = static_cast<size_t>(compact(target.row));
  }
  // Rows without a target add zero to a group's sum, so leaving them out changes no bit.
  target_groups_.clear();
  for (const tensor::TokenGroup& group : rows.groups()) {
    const auto begin = static_cast<size_t>(compact(group.begin));
    const auto end = static_cast<size_t>(compact(group.end));
    if (begin < end) target_groups_.push_back({begin, end});
  }
  for (size_t i = 0; i < target_rows_.size(); ++i) {
    std::memcpy(target_hidden_.view().row(i), final_hidden_.view().row(target_rows_[i]),
                model_.config.hidden_size * sizeof(float));
    scale_row(target_hidden_.view().row(i), model_.config.hidden_size, head_scale_);
  }
}

void TrainingPass::watch_mean_logits(std::vector<double> mean_head_row) {
  HONE_CHECK(mean_head_row.empty() || mean_head_row.size() == model_.config.hidden_size);
  mean_head_row_ = std::move(mean_head_row);
}

void TrainingPass::learn_from(TrainingPass* teacher, float beta) {
  HONE_CHECK(teacher == nullptr || (teacher->model_.config.vocab_size == model_.config.vocab_size &&
                                    teacher != this && teacher->max_rows_ >= max_rows_));
  teacher_ = teacher;
  teacher_beta_ = beta;
  divergences_.clear();
}

View<const float> TrainingPass::read_hidden(const TreeRows& rows,
                                            std::span<const PassTarget> targets) {
  dropout_.reset();
  forward(rows);
  gather_targets(rows, targets);
  return target_hidden_.rows_view(0, target_rows_.size());
}

FixedStatistics TrainingPass::against_teacher(const TreeRows& rows,
                                              std::span<const PassTarget> targets,
                                              View<float> gradient,
                                              const tensor::FixedGradient* dw) {
  HONE_CHECK(score_targets_.empty() && hidden_targets_.empty() && entropy_targets_.empty());
  tensor::DistillationTask task;
  task.hidden = target_hidden_.rows_view(0, target_rows_.size());
  task.weights = &model_.head();
  task.teacher = {teacher_->read_hidden(rows, targets), &teacher_->model_.head()};
  task.beta = teacher_beta_;
  task.targets = targets_;
  task.groups = target_groups_;
  task.dw = dw;
  row_divergences_.resize(target_rows_.size());
  tensor::DistillationResult result{target_values_.data(), row_results_.data(),
                                    row_divergences_.data(), gradient};
  tensor::distillation_head(compute_, task, result, head_memory_);
  divergences_.assign(targets.size(), 0.0f);
  for (size_t i = 0; i < targets_.size(); ++i) {
    divergences_[target_places_[i]] = row_divergences_[targets_[i].row];
  }
  return result.statistics;
}

void TrainingPass::watch_targets(size_t count) {
  mean_logits_.clear();
  if (mean_head_row_.empty()) return;
  mean_logits_.assign(count, 0.0f);
  for (size_t i = 0; i < targets_.size(); ++i) {
    mean_logits_[target_places_[i]] =
        mean_logit(target_hidden_.view().row(targets_[i].row), mean_head_row_);
  }
}

void TrainingPass::score(const TreeRows& rows, std::span<const PassTarget> targets,
                         float* log_probs, tensor::HeadRowResult* row_results) {
  dropout_.reset();
  forward(rows);
  gather_targets(rows, targets);
  row_results_.resize(target_rows_.size());
  target_values_.resize(targets_.size());
  if (teacher_ != nullptr) {
    against_teacher(rows, targets, {}, nullptr);
  } else if (!target_rows_.empty()) {
    tensor::head_log_probs(compute_, target_hidden_.rows_view(0, target_rows_.size()),
                           model_.head(), targets_, target_values_.data(), row_results_.data());
  }
  place_values(rows, log_probs);
  place_hidden(targets.size(), false);
  watch_targets(targets.size());
  if (row_results == nullptr) return;
  std::fill_n(row_results, targets.size(), tensor::HeadRowResult{});
  place_rows(row_results);
}

void TrainingPass::top_words(
    const TreeRows& rows, std::span<const PassTarget> targets, size_t k,
    const std::function<void(size_t, std::span<const TokenLogProb>)>& tell) {
  constexpr size_t kRowsAtOnce = 64;
  HONE_CHECK(k > 0 && k <= model_.config.vocab_size);
  read_hidden(rows, targets);
  HONE_CHECK(score_targets_.empty() && entropy_targets_.empty());
  const size_t count = target_rows_.size();
  std::vector<std::vector<TokenLogProb>> words(count);
  Tensor logits(std::min(count, kRowsAtOnce), tile_stride(model_.config.vocab_size));
  std::vector<tensor::HeadRowResult> results(kRowsAtOnce);
  for (size_t first = 0; first < count; first += kRowsAtOnce) {
    const size_t some = std::min(kRowsAtOnce, count - first);
    const View<float> here = logits.rows_view(0, some).slice_cols(0, model_.config.vocab_size);
    const tensor::MatmulPart head{
        target_hidden_.rows_view(first, some), &model_.head(), here, nullptr, false, 1.0f};
    tensor::matmul(compute_, {&head, 1});
    tensor::log_softmax_rows(compute_, here, results.data());
    compute_.pool().run(some, [&](size_t r, size_t) {
      words[first + r] = most_likely({here.row(r), here.cols}, results[r].lse, k);
    });
  }
  for (size_t i = 0; i < targets_.size(); ++i) tell(i, words[targets_[i].row]);
}

void TrainingPass::place_rows(tensor::HeadRowResult* rows) const {
  for (size_t i = 0; i < targets_.size(); ++i) {
    rows[target_places_[i]] = row_results_[targets_[i].row];
  }
  for (const ScoreTarget& target : entropy_targets_) {
    rows[target.place] = row_results_[target.row];
  }
}

void TrainingPass::take_coefficients() {
  for (size_t i = 0; i < targets_.size(); ++i) {
    targets_[i].coefficient = coefficients_[target_places_[i]];
  }
  by_entropy_.assign(entropy_targets_.empty() ? 0 : target_rows_.size(), 0.0f);
  for (const ScoreTarget& target : entropy_targets_) {
    by_entropy_[target.row] += coefficients_[target.place];
  }
}

FixedStatistics TrainingPass::backward_head(View<float> gradient, const tensor::FixedGradient* dw) {
  const View<const float> hidden = target_hidden_.rows_view(0, target_rows_.size());
  if (!by_entropy_.empty()) {
    return tensor::head_backward_with_entropy(compute_, hidden, model_.head(), targets_,
                                              row_results_, by_entropy_, gradient, dw,
                                              target_groups_, head_memory_);
  }
  target_lse_.resize(row_results_.size());
  for (size_t i = 0; i < row_results_.size(); ++i) target_lse_[i] = row_results_[i].lse;
  return tensor::head_backward(compute_, hidden, model_.head(), targets_, target_lse_.data(),
                               gradient, dw, target_groups_, head_memory_);
}

void TrainingPass::place_values(const TreeRows& rows, float* values) {
  for (size_t i = 0; i < targets_.size(); ++i) values[target_places_[i]] = target_values_[i];
  for (const ScoreTarget& target : entropy_targets_) {
    values[target.place] = row_results_[target.row].entropy;
  }
  for (const ScoreTarget& target : hidden_targets_) values[target.place] = 0;
  if (score_targets_.empty()) return;
  const PanelMatrix* head = score_head(model_, adapter_);
  HONE_CHECK(head != nullptr);
  const View<float> scores = scores_.rows_view(0, rows.size());
  score_rows_of(compute_, *head, final_hidden_.rows_view(0, rows.size()), scores);
  for (const ScoreTarget& target : score_targets_) {
    values[target.place] = *scores.row(target.row);
  }
}

void TrainingPass::place_hidden(size_t targets, bool gradient) {
  const size_t hidden = model_.config.hidden_size;
  hidden_states_.clear();
  hidden_slopes_.assign(gradient ? hidden_targets_.size() * hidden : 0, 0.0f);
  if (hidden_targets_.empty()) return;
  hidden_states_.resize(targets);
  for (size_t i = 0; i < hidden_targets_.size(); ++i) {
    HiddenState& state = hidden_states_[hidden_targets_[i].place];
    state.value = {final_hidden_.view().row(hidden_targets_[i].row), hidden};
    if (gradient) state.slope = std::span(hidden_slopes_).subspan(i * hidden, hidden);
  }
}

FixedStatistics TrainingPass::head_and_loss(const TreeRows& rows,
                                            std::span<const PassTarget> targets,
                                            const PassLoss& loss, Trainable& trainable,
                                            std::span<const float> known) {
  forward(rows);
  gather_targets(rows, targets);
  const size_t count = target_rows_.size();
  const View<const float> hidden = target_hidden_.rows_view(0, count);
  const View<float> gradient = target_gradient_.rows_view(0, count);
  Parameter* head =
      trainable.find(model_.config.tie_word_embeddings ? trainable.embedding : trainable.lm_head);
  const tensor::FixedGradient head_target =
      head == nullptr ? tensor::FixedGradient{} : head->target();
  const tensor::FixedGradient* dw = head == nullptr ? nullptr : &head_target;
  row_results_.resize(count);
  target_values_.resize(targets_.size());
  log_probs_.resize(targets.size());
  coefficients_.assign(targets.size(), 0.0f);

  FixedStatistics statistics;
  if (!known.empty()) {
    HONE_CHECK(options_.known_coefficients && known.size() == targets.size() &&
               entropy_targets_.empty());
    std::copy(known.begin(), known.end(), coefficients_.begin());
  }
  take_coefficients();
  if (teacher_ != nullptr) {
    HONE_CHECK(!known.empty() || targets.empty());
    statistics = against_teacher(rows, targets, gradient, dw);
  } else if (target_rows_.empty()) {
    // Scores alone: the language head has nothing to do.
  } else if (known.empty()) {
    tensor::head_log_probs(compute_, hidden, model_.head(), targets_, target_values_.data(),
                           row_results_.data());
  } else {
    statistics =
        tensor::head_at_once(compute_, hidden, model_.head(), targets_, target_values_.data(),
                             row_results_.data(), gradient, dw, target_groups_, head_memory_);
  }
  place_values(rows, log_probs_.data());
  place_hidden(targets.size(), true);
  watch_targets(targets.size());
  std::vector<tensor::HeadRowResult> per_target(targets.size());
  place_rows(per_target.data());
  loss({log_probs_, per_target, mean_logits_, divergences_, hidden_states_}, coefficients_);
  if (!known.empty() || target_rows_.empty()) return statistics;

  take_coefficients();
  return backward_head(gradient, dw);
}

FixedStatistics TrainingPass::run(const TreeRows& rows, std::span<const PassTarget> targets,
                                  const PassLoss& loss, Trainable& trainable,
                                  const LoraDropout* dropout, std::span<const float> known) {
  const size_t m = rows.size(), hidden = model_.config.hidden_size;
  HONE_CHECK(adapter_ == nullptr || !adapter_->use_dora || options_.dora);
  dropout_.reset();
  if (adapter_ != nullptr && dropout != nullptr && dropout->p > 0) {
    HONE_CHECK(options_.lora_dropout);
    dropout_ = std::make_unique<DropoutRows>(*dropout, rows);
  }
  FixedStatistics statistics = head_and_loss(rows, targets, loss, trainable, known);
  // Back to all rows, then through the final norm.
  const View<float> dhidden = dnorm_.rows_view(0, m).slice_cols(0, hidden);
  const View<float> dx = dx_.rows_view(0, m).slice_cols(0, hidden);
  for (size_t r = 0; r < m; ++r) std::memset(dhidden.row(r), 0, hidden * sizeof(float));
  for (size_t i = 0; i < target_rows_.size(); ++i) {
    std::memcpy(dhidden.row(target_rows_[i]), target_gradient_.view().row(i),
                hidden * sizeof(float));
    scale_row(dhidden.row(target_rows_[i]), hidden, head_scale_);
  }
  if (!score_targets_.empty()) backward_scores(rows, dhidden, trainable, statistics);
  for (size_t i = 0; i < hidden_targets_.size(); ++i) {
    float* row = dhidden.row(hidden_targets_[i].row);
    for (size_t k = 0; k < hidden; ++k) row[k] += hidden_slopes_[i * hidden + k];
  }
  const View<const float> last = x_in(model_.layers.size(), m);
  const float* inverse_rms = inverse_rms_.view().row(2 * model_.layers.size());
  tensor::rms_norm_backward(compute_, last, model_.final_norm.data(), inverse_rms, dhidden, dx,
                            false);
  if (Parameter* p = trainable.find(trainable.final_norm)) {
    merge_statistics(statistics,
                     tensor::rms_norm_backward_weight(compute_, last, inverse_rms, dhidden,
                                                      rows.groups(), p->target()));
  }
  for (size_t layer = model_.layers.size(); layer-- > 0;) {
    backward_layer(rows, layer, trainable, statistics);
  }
  merge_statistics(statistics, embedding_gradients(compute_, model_, dx, rows.tokens(), trainable));
  dropout_.reset();
  return statistics;
}

// Rows without a score target add zero, which changes no bit.
void TrainingPass::backward_scores(const TreeRows& rows, View<float> dhidden, Trainable& trainable,
                                   FixedStatistics& statistics) {
  const PanelMatrix* head = score_head(model_, adapter_);
  const View<float> dscores = dscores_.rows_view(0, rows.size());
  for (size_t r = 0; r < rows.size(); ++r) *dscores.row(r) = 0;
  for (const ScoreTarget& target : score_targets_) {
    *dscores.row(target.row) += coefficients_[target.place];
  }
  if (Parameter* p = trainable.find(trainable.score)) {
    merge_statistics(statistics, tensor::matmul_backward_weight(
                                     compute_, dscores, final_hidden_.rows_view(0, rows.size()),
                                     rows.groups(), p->target()));
  }
  const tensor::MatmulInputTerm term = {dscores, head, 1.0f};
  tensor::matmul_backward_input(compute_, {&term, 1}, dhidden, true);
}

void TrainingPass::backward_layer(const TreeRows& rows, size_t index, Trainable& trainable,
                                  FixedStatistics& statistics) {
  const size_t m = rows.size();
  const Layer& layer = model_.layers[index];
  const LayerConfig& config = model_.config.layers[index];
  const LayerParameters& parameters = trainable.layers[index];
  const LoraLayer* lora = adapter_ == nullptr ? nullptr : &adapter_->layers[index];
  const LayerActivations a = layer_views(index, m);
  const auto groups = rows.groups();
  const float eps = model_.config.rms_norm_eps;
  const size_t q_cols = config.head_count * config.head_dim;
  const size_t kv_cols = config.kv_head_count * config.head_dim;
  const size_t f = config.intermediate_size;
  kv_.build(rows, config);
  const bool kept = index >= first_kept();
  if (!kept) {
    run_layer(rows, index);
    ++layers_run_again_;
  }

  const size_t hidden = model_.config.hidden_size;
  const View<float> dx = dx_.rows_view(0, m).slice_cols(0, hidden);
  const View<float> dnorm = dnorm_.rows_view(0, m).slice_cols(0, hidden);
  const View<float> dlora = lora == nullptr ? View<float>() : dlora_.rows_view(0, m);
  const View<float> dora = options_.dora ? dora_.rows_view(0, m) : View<float>();
  const auto norm_backward = [&](View<const float> x, const std::vector<float>& weight,
                                 const float* inverse_rms, int32_t parameter) {
    tensor::rms_norm_backward(compute_, x, weight.data(), inverse_rms, dnorm, dx, true);
    if (Parameter* p = trainable.find(parameter)) {
      merge_statistics(statistics, tensor::rms_norm_backward_weight(compute_, x, inverse_rms, dnorm,
                                                                    groups, p->target()));
    }
  };

  // MLP: dx is the gradient of x_out and, through the residual, of x_mid.
  const View<float> dactivation = dactivation_.rows_view(0, m).slice_cols(0, f);
  const View<float> dgate_up = dgate_up_.rows_view(0, m).slice_cols(0, 2 * f);
  tensor::swiglu(compute_, a.gate_up, a.activation);
  const LinearGradientCall down[] = {{LinearKind::kDown, a.activation, dx}};
  linear_backward(compute_, layer, lora, parameters, trainable, down, groups, dactivation, false,
                  dlora, statistics, a.dropout, dora);
  tensor::swiglu_backward(compute_, a.gate_up, dactivation, dgate_up);
  tensor::rms_norm(compute_, a.x_mid, layer.mlp_norm.data(), eps, a.norm, nullptr);
  const LinearGradientCall gate_up[] = {{LinearKind::kGate, a.norm, dgate_up.slice_cols(0, f)},
                                        {LinearKind::kUp, a.norm, dgate_up.slice_cols(f, f)}};
  linear_backward(compute_, layer, lora, parameters, trainable, gate_up, groups, dnorm, false,
                  dlora, statistics, a.dropout, dora);
  norm_backward(a.x_mid, layer.mlp_norm, a.inverse_rms_mlp, parameters.mlp_norm);

  // Attention: dx is now the gradient of x_mid and, through the residual, of x_in.
  const View<float> dattention = dattention_.rows_view(0, m).slice_cols(0, q_cols);
  const LinearGradientCall out[] = {{LinearKind::kO, a.attention, dx}};
  linear_backward(compute_, layer, lora, parameters, trainable, out, groups, dattention, false,
                  dlora, statistics, a.dropout, dora);
  const View<float> dqkv = dqkv_.rows_view(0, m).slice_cols(0, q_cols + 2 * kv_cols);
  const View<float> dq = dqkv.slice_cols(0, q_cols);
  const View<float> dk = dqkv.slice_cols(q_cols, kv_cols);
  const View<float> dv = dqkv.slice_cols(q_cols + kv_cols, kv_cols);
  const tensor::AttentionShape shape = attention_shape(config);
  if (kept) {
    tensor::store_kv(compute_, shape, a.qkv.slice_cols(q_cols, kv_cols),
                     a.qkv.slice_cols(q_cols + kv_cols, kv_cols), kv_.stores());
  }
  TreeKv& gradient = kv_gradient_;
  gradient.build(rows, config);
  gradient.clear();
  tensor::attention_backward(compute_, shape, a.qkv.slice_cols(0, q_cols), a.attention, a.lse,
                             dattention, kv_.runs(), gradient.own_tables(), dq);
  tensor::load_kv_grad(compute_, shape, gradient.own(), gradient.own_tables(), dk, dv);
  // What the copies of an ancestor's tail collected belongs to the ancestor's rows.
  const View<float> dk_copy = dkv_copy_.rows_view(0, m).slice_cols(0, kv_cols);
  const View<float> dv_copy = dkv_copy_.rows_view(0, m).slice_cols(kv_cols, kv_cols);
  for (size_t i = 0; i < gradient.copies().size(); ++i) {
    const tensor::AttentionRun& copy = gradient.copies()[i];
    tensor::load_kv_grad(compute_, shape, {&copy, 1}, gradient.copy_tables().subspan(i, 1), dk_copy,
                         dv_copy);
    tensor::add_rows(compute_, dk.slice_rows(copy.row_begin, copy.row_count),
                     dk_copy.slice_rows(copy.row_begin, copy.row_count));
    tensor::add_rows(compute_, dv.slice_rows(copy.row_begin, copy.row_count),
                     dv_copy.slice_rows(copy.row_begin, copy.row_count));
  }
  if (config.rope) {
    tensor::rope_backward(compute_, dq, config.head_count, config.head_dim, rows.positions().data(),
                          model_.rope);
    tensor::rope_backward(compute_, dk, config.kv_head_count, config.head_dim,
                          rows.positions().data(), model_.rope);
  }
  if (config.qk_norm) {
    const View<const float> q_raw = a.qkv_raw.slice_cols(0, q_cols);
    const View<const float> k_raw = a.qkv_raw.slice_cols(q_cols, kv_cols);
    const auto heads_backward = [&](View<const float> raw, size_t heads,
                                    const std::vector<float>& weight, const float* inverse_rms,
                                    View<float> d, int32_t parameter) {
      if (Parameter* p = trainable.find(parameter)) {
        merge_statistics(statistics, tensor::rms_norm_heads_backward_weight(
                                         compute_, raw, heads, config.head_dim, inverse_rms, d,
                                         groups, p->target()));
      }
      tensor::rms_norm_heads_backward(compute_, raw, heads, config.head_dim, weight.data(),
                                      inverse_rms, d, d, false);
    };
    heads_backward(q_raw, config.head_count, layer.q_norm, a.inverse_rms_q, dq, parameters.q_norm);
    heads_backward(k_raw, config.kv_head_count, layer.k_norm, a.inverse_rms_k, dk,
                   parameters.k_norm);
  }
  // The first layer's input gradient is wanted only where embeddings learn.
  const bool wanted =
      index > 0 || trainable.embedding != kFrozen || trainable.predictors != kFrozen;
  tensor::rms_norm(compute_, a.x_in, layer.attention_norm.data(), eps, a.norm, nullptr);
  const LinearGradientCall qkv[] = {
      {LinearKind::kQ, a.norm, dq}, {LinearKind::kK, a.norm, dk}, {LinearKind::kV, a.norm, dv}};
  linear_backward(compute_, layer, lora, parameters, trainable, qkv, groups,
                  wanted ? dnorm : View<float>(), false, dlora, statistics, a.dropout, dora);
  if (wanted) {
    norm_backward(a.x_in, layer.attention_norm, a.inverse_rms_attention, parameters.attention_norm);
  }
}

}  // namespace hone::llm
