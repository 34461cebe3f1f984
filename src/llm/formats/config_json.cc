#include "llm/formats/config_json.h"

#include <array>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "llm/formats/quote.h"

namespace hone::llm {
namespace {

constexpr int64_t kMostCount = 1 << 28;

// Typed look-ups that name the source and the key. null counts as absent, as in transformers.
class Fields {
 public:
  Fields(const Json& json, std::string_view source) : json_(json), source_(source) {}

  [[noreturn]] void refuse(std::string_view key, const std::string& what) const {
    throw invalid_input(std::string(source_) + ": " + quote(key) + " " + what);
  }
  const Json* find(std::string_view key) const {
    const Json* value = json_.find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  bool present_as_null(std::string_view key) const {
    const Json* value = json_.find(key);
    return value != nullptr && value->is_null();
  }
  std::optional<size_t> count(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_integer()) refuse(key, "must be an integer, not " + shown(*value));
    if (const double number = value->as_double(); number < 0 || number > kMostCount) {
      refuse(key, "is " + shown(*value) + "; it must be from 0 to " + std::to_string(kMostCount));
    }
    return static_cast<size_t>(value->as_int());
  }
  size_t required_count(std::string_view key) const {
    const std::optional<size_t> value = count(key);
    if (!value) refuse(key, "is missing");
    return *value;
  }
  std::optional<double> number(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) refuse(key, "must be a number, not " + shown(*value));
    return value->as_double();
  }
  bool flag(std::string_view key, bool otherwise) const {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_bool()) refuse(key, "must be true or false, not " + shown(*value));
    return value->as_bool();
  }
  std::string text(std::string_view key, std::string otherwise) const {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_string()) refuse(key, "must be a string, not " + shown(*value));
    return value->as_string();
  }

  static std::string shown(const Json& value) {
    if (value.is_string()) return quote(value.as_string());
    if (value.is_array() || value.is_object()) return std::string(value.kind_name());
    return value.dump();
  }

 private:
  const Json& json_;
  std::string_view source_;
};

// Keys of features that change the computation; each is refused by name unless it is off.
void refuse_unsupported(const Fields& fields, const std::string& architecture) {
  constexpr std::array<std::string_view, 6> kExperts = {"num_local_experts",   "num_experts",
                                                        "n_routed_experts",    "moe_num_experts",
                                                        "num_experts_per_tok", "n_shared_experts"};
  for (std::string_view key : kExperts) {
    if (fields.find(key) != nullptr && fields.number(key).value() != 0) {
      fields.refuse(key, "asks for a mixture of experts, which is not supported (dense " +
                             std::string(supported_architectures()) + " are)");
    }
  }
  constexpr std::array<std::string_view, 2> kLatent = {"kv_lora_rank", "q_lora_rank"};
  for (std::string_view key : kLatent) {
    if (fields.find(key) != nullptr) {
      fields.refuse(key, "asks for latent attention (MLA), which is not supported");
    }
  }
  constexpr std::array<std::string_view, 4> kOther = {"quantization_config", "attention_chunk_size",
                                                      "no_rope_layers", "final_logit_softcapping"};
  for (std::string_view key : kOther) {
    if (fields.find(key) != nullptr) fields.refuse(key, "is a feature that is not supported");
  }
  if (architecture != "qwen2" && fields.flag("attention_bias", false)) {
    fields.refuse("attention_bias", "is true; biases are supported for qwen2 only");
  }
  if (fields.flag("mlp_bias", false)) fields.refuse("mlp_bias", "is true, which is not supported");
  if (fields.number("partial_rotary_factor").value_or(1.0) != 1.0) {
    fields.refuse("partial_rotary_factor", "is not 1, which is not supported");
  }
  const std::string activation = fields.text("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") {
    fields.refuse("hidden_act", "is " + quote(activation) + ", which is not supported (silu is)");
  }
}

RopeScaling read_scaling(const Fields& fields) {
  RopeScaling scaling;
  const std::string type = fields.text("rope_type", fields.text("type", "default"));
  if (type == "default") return scaling;
  if (type != "linear" && type != "llama3") {
    fields.refuse("rope_type", "is " + quote(type) +
                                   ", which is not supported (default, linear and llama3 are)");
  }
  const auto required = [&](std::string_view key) {
    const std::optional<double> value = fields.number(key);
    if (!value) fields.refuse(key, "is missing; rope scaling " + type + " needs it");
    return *value;
  };
  scaling.factor = required("factor");
  if (type == "linear") {
    scaling.kind = RopeScalingKind::kLinear;
    return scaling;
  }
  scaling.kind = RopeScalingKind::kLlama3;
  scaling.low_freq_factor = required("low_freq_factor");
  scaling.high_freq_factor = required("high_freq_factor");
  scaling.original_context_length = fields.required_count("original_max_position_embeddings");
  return scaling;
}

