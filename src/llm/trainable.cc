#include "llm/trainable.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "llm/dora.h"

namespace hone::llm {

namespace {

LayerParameters frozen_layer() {
  LayerParameters p;
  std::fill(std::begin(p.weight), std::end(p.weight), kFrozen);
  std::fill(std::begin(p.bias), std::end(p.bias), kFrozen);
  std::fill(std::begin(p.lora_a), std::end(p.lora_a), kFrozen);
  std::fill(std::begin(p.lora_b), std::end(p.lora_b), kFrozen);
  std::fill(std::begin(p.magnitude), std::end(p.magnitude), kFrozen);
  p.attention_norm = p.mlp_norm = p.q_norm = p.k_norm = kFrozen;
  return p;
}

int32_t add(Trainable& trainable, Parameter parameter) {
  trainable.parameters.push_back(std::move(parameter));
  return static_cast<int32_t>(trainable.parameters.size() - 1);
}

int32_t add_panels(Trainable& trainable, std::string name, tensor::PanelMatrix& matrix,
                   float factor = 1.0f) {
  HONE_CHECK(matrix.is_f32());
  Parameter p;
  p.name = std::move(name);
  p.values = matrix.f32();
  p.size = matrix.f32_size();
  p.rows = matrix.rows();
  p.cols = matrix.cols();
  p.panels = true;
  p.factor = factor;
  return add(trainable, std::move(p));
}

int32_t add_vector(Trainable& trainable, std::string name, std::vector<float>& values) {
  Parameter p;
  p.name = std::move(name);
  p.values = values.data();
  p.size = p.rows = values.size();
  p.cols = 1;
  return add(trainable, std::move(p));
}

// Memory for the gradients of all parameters, each from a cache line on.
void give_memory(Trainable& trainable) {
  const auto padded = [](size_t values) { return (values + 7) / 8 * 8; };
  size_t values = 0;
  for (const Parameter& p : trainable.parameters) values += padded(p.size);
  trainable.memory = tensor::Buffer(values * sizeof(int64_t));
  // Written once before it is read: a page that is read first costs every core an interrupt later.
  trainable.clear_gradients();
  int64_t* next = trainable.memory.as<int64_t>();
  for (Parameter& p : trainable.parameters) {
    p.gradient = next;
    next += padded(p.size);
  }
}

std::string layer_prefix(size_t index) { return "model.layers." + std::to_string(index) + "."; }

}  // namespace

void Trainable::clear_gradients() {
  if (memory.bytes() > 0) std::memset(memory.data(), 0, memory.bytes());
}

Trainable full_parameters(Model& model, bool language_head) {
  Trainable t;
  t.embedding = add_panels(t, "model.embed_tokens.weight", model.embedding);
  for (size_t i = 0; i < model.layers.size(); ++i) {
    Layer& layer = model.layers[i];
    LayerParameters p = frozen_layer();
    const std::string prefix = layer_prefix(i);
    p.attention_norm = add_vector(t, prefix + "input_layernorm.weight", layer.attention_norm);
    for (size_t k = 0; k < kLinearKinds; ++k) {
      const std::string module = prefix + std::string(linear_module(static_cast<LinearKind>(k)));
      p.weight[k] = add_panels(t, module + ".weight", layer.linear[k].weight);
      if (!layer.linear[k].bias.empty()) {
        p.bias[k] = add_vector(t, module + ".bias", layer.linear[k].bias);
      }
    }
    if (!layer.q_norm.empty()) {
      p.q_norm = add_vector(t, prefix + "self_attn.q_norm.weight", layer.q_norm);
      p.k_norm = add_vector(t, prefix + "self_attn.k_norm.weight", layer.k_norm);
    }
    p.mlp_norm = add_vector(t, prefix + "post_attention_layernorm.weight", layer.mlp_norm);
    t.layers.push_back(p);
  }
  t.final_norm = add_vector(t, "model.norm.weight", model.final_norm);
  if (language_head && model.lm_head.rows() > 0) {
    t.lm_head = add_panels(t, "lm_head.weight", model.lm_head);
  }
  if (model.score.rows() > 0) t.score = add_panels(t, "score.weight", model.score);
  if (model.predictors.rows() > 0) {
    t.predictors = add_panels(t, "predictors.weight", model.predictors);
  }
  give_memory(t);
  return t;
}

Trainable lora_parameters(const Model& model, LoraAdapter& adapter) {
  Trainable t;
  for (size_t i = 0; i < model.layers.size(); ++i) {
    LayerParameters p = frozen_layer();
    for (size_t k = 0; k < kLinearKinds; ++k) {
      LoraPair& pair = adapter.layers[i].pair[k];
      if (pair.empty()) continue;
      const std::string module =
          layer_prefix(i) + std::string(linear_module(static_cast<LinearKind>(k)));
      p.lora_a[k] = add_panels(t, module + ".lora_A.weight", pair.a);
      p.lora_b[k] = add_panels(t, module + ".lora_B.weight", pair.b, pair.scale);
      if (pair.dora()) {
        p.magnitude[k] = add_vector(t, module + ".lora_magnitude_vector", pair.magnitude);
      }
    }
    t.layers.push_back(p);
  }
  if (adapter.score.rows() > 0) t.score = add_panels(t, "score.weight", adapter.score);
  if (adapter.predictors.rows() > 0) {
    t.predictors = add_panels(t, "predictors.weight", adapter.predictors);
  }
  if (adapter.use_dora) {
    t.refresh = [&model, &adapter](tensor::Compute& compute) {
      refresh_dora(compute, model, adapter);
    };
  }
  give_memory(t);
  return t;
}

}  // namespace hone::llm
