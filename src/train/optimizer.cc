#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "tensor/adamw.h"
#include "tensor/fixed_point.h"

namespace hone::train {

using llm::Parameter;

Optimizer::Optimizer(tensor::Compute& compute, llm::Trainable& trainable, const TrainConfig& config,
                     Communicator& ranks)
    : compute_(compute), trainable_(trainable), config_(config), ranks_(ranks) {
  const auto padded = [](size_t values) { return (values + 15) / 16 * 16; };
  size_t values = 0;
  for (const Parameter& p : trainable_.parameters) values += 2 * padded(p.size);
  memory_ = tensor::Buffer(values * sizeof(float));
  float* next = memory_.as<float>();
  for (Parameter& p : trainable_.parameters) {
    p.exponent = tensor::kFixedFirstExponent;
    state_.push_back({next, next + padded(p.size)});
    next += 2 * padded(p.size);
  }
}

Optimizer::Applied Optimizer::apply(double normaliser, double learning_rate, size_t step) {
  Applied applied;
  std::vector<tensor::AdamwTensor> tensors;
  for (size_t i = 0; i < trainable_.parameters.size(); ++i) {
    const Parameter& p = trainable_.parameters[i];
    tensors.push_back({p.target(), p.size, p.values, state_[i].m, state_[i].v, 1.0f});
  }
  const std::vector<tensor::GradientNorm> norms = tensor::gradient_norms(compute_, tensors);
  double total = 0;
  for (size_t i = 0; i < norms.size(); ++i) {
    const Parameter& p = trainable_.parameters[i];
    const double scale = static_cast<double>(p.factor) / normaliser;
    const double squares = norms[i].sum_of_squares * scale * scale;
    total += squares;
    if (config_.log_gradient_norms) applied.by_name.emplace_back(p.name, std::sqrt(squares));
  }
  applied.grad_norm = std::sqrt(total);
  if (!std::isfinite(applied.grad_norm)) {
    throw Error(ErrorCode::kInternal,
                "the gradient of step " + std::to_string(step) +
                    " is not a number: lower --learning-rate or look at the rows of that step");
  }
  const auto clip =
      static_cast<double>(tensor::clip_coefficient(applied.grad_norm, config_.max_grad_norm));
  tensor::AdamwSettings settings;
  settings.learning_rate = learning_rate;
  settings.beta1 = config_.adam_beta1;
  settings.beta2 = config_.adam_beta2;
  settings.epsilon = config_.adam_epsilon;
  settings.weight_decay = config_.weight_decay;
  settings.step = static_cast<int64_t>(step);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const double factor = static_cast<double>(trainable_.parameters[i].factor);
    tensors[i].clip = static_cast<float>(factor / normaliser * clip);
  }
  tensor::adamw(compute_, settings, tensors);
  for (size_t i = 0; i < tensors.size(); ++i) {
    Parameter& p = trainable_.parameters[i];
    p.exponent = tensor::next_fixed_exponent(norms[i].largest, p.exponent);
  }
  values_changed();
  return applied;
}

void Optimizer::sum_over_ranks() {
  // Padding between parameters is zero everywhere.
  ranks_.sum({trainable_.memory.as<int64_t>(), trainable_.memory.bytes() / sizeof(int64_t)});
}

void Optimizer::widen() {
  trainable_.clear_gradients();
  for (Parameter& p : trainable_.parameters) {
    p.exponent = tensor::fixed_exponent_after_overflow(p.exponent);
  }
}

}  // namespace hone::train
