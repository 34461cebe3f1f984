#pragma once
// The gradient of attention (flash attention's way: weights are computed again from the saved log
// sums), with a defined order of every sum.
//
// Order, with s_j and t_j as in attention.h, per query row and head:
//   D    = 16 virtual lanes of fma(dout, out), tree + 8, + 4, + 2, + 1
//   p_j  = exp_f32(t_j - lse), exactly 0 where j is not visible
//   dp_j = fma chain over head_dim ascending, from 0, of dout_d * v_jd
//   ds_j = (p_j * (dp_j - D)) * scale
//   dq_d = per block fma chain over positions ascending, from 0, of ds_j * k_jd; block sums added
//          ascending; + 0 at the end
//   dk_jd = fma(ds_j, q_d, dk_jd) and dv_jd = fma(p_j, dout_d, dv_jd), one chain that starts at the
//          gradient block's present value: runs in the order given, rows ascending, then the query
//          heads of the kv head ascending
//
// Gradient blocks have the layout of the kv blocks. Several runs may name the same gradient block
// (a shared prompt); then they must name the same kv block too. The caller zeroes them before the
// first run. load_kv_grad adds + 0, so that a zero is +0 whatever was skipped.
//
// Memory: a second, transposed copy of the blocks that the runs see, D, and the weights of as many
// query rows as fit into kAttentionSlabBytes (48 of them at least): they are computed once, for dq, and
// read again for dk and dv.

#include <span>

#include "tensor/attention.h"

namespace hone::tensor {

inline constexpr size_t kAttentionSlabBytes = size_t{16} << 20;

// grad_blocks: one list a run, parallel to run.blocks. dq is written, gradient blocks are added to.
void attention_backward(Compute& compute, const AttentionShape& shape, View<const float> q,
                        View<const float> out, View<const float> lse, View<const float> dout,
                        std::span<const AttentionRun> runs,
                        std::span<float* const* const> grad_blocks, View<float> dq);
void attention_backward_reference(const AttentionShape& shape, View<const float> q,
                                  View<const float> out, View<const float> lse,
                                  View<const float> dout, std::span<const AttentionRun> runs,
                                  std::span<float* const* const> grad_blocks, View<float> dq);

// The inverse of store_kv: rows dk and dv of the runs from their gradient blocks.
void load_kv_grad(Compute& compute, const AttentionShape& shape, std::span<const AttentionRun> runs,
                  std::span<float* const* const> grad_blocks, View<float> dk, View<float> dv);
void load_kv_grad_reference(const AttentionShape& shape, std::span<const AttentionRun> runs,
                            std::span<float* const* const> grad_blocks, View<float> dk,
                            View<float> dv);

}  // namespace hone::tensor
