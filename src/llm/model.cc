#include "llm/model.h"

#include <algorithm>

#include "base/error.h"
#include "llm/formats/model_file.h"
#include "tensor/quantize.h"

namespace hone::llm {

using tensor::Compute;
using tensor::PanelMatrix;

std::string_view linear_module(LinearKind kind) {
  switch (kind) {
    case LinearKind::kQ: return "self_attn.q_proj";
    case LinearKind::kK: return "self_attn.k_proj";
    case LinearKind::kV: return "self_attn.v_proj";
    case LinearKind::kO: return "self_attn.o_proj";
    case LinearKind::kGate: return "mlp.gate_proj";
    case LinearKind::kUp: return "mlp.up_proj";
    case LinearKind::kDown: return "mlp.down_proj";
  }
  return {};
}

size_t Model::weight_bytes() const {
  size_t bytes =
      embedding.bytes() + lm_head.bytes() + score.bytes() + final_norm.size() * sizeof(float);
  for (const Layer& layer : layers) {
    for (const Linear& linear : layer.linear) {
      bytes += linear.weight.bytes() + linear.bias.size() * sizeof(float);
    }
  }
  return bytes;
}

size_t Model::parameter_count() const { return llm::parameter_count(config); }

namespace {

void check_rows_finite(Compute& compute, const StoredTensor& t, const std::string& where) {
  constexpr size_t kRowsPerTask = 64;
  const size_t row_bytes = tensor::storage_bytes(t.type, t.cols);
  compute.pool().run((t.rows + kRowsPerTask - 1) / kRowsPerTask, [&](size_t task, size_t) {
    const size_t end = std::min(t.rows, (task + 1) * kRowsPerTask);
    for (size_t r = task * kRowsPerTask; r < end; ++r) {
      if (tensor::is_row_finite(t.type, t.bytes.data() + r * row_bytes, t.cols)) continue;
      check_finite(t, where);  // finds the place and throws
    }
  });
}

PanelMatrix load_matrix(Compute& compute, const ModelFile& file, const std::string& name) {
  const StoredTensor& t = file.at(name);
  check_rows_finite(compute, t, file.path());
  PanelMatrix matrix =
      PanelMatrix::pack(compute, t.type, t.rows, t.cols, t.bytes.data(), t.row_order);
  file.forget(t);
  return matrix;
}

std::vector<float> load_vector(const ModelFile& file, const std::string& name) {
  check_finite(file.at(name), file.path());
  return read_vector(file.at(name));
}

tensor::RopeTable make_rope_table(const ModelConfig& config) {
  // The file's divisors already hold what the scaling means (rope_factors_of).
  return tensor::RopeTable(config.rope_dim, config.rope_theta, tensor::RopeScaling{},
                           config.rope_factors, config.context_length);
}

}  // namespace

Model load_model(Compute& compute, const ModelFile& file, HeadNeed need) {
  Model model;
  model.config = file.config();
  const ModelConfig& config = model.config;
  if (need == HeadNeed::kLanguage && !config.language_head) {
    throw invalid_input(file.path() +
                        " is a reward model without a language head: it scores answers (hone eval "
                        "reward) and cannot write or read them word by word");
  }
  model.embedding = load_matrix(compute, file, "model.embed_tokens.weight");
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    Layer layer;
    layer.attention_norm = load_vector(file, prefix + "input_layernorm.weight");
    layer.mlp_norm = load_vector(file, prefix + "post_attention_layernorm.weight");
    for (size_t k = 0; k < kLinearKinds; ++k) {
      const auto kind = static_cast<LinearKind>(k);
      const std::string module = prefix + std::string(linear_module(kind));
      layer.linear[k].weight = load_matrix(compute, file, module + ".weight");
      if (config.layers[i].qkv_bias && k <= static_cast<size_t>(LinearKind::kV)) {
        layer.linear[k].bias = load_vector(file, module + ".bias");
      }
    }
    if (config.layers[i].qk_norm) {
      layer.q_norm = load_vector(file, prefix + "self_attn.q_norm.weight");
      layer.k_norm = load_vector(file, prefix + "self_attn.k_norm.weight");
    }
    model.layers.push_back(std::move(layer));
  }
  model.final_norm = load_vector(file, "model.norm.weight");
  if (!config.tie_word_embeddings && config.language_head) {
    model.lm_head = load_matrix(compute, file, "lm_head.weight");
  }
  if (config.score_head) model.score = load_matrix(compute, file, "score.weight");
  model.rope = make_rope_table(config);
  model.rope.reserve(std::min<size_t>(config.context_length, 8192));
  return model;
}

void make_trainable(Compute& compute, Model& model) {
  const auto widen = [&](PanelMatrix& matrix) {
    if (matrix.rows() > 0 && !matrix.is_f32()) matrix = matrix.to_f32(compute);
  };
  widen(model.embedding);
  widen(model.lm_head);
  widen(model.score);
  for (Layer& layer : model.layers) {
    for (Linear& linear : layer.linear) widen(linear.weight);
  }
}

}  // namespace hone::llm
