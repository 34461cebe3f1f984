#pragma once
// The gradients of one optimiser step over a batch of trees: passes of forward, loss, backward.

#include <functional>
#include <span>

#include "llm/tree_scoring.h"
#include "train/optimizer.h"

namespace hone::train {

// Writes d loss / d log_prob for each target of tree `index` of the batch; not yet normalised.
// Called for every tree in data order; again from the start when a step is repeated. On several ranks
// each calls it for every tree, first for those that it runs itself, then for the others', whose
// coefficients nobody reads.
using TreeLoss =
    std::function<void(size_t index, const llm::TreeResult& result, std::span<float> coefficients)>;

// Writes the coefficients of tree `index` before anything of it is computed: of a loss whose slopes do
// not depend on the log-probabilities. The TreeLoss beside it then only watches.
using KnownCoefficients = std::function<void(size_t index, std::span<float> coefficients)>;

struct Accumulated {
  size_t rows = 0;  // that were run
  // Of the sums that were added (one a trained value and group of rows): the share that was not 0
  // and became 0 in fixed point (decisions 1.5).
  double flushed_to_zero = 0;
};

// Adds the batch's gradients to the trainable parameters; repeats with wider numbers when a sum
// overflowed (decisions 1.5). Throws internal that names the step when a log-probability is not a
// number: no width would help. With the config's lora_dropout the pass drops. known (the pass has
// PassOptions::known_coefficients): saves one of the head's three products, and changes no bit.
// The batch is dealt out over the optimiser's ranks; behind it every rank has the whole sum.
Accumulated accumulate_gradients(llm::TrainingPass& pass, Optimizer& optimizer,
                                 std::span<const llm::TreeExample> batch, const TreeLoss& loss,
                                 size_t step, const KnownCoefficients& known = {});

}  // namespace hone::train
