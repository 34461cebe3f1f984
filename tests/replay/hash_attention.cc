// Attention and its gradient: a prompt with two branches, several head sizes, groups and windows,
// then one row at a time.

#include "hashes.h"
#include "tensor/attention.h"
#include "tensor/attention_backward.h"

namespace hone::tensor {

namespace {

// A prompt whose two full blocks the branches share.
constexpr size_t kTrunk = 130, kBranches[] = {40, 3};

struct Tree {
  AttentionShape shape;
  size_t rows = 0, piece = 0, block_count = 0;
  Buffer memory, gradients;
  std::vector<std::vector<float*>> blocks, gradient_blocks;
  std::vector<float* const*> gradient_lists;
  std::vector<AttentionRun> runs;

  explicit Tree(const AttentionShape& s) : shape(s) {
    piece = s.kv_head_count * kv_block_floats(s.head_dim);
    std::vector<std::vector<size_t>> numbers;
    const auto add_run = [&](size_t begin, size_t length) {
      numbers.emplace_back();
      for (size_t b = 0; b * kKvBlock < begin + length; ++b) {
        numbers.back().push_back(b < begin / kKvBlock ? b : block_count++);
      }
      runs.push_back({rows, length, begin, nullptr});
      rows += length;
    };
    add_run(0, kTrunk);
    for (const size_t length : kBranches) add_run(kTrunk / kKvBlock * kKvBlock, length);
    memory = Buffer(block_count * piece * sizeof(float));
    gradients = Buffer(memory.bytes());
    for (size_t r = 0; r < runs.size(); ++r) {
      blocks.emplace_back();
      gradient_blocks.emplace_back();
      for (const size_t n : numbers[r]) {
        blocks[r].push_back(memory.as<float>() + n * piece);
        gradient_blocks[r].push_back(gradients.as<float>() + n * piece);
      }
    }
    for (size_t r = 0; r < runs.size(); ++r) {
      runs[r].blocks = blocks[r].data();
      gradient_lists.push_back(gradient_blocks[r].data());
    }
  }
};

void hash_tree(Compute& compute, Hashes& hashes, const AttentionShape& shape) {
  const std::string name = std::to_string(shape.head_count) + "/" +
                           std::to_string(shape.kv_head_count) + "x" +
                           std::to_string(shape.head_dim) + " w" + std::to_string(shape.window);
  Tree tree(shape);
  const size_t q_cols = shape.head_count * shape.head_dim;
  const size_t kv_cols = shape.kv_head_count * shape.head_dim;
  Tensor q = random_tensor(tree.rows, q_cols, "q");
  for (size_t i = 0; i < q.size(); ++i) q.data()[i] *= 4.0f;
  const Tensor k = random_tensor(tree.rows, kv_cols, "k"),
               v = random_tensor(tree.rows, kv_cols, "v");
  const Tensor dout = random_tensor(tree.rows, q_cols, "dout");
  store_kv(compute, shape, k.view(), v.view(), tree.runs);
  Tensor out(tree.rows, q_cols), lse(tree.rows, shape.head_count), dq(tree.rows, q_cols);
  attention(compute, shape, q.view(), tree.runs, out.view(), lse.view());
  hashes.add("attention " + name, out);
  hashes.add("attention lse " + name, lse);
  attention_backward(compute, shape, q.view(), out.view(), lse.view(), dout.view(), tree.runs,
                     tree.gradient_lists, dq.view());
  Tensor dk(tree.rows, kv_cols), dv(tree.rows, kv_cols);
  load_kv_grad(compute, shape, tree.runs, tree.gradient_lists, dk.view(), dv.view());
  hashes.add("attention dq " + name, dq);
  hashes.add("attention dk " + name, dk);
  hashes.add("attention dv " + name, dv);
  // The last rows again, each alone, as decoding computes them.
  Tensor alone(4, q_cols);
  for (size_t i = 0; i < 4; ++i) {
    const AttentionRun& trunk = tree.runs[0];
    const AttentionRun row{kTrunk - 4 + i, 1, kTrunk - 4 + i, trunk.blocks};
    Tensor one(tree.rows, q_cols);
    attention(compute, shape, q.view(), {&row, 1}, one.view(), {});
    for (size_t c = 0; c < q_cols; ++c) {
      alone.view().row(i)[c] = one.view().row(row.row_begin)[c];
    }
  }
  hashes.add("attention decode " + name, alone);
}

}  // namespace

void hash_attention(Compute& compute, Hashes& hashes) {
  hash_tree(compute, hashes, {9, 3, 64, 0.125f, 0});
  hash_tree(compute, hashes, {4, 4, 20, 0.3f, 0});
  hash_tree(compute, hashes, {7, 1, 40, 0.2f, 37});
  hash_tree(compute, hashes, {2, 1, 128, 0.1f, 64});
}

}  // namespace hone::tensor
