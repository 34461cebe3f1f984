#pragma once
// AdamW over a list of parameters whose gradients are in fixed point (decisions 1.4, 1.5).
//
// The gradient of an optimiser step is factor * integer * 2^-exponent / normaliser. Its norm is
// taken over all parameters in f64, in a fixed order; the clipping coefficient is
// min(1, max_grad_norm / (norm + 1e-6)); the update is torch.optim.AdamW's. After the update each
// parameter's exponent follows from its largest sum, and the sums are cleared.

#include <string>
#include <utility>
#include <vector>

#include "llm/trainable.h"
#include "tensor/compute.h"
#include "train/communicator.h"
#include "train/config.h"

namespace hone::train {

struct OptimizerState {
  float *m = nullptr, *v = nullptr;  // parallel to the parameter's values
};

class Optimizer {
 public:
  // ranks: who adds to the gradients; each makes the same update.
  Optimizer(tensor::Compute& compute, llm::Trainable& trainable, const TrainConfig& config,
            Communicator& ranks = one_rank());

  struct Applied {
    double grad_norm = 0;                                 // before clipping
    std::vector<std::pair<std::string, double>> by_name;  // with log_gradient_norms
  };
  // One update at the given rate; `step` counts from 1. Throws internal when the norm is not
  // finite, before any value changes.
  Applied apply(double normaliser, double learning_rate, size_t step);

  // The gradients of all ranks, added; every rank calls it.
  void sum_over_ranks();

  // Whoever writes the parameters' values otherwise says so here.
  void values_changed() {
    if (trainable_.refresh) trainable_.refresh(compute_);
  }

  // After an overflow: forget the sums and make room (decisions 1.5).
  void widen();

  std::vector<OptimizerState>& state() { return state_; }
  const TrainConfig& config() const { return config_; }
  Communicator& ranks() { return ranks_; }
  llm::Trainable& trainable() { return trainable_; }
  const llm::Trainable& trainable() const { return trainable_; }

 private:
  tensor::Compute& compute_;
  llm::Trainable& trainable_;
  const TrainConfig& config_;
  Communicator& ranks_;
  std::vector<OptimizerState> state_;
  tensor::Buffer memory_;  // of all states
};

}  // namespace hone::train
