#pragma once
// The gradients of one optimiser step over a batch of trees: passes of forward, loss, backward.

#include <functional>
#include <span>

#include "llm/tree_scoring.h"
#include "train/optimizer.h"

namespace hone::train {

// Writes d loss / d log_prob for each target of tree `index` of the batch; not yet normalised.
// Called for every tree in data order; again from the start when a step is repeated.
using TreeLoss =
    std::function<void(size_t index, const llm::TreeResult& result, std::span<float> coefficients)>;

// Adds the batch's gradients to the trainable parameters; repeats with wider numbers when a sum
// overflowed (decisions 1.5). Returns the rows that were run. Throws internal that names the step
// when a log-probability is not a number: no width would help.
size_t accumulate_gradients(llm::TrainingPass& pass, Optimizer& optimizer,
                            std::span<const llm::TreeExample> batch, const TreeLoss& loss,
                            size_t step);

}  // namespace hone::train