void read_rope(const Json& json, const Fields& fields, std::string_view source,
               ModelConfig* config) {
  config->rope_theta = fields.number("rope_theta").value_or(10000.0);
  for (std::string_view key : {"rope_scaling", "rope_parameters"}) {
    if (fields.find(key) == nullptr) continue;
    const Json& inner = json.at(key);
    if (!inner.is_object()) fields.refuse(key, "must be an object, not " + Fields::shown(inner));
    const Fields rope(inner, source);
    for (std::string_view per_kind : {"full_attention", "sliding_attention"}) {
      if (rope.find(per_kind) != nullptr) {
        rope.refuse(per_kind, "gives rope by kind of layer, which is not supported");
      }
    }
    if (rope.number("partial_rotary_factor").value_or(1.0) != 1.0) {
      rope.refuse("partial_rotary_factor", "is not 1, which is not supported");
    }
    config->rope_theta = rope.number("rope_theta").value_or(config->rope_theta);
    config->rope_scaling = read_scaling(rope);
  }
}

// Window of every layer; transformers' own defaults where a key is absent.
std::vector<size_t> read_windows(const Fields& fields, const std::string& architecture,
                                 size_t layers) {
  std::vector<size_t> windows(layers, 0);
  if (architecture == "llama") {
    if (fields.find("sliding_window") != nullptr) {
      fields.refuse("sliding_window", "is set, but llama has none; \"mistral\" has");
    }
    return windows;
  }
  if (architecture == "mistral") {
    if (fields.present_as_null("sliding_window")) return windows;
    windows.assign(layers, fields.count("sliding_window").value_or(4096));
    return windows;
  }
  if (!fields.flag("use_sliding_window", false)) return windows;
  const size_t window = fields.count("sliding_window").value_or(4096);
  if (const Json* types = fields.find("layer_types"); types != nullptr) {
    if (!types->is_array() || types->size() != layers) {
      fields.refuse("layer_types", "must be a list with an entry for each layer");
    }
    for (size_t i = 0; i < layers; ++i) {
      const Json& type = types->as_array()[i];
      if (type == Json("sliding_attention")) {
        windows[i] = window;
      } else if (type != Json("full_attention")) {
        fields.refuse("layer_types", "names " + Fields::shown(type) +
                                         ", which is not supported (full_attention and "
                                         "sliding_attention are)");
      }
    }
    return windows;
  }
  const size_t first = fields.count("max_window_layers").value_or(28);
  for (size_t i = first; i < layers; ++i) windows[i] = window;
  return windows;
}

std::string read_architecture(const Fields& fields) {
  const std::string type = fields.text("model_type", "");
  if (type.empty()) fields.refuse("model_type", "is missing; it names the architecture");
  if (type != "llama" && type != "mistral" && type != "qwen2" && type != "qwen3") {
    fields.refuse("model_type", "is " + quote(type) + ", an architecture that is not supported (" +
                                    std::string(supported_architectures()) + " are)");
  }
  return type;
}

size_t read_head_dim(const Fields& fields, const ModelConfig& config, size_t heads) {
  if (const std::optional<size_t> explicit_size = fields.count("head_dim")) return *explicit_size;
  if (config.architecture == "qwen3") return 128;
  if (heads == 0 || config.hidden_size % heads != 0) {
    fields.refuse("hidden_size", "is " + std::to_string(config.hidden_size) +
                                     ", no multiple of num_attention_heads (" +
                                     std::to_string(heads) + "), and there is no head_dim");
  }
  return config.hidden_size / heads;
}

}  // namespace

ModelConfig config_from_json(const Json& json, std::string_view source) {
  if (!json.is_object()) {
    throw invalid_input(std::string(source) + ": must be a JSON object, not " +
                        std::string(json.kind_name()));
  }
  const Fields fields(json, source);
  ModelConfig config;
  config.architecture = read_architecture(fields);
  refuse_unsupported(fields, config.architecture);
  config.vocab_size = fields.required_count("vocab_size");
  config.hidden_size = fields.required_count("hidden_size");
  config.context_length = fields.required_count("max_position_embeddings");
  config.rms_norm_eps = static_cast<float>(fields.number("rms_norm_eps").value_or(1e-6));
  config.tie_word_embeddings = fields.flag("tie_word_embeddings", false);

  LayerConfig layer;
  layer.head_count = fields.required_count("num_attention_heads");
  layer.kv_head_count = fields.count("num_key_value_heads").value_or(layer.head_count);
  layer.head_dim = read_head_dim(fields, config, layer.head_count);
  layer.intermediate_size = fields.required_count("intermediate_size");
  layer.qkv_bias = config.architecture == "qwen2";
  layer.qk_norm = config.architecture == "qwen3";
  const size_t layers = fields.required_count("num_hidden_layers");
  if (layers == 0 || layers > 4096) {
    fields.refuse("num_hidden_layers",
                  "is " + std::to_string(layers) + "; it must be from 1 to 4096");
  }
  for (size_t window : read_windows(fields, config.architecture, layers)) {
    layer.sliding_window = window;
    config.layers.push_back(layer);
  }
  config.rope_dim = layer.head_dim;
  read_rope(json, fields, source, &config);
  validate(config, source);
  config.rope_factors = rope_factors_of(config.rope_scaling, config.rope_theta, config.rope_dim);
  return config;
}

}  // namespace hone::llm
