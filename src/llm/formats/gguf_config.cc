#include "llm/formats/gguf_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "llm/formats/quote.h"
#include "tensor/quantize.h"

namespace hone::llm {
namespace {

using NamePair = std::pair<std::string_view, std::string_view>;

constexpr std::array<NamePair, 4> kModelNames = {{
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
    {"cls.output.weight", "score.weight"},
}};

constexpr std::array<NamePair, 14> kLayerNames = {{
    {"attn_norm.weight", "input_layernorm.weight"},
    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_k.weight", "self_attn.k_proj.weight"},
    {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_q.bias", "self_attn.q_proj.bias"},
    {"attn_k.bias", "self_attn.k_proj.bias"},
    {"attn_v.bias", "self_attn.v_proj.bias"},
    {"attn_q_norm.weight", "self_attn.q_norm.weight"},
    {"attn_k_norm.weight", "self_attn.k_norm.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"},
    {"ffn_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_gate.weight", "mlp.gate_proj.weight"},
    {"ffn_up.weight", "mlp.up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"},
}};

// "blk.12.rest" with that prefix: {"12", "rest"}.
std::optional<NamePair> split_layer(std::string_view name, std::string_view prefix) {
  if (name.substr(0, prefix.size()) != prefix) return std::nullopt;
  name.remove_prefix(prefix.size());
  const size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot > 6) return std::nullopt;
  const std::string_view number = name.substr(0, dot);
  if (number.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return NamePair{number, name.substr(dot + 1)};
}

class Keys {
 public:
  Keys(const GgufFile& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  [[noreturn]] void refuse(const std::string& what) const {
    throw invalid_input(file_.name() + ": " + what);
  }
  const GgufValue* find(const std::string& key) const { return file_.find(prefix_ + key); }
  size_t count_of(const std::string& key, int64_t value) const {
    if (value < 0 || value > (1 << 28)) {
      refuse(quote(prefix_ + key) + " is " + std::to_string(value) + ", out of bounds");
    }
    return static_cast<size_t>(value);
  }
  std::optional<size_t> count(const std::string& key) const {
    const GgufValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    return count_of(key, value->as_int());
  }
  size_t required_count(const std::string& key) const {
    return count_of(key, file_.at(prefix_ + key).as_int());
  }
  double number(const std::string& key, double otherwise) const {
    const GgufValue* value = find(key);
    return value == nullptr ? otherwise : value->as_double();
  }
  // One number for all layers or a list with one for each.
  std::optional<std::vector<size_t>> per_layer(const std::string& key, size_t layers) const {
    const GgufValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_array()) return std::vector<size_t>(layers, count_of(key, value->as_int()));
    if (value->count != layers) {
      refuse(quote(prefix_ + key) + " has " + std::to_string(value->count) + " entries for " +
             std::to_string(layers) + " layers");
    }
    std::vector<size_t> out;
    for (int64_t entry : value->as_ints()) out.push_back(count_of(key, entry));
    return out;
  }
  std::vector<size_t> required_per_layer(const std::string& key, size_t layers) const {
    const auto values = per_layer(key, layers);
    if (!values) refuse("the metadata key " + quote(prefix_ + key) + " is missing");
    return *values;
  }

 private:
  const GgufFile& file_;
  std::string prefix_;
};

std::string read_architecture(const GgufFile& file) {
  const std::string name(file.at("general.architecture").as_string());
  if (name != "llama" && name != "mistral" && name != "qwen2" && name != "qwen3") {
    throw invalid_input(file.name() + ": general.architecture is " + quote(name) +
                        ", an architecture that is not supported (" +
                        std::string(supported_architectures()) + " are)");
  }
  return name;
}

void refuse_unsupported(const Keys& keys) {
  if (keys.count("expert_count").value_or(0) != 0) {
    keys.refuse("expert_count asks for a mixture of experts, which is not supported");
  }
  for (const char* key :
       {"attention.kv_lora_rank", "attention.chunk_size", "attn_logit_softcapping", "logit_scale",
        "residual_scale", "embedding_scale", "attention.scale"}) {
    if (keys.find(key) != nullptr) keys.refuse(quote(key) + " is a feature that is not supported");
  }
}

RopeScaling read_scaling(const Keys& keys) {
  RopeScaling scaling;
  const GgufValue* type = keys.find("rope.scaling.type");
  if (type == nullptr || type->as_string() == "none") return scaling;
  if (type->as_string() != "linear") {
    keys.refuse("rope.scaling.type is " + quote(type->as_string()) +
                ", which is not supported (none, linear and llama3 are)");
  }
  scaling.kind = RopeScalingKind::kLinear;
  scaling.factor = keys.number("rope.scaling.factor", 1.0);
  return scaling;
}

// GGUF keeps llama3 scaling as divisors only. Finds the rule behind them (Meta's constants), so
// that config.json can be written; other divisors stay what they are.
RopeScaling recognise_llama3(const ModelConfig& config) {
  RopeScaling scaling;
  scaling.kind = RopeScalingKind::kLlama3;
  scaling.factor = static_cast<double>(
      *std::max_element(config.rope_factors.begin(), config.rope_factors.end()));
  for (size_t original = 32; original <= 65536; original *= 2) {
    scaling.original_context_length = original;
    const auto rule = rope_factors_of(scaling, config.rope_theta, config.rope_dim);
    bool same = true;
    for (size_t i = 0; i < rule.size(); ++i) {
      same = same && std::fabs(rule[i] - config.rope_factors[i]) <= 1e-5f * rule[i];
    }
    if (same) return scaling;
  }
  return {};
}

void read_rope_factors(const GgufFile& file, ModelConfig* config) {
  const GgufTensor* tensor = file.find_tensor("rope_freqs.weight");
  if (tensor == nullptr) {
    config->rope_factors =
        rope_factors_of(config->rope_scaling, config->rope_theta, config->rope_dim);
    return;
  }
  if (tensor->rows != 1 || tensor->cols != config->rope_dim / 2 ||
      config->rope_scaling.kind != RopeScalingKind::kNone) {
    throw invalid_input(file.name() + ": rope_freqs.weight does not fit the rope dimension " +
                        std::to_string(config->rope_dim) + " or contradicts rope.scaling.type");
  }
  config->rope_factors.resize(tensor->cols);
  tensor::dequantize_row(tensor->type, tensor->bytes.data(), tensor->cols,
                         config->rope_factors.data());
  validate(*config, file.name());
  config->rope_scaling = recognise_llama3(*config);
}

}  // namespace

ModelConfig config_from_gguf(const GgufFile& file) {
  ModelConfig config;
  config.architecture = read_architecture(file);
  const Keys keys(file, config.architecture + ".");
  refuse_unsupported(keys);
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) keys.refuse("the tensor \"token_embd.weight\" is missing");
  config.vocab_size = embedding->rows;
  config.hidden_size = keys.required_count("embedding_length");
  config.context_length = keys.required_count("context_length");
  config.rms_norm_eps = static_cast<float>(
      file.at(config.architecture + ".attention.layer_norm_rms_epsilon").as_double());
  config.rope_theta = keys.number("rope.freq_base", 10000.0);
  config.rope_scaling = read_scaling(keys);
  config.tie_word_embeddings = file.find_tensor("output.weight") == nullptr;

