#include "llm/model_config.h"

#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "tensor/attention.h"
#include "tensor/math.h"

namespace hone::llm {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Far above every model there is, low enough that no product of three overflows 64 bits.
constexpr size_t kMostLayers = 4096;
constexpr size_t kMostHeads = 4096;
constexpr size_t kMostHeadDim = tensor::kMaxHeadDim;
constexpr size_t kMostHidden = 1u << 18;
constexpr size_t kMostIntermediate = 1u << 22;
constexpr size_t kMostVocab = 1u << 24;
constexpr size_t kMostContext = 1u << 28;

class Checker {
 public:
  explicit Checker(std::string_view source) : source_(source) {}

  [[noreturn]] void refuse(std::string_view field, const std::string& value,
                           const std::string& why) const {
    throw invalid_input(std::string(source_) + ": " + std::string(field) + " is " + value + "; " +
                        why);
  }
  void in_range(std::string_view field, size_t value, size_t low, size_t high) const {
    if (value >= low && value <= high) return;
    refuse(field, std::to_string(value),
           "it must be from " + std::to_string(low) + " to " + std::to_string(high));
  }
  void in_range(std::string_view field, double value, double low, double high) const {
    if (value >= low && value <= high) return;
    refuse(field, std::isfinite(value) ? number_to_string(value) : "not a finite number",
           "it must be from " + number_to_string(low) + " to " + number_to_string(high));
  }

 private:
  std::string_view source_;
};

void validate_layer(const LayerConfig& layer, const Checker& check) {
  check.in_range("the number of attention heads", layer.head_count, 1, kMostHeads);
  check.in_range("the number of key/value heads", layer.kv_head_count, 1, kMostHeads);
  check.in_range("the head size", layer.head_dim, 2, kMostHeadDim);
  check.in_range("the feed-forward size", layer.intermediate_size, 1, kMostIntermediate);
  check.in_range("the sliding window", layer.sliding_window, 0, kMostContext);
  if (layer.head_dim % 2 != 0) {
    check.refuse("the head size", std::to_string(layer.head_dim), "rope needs an even number");
  }
  if (layer.head_count % layer.kv_head_count != 0) {
    check.refuse("the number of attention heads", std::to_string(layer.head_count),
                 "it must be a multiple of the key/value heads (" +
                     std::to_string(layer.kv_head_count) + ")");
  }
}

void validate_rope(const ModelConfig& config, const Checker& check) {
  check.in_range("rope_theta", config.rope_theta, 1.0, 1e15);
  for (const LayerConfig& layer : config.layers) {
    if (config.rope_dim == layer.head_dim) continue;
    check.refuse(
        "the rope dimension", std::to_string(config.rope_dim),
        "only rope over the whole head (" + std::to_string(layer.head_dim) + ") is supported");
  }
  const RopeScaling& scaling = config.rope_scaling;
  if (scaling.kind != RopeScalingKind::kNone) {
    check.in_range("the rope scaling factor", scaling.factor, 1.0, 1e6);
  }
  if (scaling.kind == RopeScalingKind::kLlama3) {
    check.in_range("low_freq_factor", scaling.low_freq_factor, 1e-6, 1e6);
    check.in_range("high_freq_factor", scaling.high_freq_factor, 1e-6, 1e6);
    check.in_range("original_max_position_embeddings", scaling.original_context_length, 1,
                   kMostContext);
    if (scaling.high_freq_factor <= scaling.low_freq_factor) {
      check.refuse("high_freq_factor", number_to_string(scaling.high_freq_factor),
                   "it must be above low_freq_factor");
    }
  }
  if (!config.rope_factors.empty() && config.rope_factors.size() != config.rope_dim / 2) {
    check.refuse("the number of rope factors", std::to_string(config.rope_factors.size()),
                 "the head size asks for " + std::to_string(config.rope_dim / 2));
  }
  for (float factor : config.rope_factors) {
    check.in_range("a rope factor", static_cast<double>(factor), 1e-6, 1e6);
  }
}

}  // namespace

std::vector<KvStream> kv_streams(const LayerConfig& layer) {
  return {{"k", layer.kv_head_count, layer.head_dim, KvOrientation::kPositionMajor,
           layer.sliding_window},
          {"v", layer.kv_head_count, layer.head_dim, KvOrientation::kDimensionMajor,
           layer.sliding_window}};
}

size_t parameter_count(const ModelConfig& config) {
  const size_t hidden = config.hidden_size;
  size_t count = config.vocab_size * hidden * (config.tie_word_embeddings ? 1 : 2) + hidden;
  for (const LayerConfig& layer : config.layers) {
    const size_t q = layer.head_count * layer.head_dim;
    const size_t kv = layer.kv_head_count * layer.head_dim;
    count += 2 * hidden + 2 * q * hidden + 2 * kv * hidden + 3 * layer.intermediate_size * hidden;
    if (layer.qkv_bias) count += q + 2 * kv;
    if (layer.qk_norm) count += 2 * layer.head_dim;
  }
  return count;
}

std::string_view supported_architectures() { return "llama, mistral, qwen2, qwen3"; }

std::vector<float> rope_factors_of(const RopeScaling& scaling, double rope_theta, size_t rope_dim) {
  if (scaling.kind == RopeScalingKind::kNone) return {};
  std::vector<float> factors(rope_dim / 2, static_cast<float>(scaling.factor));
  if (scaling.kind == RopeScalingKind::kLinear) return factors;
  const auto original = static_cast<double>(scaling.original_context_length);
  const double low_wavelength = original / scaling.low_freq_factor;
  const double high_wavelength = original / scaling.high_freq_factor;
  for (size_t i = 0; i < factors.size(); ++i) {
    const double exponent = static_cast<double>(2 * i) / static_cast<double>(rope_dim);
    const double wavelength = 2 * kPi * tensor::pow_f64(rope_theta, exponent);
    if (wavelength > low_wavelength) continue;
    double keep = 1.0;
    if (wavelength >= high_wavelength) {
      keep = (original / wavelength - scaling.low_freq_factor) /
             (scaling.high_freq_factor - scaling.low_freq_factor);
    }
    factors[i] = static_cast<float>(1.0 / ((1.0 - keep) / scaling.factor + keep));
  }
  return factors;
}

void validate(const ModelConfig& config, std::string_view source) {
  const Checker check(source);
  check.in_range("the number of layers", config.layers.size(), 1, kMostLayers);
  check.in_range("the hidden size", config.hidden_size, 1, kMostHidden);
  check.in_range("the vocabulary size", config.vocab_size, 1, kMostVocab);
  check.in_range("the context length", config.context_length, 1, kMostContext);
  check.in_range("rms_norm_eps", static_cast<double>(config.rms_norm_eps), 1e-12, 0.1);
  for (const LayerConfig& layer : config.layers) validate_layer(layer, check);
  validate_rope(config, check);
}

}  // namespace hone::llm
