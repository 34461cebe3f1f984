#pragma once
// Forward and backward of one training pass: whole trees of rows, gradients in fixed point.
//
// The forward calls layer_forward, the same functions as inference, so its log-probabilities are
// inference's to the bit. The backward is derived by hand; every sum has a fixed order and weight
// gradients are integers, so cutting the work into passes changes no bit of the gradient.
//
// Saved per row and layer (f32): x_in, q k v, attention, lse, x_mid, gate and up; norms,
// activation and adapter products are computed again. With `recompute` only x_in is saved and the
// layer is run again before its backward: a third more forward work, a tenth of the memory.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "llm/forward.h"
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
};

// A token whose log-probability is wanted: token `token` predicted from row `row`.
using PassTarget = tensor::HeadTarget;

// What the loss sees of a pass, and what it answers.
struct PassResult {
  std::span<const float> log_probs;             // one per target
  std::span<const tensor::HeadRowResult> rows;  // lse, argmax, entropy of each target's row
  std::span<const float> mean_logits;           // of each target's row; empty when not watched
};
// Fills coefficients[i] = d loss / d log_prob[i].
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

  // From here on results carry the mean of each target row's logits (llm/mean_logits.h); the row is
  // mean_head_row of the head as it stands. Empty: they do not.
  void watch_mean_logits(std::vector<double> mean_head_row);
  // Of the last call's targets.
  std::span<const float> mean_logits() const { return mean_logits_; }

  // Log-probabilities only: reference models, evaluation during training.
  void score(const TreeRows& rows, std::span<const PassTarget> targets, float* log_probs,
             tensor::HeadRowResult* row_results);

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
  // Forward, head and loss; into target_gradient_ the gradient of the targets' rows.
  tensor::FixedStatistics head_and_loss(const TreeRows& rows, std::span<const PassTarget> targets,
                                        const PassLoss& loss, Trainable& trainable,
                                        std::span<const float> known);
  // Fills mean_logits_ where they are watched.
  void watch_targets();
  void gather_targets(const TreeRows& rows, std::span<const PassTarget> targets);
  LayerActivations layer_views(size_t layer, size_t rows);
  void layer_again(const TreeRows& rows, size_t layer);
  void backward_layer(const TreeRows& rows, size_t layer, Trainable& trainable,
                      tensor::FixedStatistics& statistics);

  tensor::Compute& compute_;
  const Model& model_;
  const LoraAdapter* adapter_;
  size_t max_rows_;
  PassOptions options_;

  // Saved activations, max_rows_ rows a layer (one for all when recomputing), columns side by side.
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
  std::unique_ptr<const DropoutRows> dropout_;  // of the run at hand
  // The targets of the pass on compacted rows.
  std::vector<PassTarget> targets_;
  std::vector<uint32_t> target_rows_;
  std::vector<tensor::TokenGroup> target_groups_;
  std::vector<float> coefficients_, log_probs_, target_lse_, mean_logits_;
  std::vector<double> mean_head_row_;
  std::vector<tensor::HeadRowResult> row_results_;
  tensor::Buffer head_memory_;
};

}  // namespace hone::llm
