#pragma once
// One optimiser step over a batch of trees: cut into passes, forward, loss, backward, update.
//
// How the batch is cut into passes changes no bit: passes take whole weight-gradient groups, and
// groups depend on the data's order alone.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "llm/training_pass.h"
#include "llm/tree_rows.h"
#include "train/optimizer.h"

namespace hone::train {

// A token of a tree whose log-probability the loss wants.
struct TreeTarget {
  uint32_t node = 0;
  uint32_t position = 0;  // in the node's tokens
};

struct TreeExample {
  llm::TokenTree tree;
  std::vector<TreeTarget> targets;
};

// Targets of one tree after the forward pass, in the order of TreeExample::targets.
struct TreeResult {
  std::span<const float> log_probs;
  std::span<const tensor::HeadRowResult> rows;
};
// Writes d loss / d log_prob for each target of tree `index` of the batch; not yet normalised.
// Called for every tree in data order; again from the start when a step is repeated.
using TreeLoss =
    std::function<void(size_t index, const TreeResult& result, std::span<float> coefficients)>;

// Rows of the largest pass that the batch needs: at least the largest tree.
size_t largest_tree(std::span<const TreeExample> examples);

// Adds the batch's gradients to the trainable parameters; repeats with wider numbers when a sum
// overflowed. Returns the rows that were run.
size_t accumulate_gradients(llm::TrainingPass& pass, Optimizer& optimizer,
                            std::span<const TreeExample> batch, const TreeLoss& loss);

// Log-probabilities only: calls `result` for every tree in order, with coefficients ignored.
void score_trees(llm::TrainingPass& pass, std::span<const TreeExample> batch,
                 const std::function<void(size_t index, const TreeResult& result)>& result);

}  // namespace hone::train
