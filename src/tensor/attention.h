#pragma once
// Grouped-query attention over blocks of 64 positions, the same to the bit for prefill, decode, any
// chunking, any sharing of blocks and any number of threads (decisions.md 1.3; flash attention:
// Dao et al., 2022). Its gradient: attention_backward.h.
//
// Order. Blocks are counted from kv position 0. Query row i of a run has kv index P = kv_begin + i
// and sees positions max(0, P - window + 1) .. P (window 0: from 0). For one row, one query head and
// one block that has a visible position:
//   s_j = fma chain over head_dim ascending, from 0
//   t_j = s_j * scale
//   m   = the largest visible t_j
//   p_j = exp_f32(t_j - m), exactly 0 where position j is not visible
//   l   = 16 virtual lanes: lane i adds p_j with j % 16 == i ascending from 0; tree + 8, + 4, + 2, + 1
//   o_d = fma chain over the block's positions ascending, from 0, of p_j * v_jd
// Blocks without a visible position are skipped. The first block's (m, l, o) is the state (M, L, O);
// each further one, ascending, joins it by e = exp_f32(-|M - m|):
//   M >= m: L = fma(l, e, L), O = fma(o, e, O)
//   else:   L = fma(L, e, l), O = fma(O, e, o), M = m
// out = fma(O, 1 / L, 0), which makes a zero +0; lse = f32(M + log_f64(L)), the sum in f64.
// Query head h reads kv head h / (head_count / kv_head_count).
//
// One block of one kv head: K as [4 panels of 16 positions][head_dim][16], then V as
// [ceil(head_dim / 16) panels of 16 dims][64 positions][16]; f32, 64-byte aligned. A block pointer
// leads to kv_head_count such pieces, one after another.
//
// Requires: every float of a block that a row can see is finite or the row's own fault; positions
// that are masked or not yet written must hold finite numbers too (their weight 0 is multiplied
// with them), so an owner zeroes a block before its first use. head_dim is at most 256; rows of q,
// k and v may have any stride.
//
// Thread rule: blocks are read only, except by store_kv, whose runs must not share a written block
// position.

#include <cstddef>
#include <span>

#include "tensor/compute.h"
#include "tensor/view.h"

namespace hone::tensor {

constexpr size_t kKvBlock = 64;  // positions in a block
constexpr size_t kMaxHeadDim = 256;

struct AttentionShape {
  size_t head_count = 0, kv_head_count = 0, head_dim = 0;
  float scale = 1.0f;
  size_t window = 0;  // positions a row sees, its own included; 0 = all before it
};

// Consecutive query rows of one sequence.
struct AttentionRun {
  size_t row_begin = 0, row_count = 0;   // rows of q and out
  size_t kv_begin = 0;                   // kv index of the first row; the others follow it
  const float* const* blocks = nullptr;  // block b covers kv positions 64 b .. 64 b + 63
};

// Floats of one block of one kv head.
size_t kv_block_floats(size_t head_dim);

// Writes rows of k and v ([rows, kv_head_count * head_dim]) at their positions. The blocks that the
// runs' rows fall into must be writable memory of the caller's.
void store_kv(Compute& compute, const AttentionShape& shape, View<const float> k,
              View<const float> v, std::span<const AttentionRun> runs);
void store_kv_reference(const AttentionShape& shape, View<const float> k, View<const float> v,
                        std::span<const AttentionRun> runs);

// q and out: [rows, head_count * head_dim]; lse: [rows, head_count] or empty. out may be q.
void attention(Compute& compute, const AttentionShape& shape, View<const float> q,
               std::span<const AttentionRun> runs, View<float> out, View<float> lse);
void attention_reference(const AttentionShape& shape, View<const float> q,
                         std::span<const AttentionRun> runs, View<float> out, View<float> lse);

}  // namespace hone::tensor
