#pragma once
// The one forward pass: prefill, decoding, scoring and training run these functions on rows.
//
// The only input is rows of {token, sequence node, kv index, rope position} (decisions 1.1). What
// a row computes depends on its token, its position and the keys and values of its path, and on
// nothing else: not on the other rows of the pass, the number of threads or the way a text was cut
// into passes. Every operation below keeps that promise by itself (docs/numerics.md).
//
//   x = embedding[token]
//   per layer: h = rms_norm(x);  q, k, v = linear(h);  [norm per head];  rope;  keep k and v
//              x += linear_o(attention(q));  x += linear_down(swiglu(linear(rms_norm(x))))
//   hidden = rms_norm(x)
//
// Thread rule: one pass at a time on one Compute and one Workspace; many may share the Model.

#include <cstdint>
#include <span>
#include <vector>

#include "llm/kv_cache.h"
#include "llm/lora.h"
#include "llm/lora_dropout.h"
#include "llm/model.h"
#include "tensor/attention.h"
#include "tensor/compute.h"
#include "tensor/memory.h"

namespace hone::llm {

// Consecutive rows of one sequence: row r of the run is kv index kv_begin + r.
struct RowRun {
  size_t row_begin = 0;
  size_t row_count = 0;
  size_t kv_begin = 0;
  KvCache::SequenceId sequence = 0;
};

// Consecutive rows that run with an adapter.
struct AdapterRun {
  size_t row_begin = 0;
  size_t row_count = 0;
  const LoraAdapter* adapter = nullptr;
};

struct Rows {
  std::vector<int32_t> tokens;       // one per row
  std::vector<int32_t> positions;    // rope position of each row
  std::vector<RowRun> runs;          // cover all rows, in order
  std::vector<AdapterRun> adapters;  // in order; rows in none of them run with the base alone

  size_t size() const { return tokens.size(); }
  void clear();
  // Appends tokens at kv indices [kv_begin, kv_begin + tokens.size()), positions equal to them.
  void append(KvCache::SequenceId sequence, size_t kv_begin, std::span<const int32_t> tokens,
              const LoraAdapter* adapter = nullptr);
};

// What one layer computes for M rows. Inference reuses one of these for all layers; training keeps
// the saved part of each layer (llm/training_pass.h).
struct LayerActivations {
  tensor::View<float> x_in;                // [M, H] residual stream before the layer        (saved)
  tensor::View<float> qkv_raw;             // [M, q + k] before the norm per head, or empty (saved)
  tensor::View<float> qkv;                 // [M, q + k + v] after rope                      (saved)
  tensor::View<float> attention;           // [M, heads * head_dim]                          (saved)
  tensor::View<float> lse;                 // [M, heads], empty in inference                 (saved)
  tensor::View<float> x_mid;               // [M, H] after attention; may be x_in itself     (saved)
  tensor::View<float> gate_up;             // [M, 2 F]                                       (saved)
  tensor::View<float> x_out;               // [M, H]; may be x_mid itself
  tensor::View<float> norm;                // [M, H] scratch: either norm's output
  tensor::View<float> activation;          // [M, F] scratch
  tensor::View<float> lora;                // [M, 3 * max rank] scratch, empty without adapter
  LinearDropout dropout;                   // training with --lora-dropout only
  float* inverse_rms_attention = nullptr;  // [M] or null                             (saved)
  float* inverse_rms_mlp = nullptr;        // [M] or null                             (saved)
  float* inverse_rms_q = nullptr;          // [M * heads] or null, with qk_norm       (saved)
  float* inverse_rms_k = nullptr;          // [M * kv heads] or null                  (saved)
};

// Where a layer's keys and values go, and what each run attends to.
struct LayerKv {
  std::span<const tensor::AttentionRun> stores;
  std::span<const tensor::AttentionRun> runs;
};

tensor::AttentionShape attention_shape(const LayerConfig& config);

// The same rows as an AdapterRun, with one layer of the adapter.
struct LoraRun {
  size_t row_begin = 0;
  size_t row_count = 0;
  const LoraLayer* layer = nullptr;
};

void layer_forward(tensor::Compute& compute, const Model& model, size_t layer,
                   std::span<const LoraRun> lora, std::span<const int32_t> positions,
                   const LayerKv& kv, const LayerActivations& a);

// The linear maps with their adapters: y = W x (+ bias), then y += scale * B (A x).
struct LinearCall {
  LinearKind kind;
  tensor::View<const float> x;
  tensor::View<float> y;
};
// All calls share x's rows; `accumulate` adds to y (residual stream). W x is one product for all
// rows, B (A x) one for the rows of each adapter: a row gets the bits that it would get alone.
// lora_scratch: [M, ranks]. Dropout: with one run over all rows only. Rows whose adapter has a magnitude
// (llm/dora.h) get y = gain * (W x + scale * B (A x)) + bias; where y accumulates, that is summed in
// sum_scratch [M, outputs] first.
void linear_forward(tensor::Compute& compute, const Layer& layer, std::span<const LoraRun> lora,
                    std::span<const LinearCall> calls, bool accumulate,
                    tensor::View<float> lora_scratch, const LinearDropout& dropout = {},
                    tensor::View<float> sum_scratch = {});

void embed(tensor::Compute& compute, const Model& model, std::span<const int32_t> tokens,
           tensor::View<float> out);

// Memory of an inference pass of at most max_rows rows.
class Workspace {
 public:
  Workspace(const Model& model, const LoraAdapter* adapter, size_t max_rows)
      : Workspace(model.config, adapter == nullptr ? 0 : adapter->max_rank(), max_rows) {}
  Workspace(const ModelConfig& config, size_t max_lora_rank, size_t max_rows);
  static size_t planned_bytes(const ModelConfig& config, size_t max_lora_rank, size_t max_rows);
  size_t max_rows() const { return max_rows_; }

 private:
  friend tensor::View<const float> forward(tensor::Compute&, const Model&, const Rows&,
                                           const KvCache&, Workspace&);
  size_t max_rows_, max_lora_rank_;
  tensor::Tensor x_, norm_, qkv_, attention_, gate_up_, activation_, lora_;
};

// Runs all layers; the rows' keys and values go to their sequences, which the caller has extended
// (KvCache::extend) to hold them. Returns the final norm's output, one row a row; valid until the
// next pass on this workspace. No adapter of the rows has a higher rank than the workspace's.
tensor::View<const float> forward(tensor::Compute& compute, const Model& model, const Rows& rows,
                                  const KvCache& cache, Workspace& workspace);
// All rows with one adapter, or without one (null), whatever rows.adapters says.
tensor::View<const float> forward(tensor::Compute& compute, const Model& model,
                                  const LoraAdapter* adapter, const Rows& rows,
                                  const KvCache& cache, Workspace& workspace);

}  // namespace hone::llm
