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
  std::vector<tensor::GradientNorm> norms;
  double total = 0;
  for (const Parameter& p : trainable_.parameters) {
    norms.push_back(tensor::gradient_norm(compute_, p.target(), p.size));
    const double scale = static_cast<double>(p.factor) / normaliser;
    const double squares = norms.back().sum_of_squares * scale * scale;
    total += squares;
    if (config_.log_gradient_norms) applied.by_name.emplace_back(p.name, std::sqrt(squares));
  }
  applied.grad_norm = std::sqrt(total);
  if (!std::isfinite(applied.grad_norm)) {
    throw Error(ErrorCode::kInternal,
                "the gradient of step " + std::to_string(step) +
                    " is not a number: lower --learning-rate or look at the rows of that step");
  }
  const float clip = tensor::clip_coefficient(applied.grad_norm, config_.max_grad_norm);
  for (size_t i = 0; i < trainable_.parameters.size(); ++i) {
    Parameter& p = trainable_.parameters[i];
    tensor::AdamwSettings settings;
    settings.learning_rate = learning_rate;
    settings.beta1 = config_.adam_beta1;
    settings.beta2 = config_.adam_beta2;
    settings.epsilon = config_.adam_epsilon;
    settings.weight_decay = config_.weight_decay;
    settings.step = static_cast<int64_t>(step);
    settings.clip =
        static_cast<float>(static_cast<double>(p.factor) / normaliser * static_cast<double>(clip));
    tensor::adamw(compute_, settings, p.target(), p.size, p.values, state_[i].m, state_[i].v);
    p.exponent = tensor::next_fixed_exponent(norms[i].largest, p.exponent);
  }
  trainable_.clear_gradients();
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