  const size_t layers = keys.required_count("block_count");
  if (layers == 0 || layers > 4096) {
    keys.refuse("block_count is " + std::to_string(layers) + "; it must be from 1 to 4096");
  }
  const auto heads = keys.required_per_layer("attention.head_count", layers);
  const auto kv_heads = keys.per_layer("attention.head_count_kv", layers).value_or(heads);
  const auto intermediate = keys.required_per_layer("feed_forward_length", layers);
  const auto windows =
      keys.per_layer("attention.sliding_window", layers).value_or(std::vector<size_t>(layers));
  if (heads[0] == 0 || heads[0] > config.hidden_size) {
    keys.refuse("attention.head_count is " + std::to_string(heads[0]) + ", out of bounds");
  }
  LayerConfig layer;
  layer.head_dim = keys.count("attention.key_length").value_or(config.hidden_size / heads[0]);
  if (keys.count("attention.value_length").value_or(layer.head_dim) != layer.head_dim) {
    keys.refuse("attention.value_length differs from attention.key_length, which is not supported");
  }
  layer.qkv_bias = file.find_tensor("blk.0.attn_q.bias") != nullptr;
  layer.qk_norm = config.architecture == "qwen3";
  for (size_t i = 0; i < layers; ++i) {
    layer.head_count = heads[i];
    layer.kv_head_count = kv_heads[i];
    layer.intermediate_size = intermediate[i];
    layer.sliding_window = windows[i];
    if (windows[i] != 0 && config.architecture == "llama") config.architecture = "mistral";
    config.layers.push_back(layer);
  }
  config.rope_dim = keys.count("rope.dimension_count").value_or(layer.head_dim);
  validate(config, file.name());
  read_rope_factors(file, &config);
  return config;
}

std::vector<GgufEntry> config_to_gguf(const ModelConfig& config) {
  const LayerConfig& first = config.layers[0];
  for (const LayerConfig& layer : config.layers) {
    if (layer != first) {
      throw invalid_input(
          "GGUF is not written for layers that differ from each other; write safetensors");
    }
  }
  if (first.sliding_window != 0 && config.architecture != "mistral") {
    throw invalid_input("GGUF has no word for the sliding window of " + config.architecture +
                        "; write safetensors");
  }
  const std::string name = config.architecture == "mistral" ? "llama" : config.architecture;
  const auto u32 = [&](const char* key, size_t value) {
    return gguf_u32(name + "." + key, static_cast<uint32_t>(value));
  };
  std::vector<GgufEntry> out = {
      gguf_string("general.architecture", name),
      u32("block_count", config.layers.size()),
      u32("context_length", config.context_length),
      u32("embedding_length", config.hidden_size),
      u32("feed_forward_length", first.intermediate_size),
      u32("attention.head_count", first.head_count),
      u32("attention.head_count_kv", first.kv_head_count),
      u32("attention.key_length", first.head_dim),
      u32("attention.value_length", first.head_dim),
      gguf_f32(name + ".attention.layer_norm_rms_epsilon", config.rms_norm_eps),
      gguf_f32(name + ".rope.freq_base", static_cast<float>(config.rope_theta)),
      u32("rope.dimension_count", config.rope_dim),
      u32("vocab_size", config.vocab_size),
  };
  if (first.sliding_window != 0)
    out.push_back(u32("attention.sliding_window", first.sliding_window));
  if (config.rope_scaling.kind == RopeScalingKind::kLinear) {
    out.push_back(gguf_string(name + ".rope.scaling.type", "linear"));
    out.push_back(
        gguf_f32(name + ".rope.scaling.factor", static_cast<float>(config.rope_scaling.factor)));
  }
  return out;
}

std::optional<std::string> huggingface_name(std::string_view gguf) {
  for (const NamePair& pair : kModelNames) {
    if (pair.first == gguf) return std::string(pair.second);
  }
  const auto layer = split_layer(gguf, "blk.");
  if (!layer) return std::nullopt;
  for (const NamePair& pair : kLayerNames) {
    if (pair.first != layer->second) continue;
    return "model.layers." + std::string(layer->first) + "." + std::string(pair.second);
  }
  return std::nullopt;
}

std::optional<std::string> gguf_name(std::string_view huggingface) {
  for (const NamePair& pair : kModelNames) {
    if (pair.second == huggingface) return std::string(pair.first);
  }
  const auto layer = split_layer(huggingface, "model.layers.");
  if (!layer) return std::nullopt;
  for (const NamePair& pair : kLayerNames) {
    if (pair.second != layer->second) continue;
    return "blk." + std::string(layer->first) + "." + std::string(pair.first);
  }
  return std::nullopt;
}

bool gguf_interleaves(const ModelConfig& config) {
  return config.architecture == "llama" || config.architecture == "mistral";
}

}  // namespace hone::llm
