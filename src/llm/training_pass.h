#pragma once
// Forward and backward of one training pass: whole trees of rows, gradients in fixed point.
//
// The forward calls layer_forward, the same functions as inference, so its log-probabilities are
// inference's to the bit. The backward is derived by hand; every sum has a fixed order and weight
// gradients are integers, so cutting the work into passes changes no bit of the gradient.
//
// Saved per row and layer (f32): x_in, q k v, attention, lse, x_mid, gate and up; norms,
// activation and adapter products are computed again. With `recompute` that is saved of the last
// `kept_layers` only, of the others x_in, and these are run again before their backward: with one
// layer kept a third more forward work and a tenth of the memory. No bit depends on how many are.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "llm/forward.h"
#include "llm/top_words.h"
#include "llm/trainable.h"
#include "llm/tree_rows.h"
#include "tensor/fixed_point.h"
#include "tensor/log_softmax.h"

namespace hone::llm {

struct PassOptions {
  bool recompute = false;
  bool lora_dropout = false;  // some run will have it: memory for the dropped inputs
  // Some run will know its coefficients beforehand: memory to keep logits.
  bool known_coefficients = false;
  bool teacher = false;    // some run will stand beside one: memory for both models' logits
  bool dora = false;       // the adapter that run() trains has magnitudes (llm/dora.h)
  size_t kept_layers = 1;  // with recompute: 1 or more
};

// Layers of the model whose activations a pass keeps.
size_t kept_layers(const ModelConfig& config, const PassOptions& options);
// Bytes that one layer more takes in a pass of so many rows.
size_t kept_layer_bytes(const ModelConfig& config, size_t max_rows);

// A token whose log-probability is wanted: token `token` predicted from row `row`. With the token
// kScoreTarget it is the score head's value at that row (llm/score_head.h), which the model or the
// adapter must have. With kHiddenTarget it is the final norm's output at that row (its value among the
// log-probabilities is 0).
using PassTarget = tensor::HeadTarget;
inline constexpr int32_t kScoreTarget = -1;
inline constexpr int32_t kHiddenTarget = -2;
// With the token kEntropyTarget it is the entropy of the head's distribution at that row; not beside
// a teacher, nor with known coefficients.
inline constexpr int32_t kEntropyTarget = -3;

// Of a hidden target; both empty for another one.
struct HiddenState {
  std::span<const float> value;  // [hidden size]
  // d loss / d value, 0 at first: the loss adds to it. Empty where no gradient is wanted.
  std::span<float> slope;
};

// What the loss sees of a pass, and what it answers.
struct PassResult {
  std::span<const float> log_probs;             // one per target; a score target's is its score
  std::span<const tensor::HeadRowResult> rows;  // lse, argmax, entropy of each target's row
  std::span<const float> mean_logits;           // of each target's row; empty when not watched
  // Of each target's row, from the teacher; empty without one.
  std::span<const float> divergences = {};
  std::span<const HiddenState> hidden = {};  // one per target; empty when no target is hidden
};
// Fills coefficients[i] = d loss / d log_prob[i] (a score target's: d loss / d score).
using PassLoss = std::function<void(const PassResult& result, std::span<float> coefficients)>;

class TrainingPass {
 public:
  // Memory for passes of at most max_rows rows.
  TrainingPass(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
               size_t max_rows, const PassOptions& options);
  static size_t planned_bytes(const ModelConfig& config, size_t max_lora_rank, size_t max_rows,
                              const PassOptions& options);
  // Of these, what score() touches in passes of `rows` rows: memory is zeroed by the kernel and a
  // page that nobody writes is none.
  static size_t planned_score_bytes(const ModelConfig& config, size_t max_lora_rank, size_t rows,
                                    const PassOptions& options);

  size_t max_rows() const { return max_rows_; }
  // How many layers were run a second time since the pass was made.
  size_t layers_run_again() const { return layers_run_again_; }

  // From here on the rows of the targets are multiplied by it before the head: log-probabilities and
  // their gradients are those of the temperature 1 / scale. BatchRequest::head_scale is its twin.
  void set_head_scale(float scale) { head_scale_ = scale; }

  // From here on results carry the mean of each target row's logits (llm/mean_logits.h); the row is
  // mean_head_row of the head as it stands. Empty: they do not.
  void watch_mean_logits(std::vector<double> mean_head_row);
  // Of the last call's targets.
  std::span<const float> mean_logits() const { return mean_logits_; }

  // From here on every pass stands beside this teacher (null: beside none): results carry how far each
  // target's row is from the teacher's (tensor/distillation_head.h), and run differentiates that: its
  // coefficients, which must be known beforehand, are d loss / d divergence. The teacher is a pass of
  // its own, of at least as many rows, over a model of the same vocabulary; score targets are not for
  // it. It must outlive the passes.
  void learn_from(TrainingPass* teacher, float beta);
  // Of the last call's targets; empty without a teacher.
  std::span<const float> divergences() const { return divergences_; }
  // Of the last call's targets; empty when none was hidden.
  std::span<const HiddenState> hidden_states() const { return hidden_states_; }

  // Log-probabilities only: reference models, evaluation during training.
  void score(const TreeRows& rows, std::span<const PassTarget> targets, float* log_probs,
             tensor::HeadRowResult* row_results);

  // Of each target (tokens, no scores) what the model says at its place: the k most likely words, the
  // most likely first, ties by id. Called for the targets in order; the span holds until it returns.
  void top_words(
      const TreeRows& rows, std::span<const PassTarget> targets, size_t k,
      const std::function<void(size_t target, std::span<const TokenLogProb> words)>& tell);

