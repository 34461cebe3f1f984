#include "llm/forward.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "llm/dora.h"
#include "tensor/matmul.h"
#include "tensor/rms_norm.h"
#include "tensor/rope.h"
#include "tensor/swiglu.h"
#include "tensor/tile_stride.h"

namespace hone::llm {

using tensor::Compute;
using tensor::MatmulPart;
using tensor::tile_stride;
using tensor::View;

void Rows::clear() {
  tokens.clear();
  positions.clear();
  runs.clear();
  adapters.clear();
}

void Rows::append(KvCache::SequenceId sequence, size_t kv_begin,
                  std::span<const int32_t> new_tokens, const LoraAdapter* adapter) {
  if (adapter != nullptr) {
    AdapterRun* last = adapters.empty() ? nullptr : &adapters.back();
    if (last != nullptr && last->adapter == adapter &&
        last->row_begin + last->row_count == size()) {
      last->row_count += new_tokens.size();
    } else {
      adapters.push_back({size(), new_tokens.size(), adapter});
    }
  }
  runs.push_back({size(), new_tokens.size(), kv_begin, sequence});
  tokens.insert(tokens.end(), new_tokens.begin(), new_tokens.end());
  for (size_t i = 0; i < new_tokens.size(); ++i) {
    positions.push_back(static_cast<int32_t>(kv_begin + i));
  }
}

tensor::AttentionShape attention_shape(const LayerConfig& config) {
  tensor::AttentionShape shape;
  shape.head_count = config.head_count;
  shape.kv_head_count = config.kv_head_count;
  shape.head_dim = config.head_dim;
  shape.scale = 1.0f / __builtin_sqrtf(static_cast<float>(config.head_dim));
  shape.window = config.sliding_window;
  return shape;
}

namespace {

// h = A d(x) of each adapted call, one after the other: each map has its own mask.
void linear_down_with_dropout(Compute& compute, const LoraLayer& lora,
                              std::span<const LinearCall> calls, std::span<MatmulPart> down,
                              const LinearDropout& dropout) {
  size_t at = 0;
  for (const LinearCall& call : calls) {
    if (lora[call.kind].empty()) continue;
    const View<float> dropped =
        dropout.scratch.slice_rows(0, call.x.rows).slice_cols(0, call.x.cols);
    dropout.rows->apply(compute, dropout.layer, call.kind, call.x, dropped);
    down[at].x = dropped;
    tensor::matmul(compute, {&down[at], 1});
    ++at;
  }
}

struct LoraProducts {
  std::vector<MatmulPart> down, up;
};

// Where the sum of base and adapter of a call stands before a gain: in y, but where y accumulates.
View<float> sum_of(const LinearCall& call, const LoraPair& pair, const LoraRun& run,
                   View<float> sum_scratch) {
  const bool apart = pair.dora() && sum_scratch.data != nullptr;
  const View<float> all = apart ? sum_scratch.slice_cols(0, call.y.cols) : call.y;
  return all.slice_rows(run.row_begin, run.row_count);
}

bool has_gain(std::span<const LoraRun> runs, std::span<const LinearCall> calls) {
  for (const LoraRun& run : runs) {
    for (const LinearCall& call : calls) {
      if ((*run.layer)[call.kind].dora()) return true;
    }
  }
  return false;
}

// W x of every row once: with the bias into y, or for rows with a gain alone to where their sum stands.
std::vector<MatmulPart> base_products(const Layer& layer, std::span<const LoraRun> runs,
                                      std::span<const LinearCall> calls, bool accumulate,
                                      View<float> sum_scratch) {
  std::vector<MatmulPart> parts;
  parts.reserve(calls.size());
  for (const LinearCall& call : calls) {
    const Linear& linear = layer[call.kind];
    const float* bias = linear.bias.empty() ? nullptr : linear.bias.data();
    size_t done = 0;
    const auto plain_until = [&](size_t end) {
      if (end == done) return;
      parts.push_back({call.x.slice_rows(done, end - done), &linear.weight,
                       call.y.slice_rows(done, end - done), bias, accumulate, 1.0f});
    };
    for (const LoraRun& run : runs) {
      const LoraPair& pair = (*run.layer)[call.kind];
      if (!pair.dora() || run.row_count == 0) continue;
      plain_until(run.row_begin);
      parts.push_back({call.x.slice_rows(run.row_begin, run.row_count), &linear.weight,
                       sum_of(call, pair, run, sum_scratch), nullptr, false, 1.0f});
      done = run.row_begin + run.row_count;
    }
    plain_until(call.x.rows);
  }
  return parts;
}

void apply_gains(Compute& compute, const Layer& layer, std::span<const LoraRun> runs,
                 std::span<const LinearCall> calls, bool accumulate, View<float> sum_scratch) {
  for (const LinearCall& call : calls) {
    const std::vector<float>& bias = layer[call.kind].bias;
    for (const LoraRun& run : runs) {
      const LoraPair& pair = (*run.layer)[call.kind];
      if (!pair.dora() || run.row_count == 0) continue;
      apply_gain(compute, pair, bias.empty() ? nullptr : bias.data(),
                 sum_of(call, pair, run, sum_scratch),
                 call.y.slice_rows(run.row_begin, run.row_count), accumulate);
    }
  }
}

LoraProducts lora_products(std::span<const LoraRun> runs, std::span<const LinearCall> calls,
                           View<float> scratch, View<float> sum_scratch) {
  LoraProducts products;
  for (const LoraRun& run : runs) {
    const View<float> rows = scratch.slice_rows(run.row_begin, run.row_count);
    size_t column = 0;
    for (const LinearCall& call : calls) {
      const LoraPair& pair = (*run.layer)[call.kind];
      if (pair.empty()) continue;
      const View<const float> x = call.x.slice_rows(run.row_begin, run.row_count);
      const View<float> y = sum_of(call, pair, run, sum_scratch);
      const View<float> h = rows.slice_cols(column, pair.rank());
      column += pair.rank();
      products.down.push_back({x, &pair.a, h, nullptr, false, 1.0f});
      products.up.push_back({h, &pair.b, y, nullptr, true, pair.scale});
    }
  }
  return products;
}

}  // namespace

void linear_forward(Compute& compute, const Layer& layer, std::span<const LoraRun> lora,
                    std::span<const LinearCall> calls, bool accumulate, View<float> lora_scratch,
                    const LinearDropout& dropout, View<float> sum_scratch) {
  HONE_CHECK(calls.size() <= 3);
  const bool gains = has_gain(lora, calls);
  // Only one call can have the scratch, and only one accumulates (o, down).
  HONE_CHECK(!gains || dropout.rows == nullptr);
  HONE_CHECK(!gains || !accumulate || (sum_scratch.data != nullptr && calls.size() == 1));
  if (!accumulate) sum_scratch = {};
  const LoraProducts products = lora_products(lora, calls, lora_scratch, sum_scratch);
  if (dropout.rows == nullptr) {
    tensor::matmul(compute, products.down);
  } else if (!products.down.empty()) {
    HONE_CHECK(lora.size() == 1 && lora[0].row_count == calls[0].x.rows);
    std::vector<MatmulPart> down = products.down;
    linear_down_with_dropout(compute, *lora[0].layer, calls, down, dropout);
  }
  std::vector<MatmulPart> base = base_products(layer, lora, calls, accumulate, sum_scratch);
  // What an adapter adds to all rows of a product follows it at once.
  std::vector<MatmulPart> apart;
  for (const MatmulPart& up : products.up) {
    const auto same = std::find_if(base.begin(), base.end(), [&](const MatmulPart& part) {
      return part.y.data == up.y.data && part.y.rows == up.y.rows;
    });
    if (same == base.end()) {
      apart.push_back(up);
    } else {
      same->then = &up;
    }
  }
  tensor::matmul(compute, base);
  tensor::matmul(compute, apart);
  if (gains) apply_gains(compute, layer, lora, calls, accumulate, sum_scratch);
}

void embed(Compute& compute, const Model& model, std::span<const int32_t> tokens, View<float> out) {
  const auto look_up = [&](size_t r) {
    model.embedding.read_row(static_cast<size_t>(tokens[r]), out.row(r));
  };
  constexpr size_t kRowsPerTask = 16;
  if (tokens.size() <= kRowsPerTask) {
    for (size_t r = 0; r < tokens.size(); ++r) look_up(r);
    return;
  }
  const size_t tasks = (tokens.size() + kRowsPerTask - 1) / kRowsPerTask;
  compute.pool().run(tasks, [&](size_t task, size_t) {
    const size_t end = std::min(tokens.size(), (task + 1) * kRowsPerTask);
    for (size_t r = task * kRowsPerTask; r < end; ++r) look_up(r);
  });
}

namespace {

void copy_rows(View<const float> from, View<float> to) {
  if (from.data == to.data) return;
  for (size_t r = 0; r < from.rows; ++r) {
    std::memcpy(to.row(r), from.row(r), from.cols * sizeof(float));
  }
}

void attention_half(Compute& compute, const Model& model, size_t index,
                    std::span<const LoraRun> lora, std::span<const int32_t> positions,
                    const LayerKv& kv, const LayerActivations& a) {
  const Layer& layer = model.layers[index];
  const LayerConfig& config = model.config.layers[index];
  const size_t q_cols = config.head_count * config.head_dim;
  const size_t k_cols = config.kv_head_count * config.head_dim;
  const View<float> q = a.qkv.slice_cols(0, q_cols);
  const View<float> k = a.qkv.slice_cols(q_cols, k_cols);
  const View<float> v = a.qkv.slice_cols(q_cols + k_cols, k_cols);

  tensor::rms_norm(compute, a.x_in, layer.attention_norm.data(), model.config.rms_norm_eps, a.norm,
                   a.inverse_rms_attention);
  const LinearCall calls[] = {
      {LinearKind::kQ, a.norm, q}, {LinearKind::kK, a.norm, k}, {LinearKind::kV, a.norm, v}};
  linear_forward(compute, layer, lora, calls, false, a.lora, a.dropout);
  if (config.qk_norm) {
    if (a.qkv_raw.data != nullptr) copy_rows(a.qkv.slice_cols(0, q_cols + k_cols), a.qkv_raw);
    tensor::rms_norm_heads(compute, q, config.head_count, config.head_dim, layer.q_norm.data(),
                           model.config.rms_norm_eps, q, a.inverse_rms_q);
    tensor::rms_norm_heads(compute, k, config.kv_head_count, config.head_dim, layer.k_norm.data(),
                           model.config.rms_norm_eps, k, a.inverse_rms_k);
  }
  if (config.rope) {
    tensor::rope(compute, q, config.head_count, config.head_dim, positions.data(), model.rope);
    tensor::rope(compute, k, config.kv_head_count, config.head_dim, positions.data(), model.rope);
  }
  const tensor::AttentionShape shape = attention_shape(config);
  tensor::store_kv(compute, shape, k, v, kv.stores);
  tensor::attention(compute, shape, q, kv.runs, a.attention, a.lse);
  copy_rows(a.x_in, a.x_mid);
  const LinearCall out[] = {{LinearKind::kO, a.attention, a.x_mid}};
  linear_forward(compute, layer, lora, out, true, a.lora, a.dropout, a.norm);
}

void mlp_half(Compute& compute, const Model& model, size_t index, std::span<const LoraRun> lora,
              const LayerActivations& a) {
  const Layer& layer = model.layers[index];
  const size_t f = model.config.layers[index].intermediate_size;
  tensor::rms_norm(compute, a.x_mid, layer.mlp_norm.data(), model.config.rms_norm_eps, a.norm,
                   a.inverse_rms_mlp);
  const LinearCall calls[] = {{LinearKind::kGate, a.norm, a.gate_up.slice_cols(0, f)},
                              {LinearKind::kUp, a.norm, a.gate_up.slice_cols(f, f)}};
  linear_forward(compute, layer, lora, calls, false, a.lora, a.dropout);
  tensor::swiglu(compute, a.gate_up, a.activation);
  copy_rows(a.x_mid, a.x_out);
  const LinearCall out[] = {{LinearKind::kDown, a.activation, a.x_out}};
  linear_forward(compute, layer, lora, out, true, a.lora, a.dropout, a.norm);
}

size_t max_qkv_cols(const ModelConfig& config) {
  size_t cols = 0;
  for (const LayerConfig& layer : config.layers) {
    cols = std::max(cols, (layer.head_count + 2 * layer.kv_head_count) * layer.head_dim);
  }
  return cols;
}

size_t max_attention_cols(const ModelConfig& config) {
  size_t cols = 0;
  for (const LayerConfig& layer : config.layers) {
    cols = std::max(cols, layer.head_count * layer.head_dim);
  }
  return cols;
}

size_t max_intermediate(const ModelConfig& config) {
  size_t f = 0;
  for (const LayerConfig& layer : config.layers) f = std::max(f, layer.intermediate_size);
  return f;
}

}  // namespace

void layer_forward(Compute& compute, const Model& model, size_t layer,
                   std::span<const LoraRun> lora, std::span<const int32_t> positions,
                   const LayerKv& kv, const LayerActivations& a) {
  attention_half(compute, model, layer, lora, positions, kv, a);
  mlp_half(compute, model, layer, lora, a);
}

Workspace::Workspace(const ModelConfig& config, size_t max_lora_rank, size_t max_rows)
    : max_rows_(max_rows),
      max_lora_rank_(max_lora_rank),
      x_(max_rows, config.hidden_size),
      norm_(max_rows, tile_stride(config.hidden_size)),
      qkv_(max_rows, tile_stride(max_qkv_cols(config))),
      attention_(max_rows, tile_stride(max_attention_cols(config))),
      gate_up_(max_rows, tile_stride(2 * max_intermediate(config))),
      activation_(max_rows, tile_stride(max_intermediate(config))),
      lora_(max_lora_rank == 0 ? 0 : max_rows, 3 * max_lora_rank) {}

size_t Workspace::planned_bytes(const ModelConfig& config, size_t max_lora_rank, size_t max_rows) {
  size_t bytes = 0;
  for (const size_t cols :
       {config.hidden_size, tile_stride(config.hidden_size), tile_stride(max_qkv_cols(config)),
        tile_stride(max_attention_cols(config)), tile_stride(2 * max_intermediate(config)),
        tile_stride(max_intermediate(config)), 3 * max_lora_rank}) {
    bytes += tensor::mapped_bytes(max_rows * cols * sizeof(float));
  }
  return bytes;
}

View<const float> forward(Compute& compute, const Model& model, const LoraAdapter* adapter,
                          const Rows& rows, const KvCache& cache, Workspace& w) {
  Rows with = rows;
  with.adapters.clear();
  if (adapter != nullptr) with.adapters.push_back({0, rows.size(), adapter});
  return forward(compute, model, with, cache, w);
}

View<const float> forward(Compute& compute, const Model& model, const Rows& rows,
                          const KvCache& cache, Workspace& w) {
  const size_t m = rows.size();
  HONE_CHECK(m <= w.max_rows_);
  std::vector<std::vector<float*>> blocks(rows.runs.size());
  std::vector<tensor::AttentionRun> runs(rows.runs.size());
  std::vector<tensor::AttentionRun> stores(rows.runs.size());
  std::vector<LoraRun> lora(rows.adapters.size());
  for (const AdapterRun& run : rows.adapters) {
    HONE_CHECK(run.adapter->max_rank() <= w.max_lora_rank_);
  }
  const View<float> x = w.x_.rows_view(0, m);
  embed(compute, model, rows.tokens, x);
  for (size_t index = 0; index < model.layers.size(); ++index) {
    const LayerConfig& config = model.config.layers[index];
    for (size_t i = 0; i < rows.runs.size(); ++i) {
      const RowRun& run = rows.runs[i];
      cache.layer_blocks(run.sequence, index, &blocks[i]);
      runs[i] = {run.row_begin, run.row_count, run.kv_begin, blocks[i].data()};
      stores[i] = {run.row_begin, run.row_count, run.kv_begin, blocks[i].data()};
    }
    for (size_t i = 0; i < lora.size(); ++i) {
      const AdapterRun& run = rows.adapters[i];
      lora[i] = {run.row_begin, run.row_count, &run.adapter->layers[index]};
    }
    LayerActivations a;
    const size_t q_cols = config.head_count * config.head_dim;
    const size_t kv_cols = config.kv_head_count * config.head_dim;
    a.x_in = a.x_mid = a.x_out = x;
    a.norm = w.norm_.rows_view(0, m).slice_cols(0, model.config.hidden_size);
    a.qkv = w.qkv_.rows_view(0, m).slice_cols(0, q_cols + 2 * kv_cols);
    a.attention = w.attention_.rows_view(0, m).slice_cols(0, q_cols);
    a.gate_up = w.gate_up_.rows_view(0, m).slice_cols(0, 2 * config.intermediate_size);
    a.activation = w.activation_.rows_view(0, m).slice_cols(0, config.intermediate_size);
    if (!lora.empty()) a.lora = w.lora_.rows_view(0, m);
    layer_forward(compute, model, index, lora, rows.positions, {stores, runs}, a);
  }
  const View<float> hidden = w.norm_.rows_view(0, m).slice_cols(0, model.config.hidden_size);
  tensor::rms_norm(compute, x, model.final_norm.data(), model.config.rms_norm_eps, hidden, nullptr);
  return hidden;
}

}  // namespace hone::llm
