#include "llm/tree_rows.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace hone::llm {

namespace {
constexpr size_t kBlockPositions = 64;  // tensor/attention.h
}  // namespace

size_t TokenTree::row_count() const {
  size_t count = 0;
  for (const Node& node : nodes) count += node.tokens.size();
  return count;
}

size_t TokenTree::depth() const {
  size_t deepest = 0;
  std::vector<size_t> end(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    const size_t before = nodes[i].parent < 0 ? 0 : end[static_cast<size_t>(nodes[i].parent)];
    end[i] = before + nodes[i].tokens.size();
    deepest = std::max(deepest, end[i]);
  }
  return deepest;
}

TokenTree make_sequence(std::vector<int32_t> tokens) {
  TokenTree tree;
  tree.nodes.push_back({-1, std::move(tokens)});
  return tree;
}

TokenTree make_group(std::vector<int32_t> prompt, std::vector<std::vector<int32_t>> completions) {
  TokenTree tree;
  tree.nodes.push_back({-1, std::move(prompt)});
  for (auto& completion : completions) tree.nodes.push_back({0, std::move(completion)});
  return tree;
}

size_t trees_in_group(std::span<const TokenTree> trees, size_t first) {
  size_t rows = trees[first].row_count();
  size_t count = 1;
  while (first + count < trees.size() && rows + trees[first + count].row_count() <= kGroupRows) {
    rows += trees[first + count].row_count();
    ++count;
  }
  return count;
}

TreeRows::TreeRows(std::span<const TokenTree> trees) {
  for (size_t t = 0; t < trees.size(); ++t) {
    const size_t base = nodes_.size();
    first_node_.push_back(base);
    for (size_t n = 0; n < trees[t].nodes.size(); ++n) {
      const TokenTree::Node& from = trees[t].nodes[n];
      HONE_CHECK(from.parent < static_cast<int32_t>(n));
      Node node;
      node.tree = t;
      node.node_of_tree = n;
      node.row_begin = tokens_.size();
      node.row_count = from.tokens.size();
      if (from.parent >= 0) {
        node.parent = static_cast<int32_t>(base) + from.parent;
        const Node& parent = nodes_[static_cast<size_t>(node.parent)];
        node.kv_begin = parent.kv_begin + parent.row_count;
      }
      for (size_t i = 0; i < from.tokens.size(); ++i) {
        tokens_.push_back(from.tokens[i]);
        positions_.push_back(static_cast<int32_t>(node.kv_begin + i));
      }
      nodes_.push_back(node);
    }
  }
  size_t row = 0;
  for (size_t first = 0; first < trees.size();) {
    const size_t count = trees_in_group(trees, first);
    size_t end = row;
    for (size_t t = first; t < first + count; ++t) end += trees[t].row_count();
    for (; row < end; row = std::min(end, row + kGroupRows)) {
      groups_.push_back({row, std::min(end, row + kGroupRows)});
    }
    first += count;
  }
}

int64_t TreeRows::row_before(const Node& node) const {
  for (int32_t p = node.parent; p >= 0; p = nodes_[static_cast<size_t>(p)].parent) {
    const Node& parent = nodes_[static_cast<size_t>(p)];
    if (parent.row_count > 0) {
      return static_cast<int64_t>(parent.row_begin + parent.row_count) - 1;
    }
  }
  return -1;
}

void TreeKv::build(const TreeRows& rows, const LayerConfig& config) {
  for (auto* runs : {&own_, &copies_, &all_}) runs->clear();
  for (auto* tables : {&own_tables_, &copy_tables_}) tables->clear();
  const size_t block_floats = config.kv_head_count * tensor::kv_block_floats(config.head_dim);
  const auto nodes = rows.nodes();
  // First blocks that are the node's own: from the one that holds its first position.
  size_t own_blocks = 0;
  std::vector<size_t> begin_block(nodes.size()), end_block(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    begin_block[i] = nodes[i].kv_begin / kBlockPositions;
    end_block[i] = (nodes[i].kv_begin + nodes[i].row_count + kBlockPositions - 1) / kBlockPositions;
    own_blocks += std::max(end_block[i], begin_block[i]) - begin_block[i];
  }
  used_bytes_ = own_blocks * block_floats * sizeof(float);
  if (memory_.bytes() < used_bytes_) memory_ = tensor::Buffer(used_bytes_);
  blocks_.assign(nodes.size(), {});
  float* next = memory_.as<float>();
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].parent >= 0) {
      const auto& parent = blocks_[static_cast<size_t>(nodes[i].parent)];
      HONE_CHECK(parent.size() >= begin_block[i]);
      blocks_[i].assign(parent.begin(),
                        parent.begin() + static_cast<std::ptrdiff_t>(begin_block[i]));
    }
    for (size_t b = begin_block[i]; b < end_block[i]; ++b) {
      blocks_[i].push_back(next);
      next += block_floats;
    }
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    float* const* table = blocks_[i].data();
    own_.push_back({nodes[i].row_begin, nodes[i].row_count, nodes[i].kv_begin, table});
    own_tables_.push_back(table);
    if (nodes[i].row_count == 0) continue;
    // The ancestors' positions that lie in the block of this node's first position.
    const size_t copy_begin = begin_block[i] * kBlockPositions;
    for (int32_t p = nodes[i].parent; p >= 0; p = nodes[static_cast<size_t>(p)].parent) {
      const auto& ancestor = nodes[static_cast<size_t>(p)];
      const size_t end = ancestor.kv_begin + ancestor.row_count;
      if (end <= copy_begin) break;
      const size_t begin = std::max(copy_begin, ancestor.kv_begin);
      if (begin == end) continue;
      copies_.push_back(
          {ancestor.row_begin + (begin - ancestor.kv_begin), end - begin, begin, table});
      copy_tables_.push_back(table);
    }
  }
  all_ = own_;
  all_.insert(all_.end(), copies_.begin(), copies_.end());
}

void TreeKv::clear() {
  if (used_bytes_ > 0) std::memset(memory_.data(), 0, used_bytes_);
}

}  // namespace hone::llm