  // Forward, loss, backward: gradients are added to `trainable`. overflow in the answer
  // means that some exponent was too large and the whole step must be done again (decisions 1.5).
  // dropout: null or p = 0 for none; else PassOptions::lora_dropout must be set.
  // known: the coefficients, one per target, when they do not depend on the log-probabilities. Then
  // the head is computed once, and loss only watches: it is given a copy of them. The same bits.
  tensor::FixedStatistics run(const TreeRows& rows, std::span<const PassTarget> targets,
                              const PassLoss& loss, Trainable& trainable,
                              const LoraDropout* dropout = nullptr,
                              std::span<const float> known = {});

 private:
  struct Saved;
  void forward(const TreeRows& rows);
  // What the head reads of the targets' rows, each row once, ascending; until the next call.
  tensor::View<const float> read_hidden(const TreeRows& rows, std::span<const PassTarget> targets);
  // Values of the targets (compacted) and of their rows; with a gradient wanted its statistics.
  tensor::FixedStatistics against_teacher(const TreeRows& rows, std::span<const PassTarget> targets,
                                          tensor::View<float> gradient,
                                          const tensor::FixedGradient* dw);
  // Forward, head and loss; into target_gradient_ the gradient of the targets' rows.
  tensor::FixedStatistics head_and_loss(const TreeRows& rows, std::span<const PassTarget> targets,
                                        const PassLoss& loss, Trainable& trainable,
                                        std::span<const float> known);
  // Fills mean_logits_ where they are watched.
  void watch_targets(size_t count);
  void gather_targets(const TreeRows& rows, std::span<const PassTarget> targets);
  // From the compacted targets to the places of all that are wanted, scores too; and back.
  void place_values(const TreeRows& rows, float* values);
  void place_rows(tensor::HeadRowResult* rows) const;
  // Fills hidden_states_; with slopes where a gradient is wanted.
  void place_hidden(size_t targets, bool gradient);
  void take_coefficients();
  // Of the targets' rows, into target_gradient_; the coefficients are taken.
  tensor::FixedStatistics backward_head(tensor::View<float> gradient,
                                        const tensor::FixedGradient* dw);
  void backward_scores(const TreeRows& rows, tensor::View<float> dhidden, Trainable& trainable,
                       tensor::FixedStatistics& statistics);
  LayerActivations layer_views(size_t layer, size_t rows);
  void run_layer(const TreeRows& rows, size_t layer);
  // Layers from this one on keep their activations; the ones before share the memory of it.
  size_t first_kept() const { return model_.layers.size() - kept_layers_; }
  void backward_layer(const TreeRows& rows, size_t layer, Trainable& trainable,
                      tensor::FixedStatistics& statistics);

  tensor::Compute& compute_;
  const Model& model_;
  const LoraAdapter* adapter_;
  size_t max_rows_;
  PassOptions options_;
  float head_scale_ = 1;

  size_t kept_layers_;
  size_t layers_run_again_ = 0;
  // Saved activations, max_rows_ rows of each kept layer, columns side by side. The first one's memory
  // serves the layers before it too: it is the last that the forward writes there, so it is kept.
  // All in one piece: large pages round every piece up.
  tensor::Tensor saved_;
  tensor::Tensor x_in_;  // max_rows_ rows a layer, and the last layer's output
  tensor::View<float> x_in(size_t layer, size_t rows) const {
    return x_in_.rows_view(layer * max_rows_, rows);
  }
  tensor::Tensor norm_, activation_, lora_, inverse_rms_, head_inverse_rms_, final_hidden_;
  tensor::Tensor target_hidden_, target_gradient_;
  tensor::Tensor dx_, dnorm_, dqkv_, dkv_copy_, dattention_, dgate_up_, dactivation_, dlora_;
  TreeKv kv_, kv_gradient_;  // of the layer at hand
  tensor::Tensor dropped_;
  tensor::Tensor dora_;  // [max_rows, the widest calls' outputs], with PassOptions::dora
  std::unique_ptr<const DropoutRows> dropout_;  // of the run at hand
  // The targets of the pass on compacted rows, and where each stands among all that are wanted.
  std::vector<PassTarget> targets_;
  std::vector<size_t> target_places_;
  // Those of the score head, on the pass's rows.
  struct ScoreTarget {
    size_t row, place;
  };
  std::vector<ScoreTarget> score_targets_;
  tensor::Tensor scores_, dscores_;  // [max_rows, 1], with a score head
  // Those of entropies, on compacted rows.
  std::vector<ScoreTarget> entropy_targets_;
  std::vector<float> by_entropy_;
  std::vector<ScoreTarget> hidden_targets_;
  std::vector<HiddenState> hidden_states_;
  std::vector<float> hidden_slopes_;  // [hidden targets, hidden size]
  std::vector<uint32_t> target_rows_;
  std::vector<tensor::TokenGroup> target_groups_;
  std::vector<float> coefficients_, log_probs_, target_values_, target_lse_, mean_logits_;
  std::vector<double> mean_head_row_;
  std::vector<tensor::HeadRowResult> row_results_;
  tensor::Buffer head_memory_;
  TrainingPass* teacher_ = nullptr;
  float teacher_beta_ = 0.5f;
  std::vector<float> row_divergences_, divergences_;
};

}  // namespace hone::llm
