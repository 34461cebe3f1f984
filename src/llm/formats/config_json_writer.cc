#include <algorithm>

#include "base/error.h"
#include "llm/formats/config_json.h"

namespace hone::llm {
namespace {

Json scaling_to_json(const RopeScaling& scaling) {
  Json out = Json::object();
  if (scaling.kind == RopeScalingKind::kNone) {
    out["rope_type"] = "default";
    return out;
  }
  out["factor"] = scaling.factor;
  if (scaling.kind == RopeScalingKind::kLinear) {
    out["rope_type"] = "linear";
    return out;
  }
  out["high_freq_factor"] = scaling.high_freq_factor;
  out["low_freq_factor"] = scaling.low_freq_factor;
  out["original_max_position_embeddings"] = static_cast<uint64_t>(scaling.original_context_length);
  out["rope_type"] = "llama3";
  return out;
}

std::string class_name(const ModelConfig& config) {
  const std::string& type = config.architecture;
  const std::string family = type == "llama"     ? "Llama"
                             : type == "mistral" ? "Mistral"
                             : type == "qwen2"   ? "Qwen2"
                                                 : "Qwen3";
  return family + (config.score_head ? "ForSequenceClassification" : "ForCausalLM");
}

void write_windows(const ModelConfig& config, Json* out) {
  size_t window = 0;
  for (const LayerConfig& layer : config.layers) window = std::max(window, layer.sliding_window);
  if (config.architecture == "llama") return;
  (*out)["sliding_window"] = window == 0 ? Json() : Json(static_cast<uint64_t>(window));
  if (config.architecture == "mistral") return;
  (*out)["use_sliding_window"] = window != 0;
  Json types = Json::array();
  for (const LayerConfig& layer : config.layers) {
    types.push_back(layer.sliding_window != 0 ? "sliding_attention" : "full_attention");
  }
  (*out)["layer_types"] = types;
}

void refuse_what_json_cannot_say(const ModelConfig& config) {
  size_t window = 0;
  for (const LayerConfig& layer : config.layers) window = std::max(window, layer.sliding_window);
  for (LayerConfig layer : config.layers) {
    const bool window_fits = layer.sliding_window == window ||
                             (layer.sliding_window == 0 && config.architecture != "mistral");
    layer.sliding_window = config.layers[0].sliding_window;
    if (!window_fits || layer != config.layers[0]) {
      throw invalid_input(
          "config.json cannot describe layers that differ from each other; write GGUF");
    }
  }
  if (!config.rope_factors.empty() && config.rope_scaling.kind == RopeScalingKind::kNone) {
    throw invalid_input(
        "config.json cannot describe this model's rope factors (they follow no known rule); write "
        "GGUF");
  }
}

}  // namespace

Json config_to_json(const ModelConfig& config) {
  refuse_what_json_cannot_say(config);
  const LayerConfig& layer = config.layers[0];
  const auto count = [](size_t n) { return Json(static_cast<uint64_t>(n)); };
  Json out = Json::object();
  out["architectures"].push_back(class_name(config));
  out["model_type"] = config.architecture;
  if (config.architecture == "llama") out["attention_bias"] = false;
  out["attention_dropout"] = 0.0;
  out["head_dim"] = count(layer.head_dim);
  out["hidden_act"] = "silu";
  out["hidden_size"] = count(config.hidden_size);
  out["initializer_range"] = 0.02;
  out["intermediate_size"] = count(layer.intermediate_size);
  out["max_position_embeddings"] = count(config.context_length);
  if (config.architecture == "llama") out["mlp_bias"] = false;
  out["num_attention_heads"] = count(layer.head_count);
  out["num_hidden_layers"] = count(config.layers.size());
  out["num_key_value_heads"] = count(layer.kv_head_count);
  out["rms_norm_eps"] = config.rms_norm_eps;
  out["rope_theta"] = config.rope_theta;
  const bool scaled = config.rope_scaling.kind != RopeScalingKind::kNone;
  out["rope_scaling"] = scaled ? scaling_to_json(config.rope_scaling) : Json();
  out["rope_parameters"] = scaling_to_json(config.rope_scaling);
  out["rope_parameters"]["rope_theta"] = config.rope_theta;
  write_windows(config, &out);
  out["tie_word_embeddings"] = config.tie_word_embeddings;
  out["use_cache"] = true;
  if (config.score_head) {  // one class: transformers' num_labels
    out["id2label"]["0"] = "LABEL_0";
    out["label2id"]["LABEL_0"] = 0;
  }
  out["vocab_size"] = count(config.vocab_size);
  return out;
}

}  // namespace hone::llm
