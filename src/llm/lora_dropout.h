#pragma once
// Dropout in front of an adapter's A (Hu et al. 2021; PEFT's lora_dropout): y += scale B (A d(x)),
// d(x) = x mask / (1 - p). Training only.
//
// A mask belongs to (seed, step, tree of the step's batch, node and position in the tree, layer,
// map, column) and to nothing else: neither passes nor threads, recompute or an interruption change
// it (decisions 1.8). Bits are Philox words (base/rng.h), four columns a call.

#include <cstdint>
#include <vector>

#include "llm/model.h"
#include "llm/tree_rows.h"
#include "tensor/compute.h"
#include "tensor/view.h"

namespace hone::llm {

struct LoraDropout {
  double p = 0;  // in [0, 1)
  uint64_t seed = 0;
  uint64_t step = 0;
  size_t first_tree = 0;  // place in the step's batch of the pass's first tree
};

// The masks of a pass's rows.
class DropoutRows {
 public:
  DropoutRows(const LoraDropout& dropout, const TreeRows& rows);

  // out = x mask / (1 - p), the mask of that map of that layer; out may be x itself.
  void apply(tensor::Compute& compute, size_t layer, LinearKind kind, tensor::View<const float> x,
             tensor::View<float> out) const;

 private:
  uint64_t seed_;
  uint32_t threshold_;  // a word below it drops its entry
  float scale_;
  std::vector<uint64_t> streams_;  // a row each
};

// What linear_forward and linear_backward need of it.
struct LinearDropout {
  const DropoutRows* rows = nullptr;  // null: no dropout
  size_t layer = 0;
  tensor::View<float> scratch;  // [M, widest input]
};

}  // namespace hone::llm
