#pragma once
// The rows of a training pass: whole trees of token sequences, laid out depth first.
//
// A prompt with its completions of a step is one tree (decisions 1.6): the prompt's rows are
// computed once, every completion attends to them. A plain sequence is a tree of one node.
// Weight gradients are summed over groups of at most 256 rows that depend on the data's order
// alone (decisions 1.4): consecutive whole trees filled up to 256 rows; a longer tree is sliced
// every 256 rows from its own start. A pass takes whole trees and whole groups.

#include <cstdint>
#include <span>
#include <vector>

#include "llm/model_config.h"
#include "tensor/attention.h"
#include "tensor/matmul.h"
#include "tensor/memory.h"

namespace hone::llm {

struct TokenTree {
  struct Node {
    int32_t parent = -1;  // index of an earlier node of this tree; -1 for the root
    std::vector<int32_t> tokens;
  };
  std::vector<Node> nodes;

  size_t row_count() const;
  // Tokens on the longest path from the root: must fit the model's context.
  size_t depth() const;
};

// Tree of one sequence.
TokenTree make_sequence(std::vector<int32_t> tokens);
// Root with one child per completion.
TokenTree make_group(std::vector<int32_t> prompt, std::vector<std::vector<int32_t>> completions);

inline constexpr size_t kGroupRows = 256;

// How many consecutive trees, starting at `first`, share a weight-gradient group: at least one.
size_t trees_in_group(std::span<const TokenTree> trees, size_t first);

class TreeRows {
 public:
  struct Node {
    int32_t parent = -1;  // index into nodes() of the pass
    size_t tree = 0, node_of_tree = 0;
    size_t row_begin = 0, row_count = 0;
    size_t kv_begin = 0;  // equals the rope position of its first row
  };

  explicit TreeRows(std::span<const TokenTree> trees);

  size_t size() const { return tokens_.size(); }
  std::span<const int32_t> tokens() const { return tokens_; }
  std::span<const int32_t> positions() const { return positions_; }
  std::span<const Node> nodes() const { return nodes_; }
  std::span<const tensor::TokenGroup> groups() const { return groups_; }
  // The pass's node for a tree's node.
  const Node& node(size_t tree, size_t node_of_tree) const {
    return nodes_[first_node_[tree] + node_of_tree];
  }
  // Row whose hidden state predicts the first token of the node: the last row of its parent's
  // path that has tokens; -1 for a root, whose first token nothing predicts.
  int64_t row_before(const Node& node) const;

 private:
  std::vector<int32_t> tokens_, positions_;
  std::vector<Node> nodes_;
  std::vector<size_t> first_node_;
  std::vector<tensor::TokenGroup> groups_;
};

// Keys and values (or their gradients) of one layer for all nodes of a pass, in attention's block
// layout. A child shares its parent's full blocks and holds a copy of the block that both touch.
// One object serves layer after layer and pass after pass: its memory only grows. What an earlier
// use left behind is finite, which is all that attention asks of positions that no row sees.
class TreeKv {
 public:
  TreeKv() = default;
  TreeKv(const TreeKv&) = delete;  // the runs point into it
  TreeKv& operator=(const TreeKv&) = delete;

  // Lays out the blocks for these rows.
  void build(const TreeRows& rows, const LayerConfig& config);

  // What is written: every node's own rows, then the copies of its ancestors' tails.
  std::span<const tensor::AttentionRun> own() const { return own_; }
  std::span<const tensor::AttentionRun> copies() const { return copies_; }
  std::span<const tensor::AttentionRun> stores() const { return all_; }
  std::span<const tensor::AttentionRun> runs() const { return own_; }
  // One table of writable blocks a node, parallel to runs() and to copies().
  std::span<float* const* const> own_tables() const { return own_tables_; }
  std::span<float* const* const> copy_tables() const { return copy_tables_; }
  void clear();  // zeroes every block

 private:
  tensor::Buffer memory_;
  size_t used_bytes_ = 0;
  std::vector<std::vector<float*>> blocks_;  // a table per node
  std::vector<tensor::AttentionRun> own_, copies_, all_;
  std::vector<float*const*> own_tables_, copy_tables_;
};

}  // namespace hone::llm
