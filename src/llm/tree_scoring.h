#pragma once
// Trees with the tokens whose log-probability is wanted, and how a batch of them becomes passes.
//
// How a batch is cut into passes changes no bit: passes take whole weight-gradient groups, and
// groups depend on the data's order alone (llm/tree_rows.h).

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "llm/training_pass.h"
#include "llm/tree_rows.h"

namespace hone::llm {

// What is wanted of a tree: the log-probability of a token, the entropy of the distribution that it
// was drawn from, the score head's value behind it, or the final norm's output there. The latter two
// are read from the token's own row, the others from the one before.
struct TreeTarget {
  uint32_t node = 0;
  uint32_t position = 0;  // in the node's tokens
  bool score = false;
  bool hidden = false;
  bool entropy = false;
  int32_t word = -1;  // not -1: this word's log-probability there, in the place of the token's
};

struct TreeExample {
  TokenTree tree;
  std::vector<TreeTarget> targets;

  int32_t token(const TreeTarget& target) const {
    if (target.score) return kScoreTarget;
    if (target.hidden) return kHiddenTarget;
    if (target.entropy) return kEntropyTarget;
    if (target.word >= 0) return target.word;
    return tree.nodes[target.node].tokens[target.position];
  }
};

// Targets of one tree after the forward pass, in the order of TreeExample::targets.
struct TreeResult {
  std::span<const float>
      log_probs;  // a score target's value is its score, an entropy target's that
  std::span<const tensor::HeadRowResult> rows;
  std::span<const float> mean_logits;        // empty when the pass does not watch them
  std::span<const float> divergences = {};   // from the pass's teacher; empty without one
  std::span<const HiddenState> hidden = {};  // empty when no target of the pass is hidden
};

// What a pass over any batch of these trees must hold at least: the largest tree, and a whole
// weight-gradient group of small ones.
size_t least_pass_rows(std::span<const TreeExample> examples);

// Consecutive trees of a batch that run together.
struct PlannedPass {
  size_t first = 0, count = 0;
  TreeRows rows;
  std::vector<PassTarget> targets;   // tree after tree
  std::vector<size_t> target_begin;  // per tree, and the end

  TreeResult result_of(size_t tree, const PassResult& result) const;
};
// Calls `run` for each pass in order; a false answer ends the batch.
void for_each_pass(std::span<const TreeExample> batch, size_t max_rows,
                   const std::function<bool(const PlannedPass&)>& run);

// Log-probabilities only: calls `result` for every tree, in order.
void score_trees(TrainingPass& pass, std::span<const TreeExample> batch,
                 const std::function<void(size_t index, const TreeResult& result)>& result);

}  // namespace hone::llm
