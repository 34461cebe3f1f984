#pragma once
// A model family as data: what the one forward needs to know of a model, layer by layer. No class
// per family; a new kind of layer becomes a field here.
//
// Read from GGUF metadata and from config.json, written back to both (llm/formats/). Every number
// has passed validate(): bounds, divisibility, and only what the forward computes.
//
// Families: llama (Llama 2 and 3.x, SmolLM2), mistral (sliding window), qwen2 (bias on q, k, v),
// qwen3 (norm on q and k, head size of its own).
//
// Plain data; copies are deep.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hone::llm {

enum class RopeScalingKind { kNone, kLinear, kLlama3 };

struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1.0;
  double low_freq_factor = 1.0;        // llama3
  double high_freq_factor = 4.0;       // llama3
  size_t original_context_length = 0;  // llama3, in tokens

  bool operator==(const RopeScaling&) const = default;
};

struct LayerConfig {
  size_t head_count = 0;
  size_t kv_head_count = 0;   // divides head_count
  size_t head_dim = 0;        // even
  size_t sliding_window = 0;  // tokens that a token sees, itself included; 0: all before it
  bool rope = true;
  bool qkv_bias = false;
  bool qk_norm = false;          // RMS norm of every q and k head before rope
  size_t intermediate_size = 0;  // of the SwiGLU

  bool operator==(const LayerConfig&) const = default;
};

struct ModelConfig {
  std::string architecture;  // "llama", "mistral", "qwen2", "qwen3"
  size_t vocab_size = 0;     // rows of the embedding; may exceed the tokenizer's list
  size_t hidden_size = 0;
  size_t context_length = 0;  // trained positions
  float rms_norm_eps = 0.0f;
  double rope_theta = 0.0;
  size_t rope_dim = 0;       // values of a head that rotate; the head size in all families here
  RopeScaling rope_scaling;  // how the factors came about: for writing files
  // Divisor of each of the rope_dim / 2 frequencies, whatever the scaling; empty: all 1. What the
  // forward uses: angle(i) = position * theta^(-2i / rope_dim) / rope_factors[i].
  std::vector<float> rope_factors;
  bool tie_word_embeddings = false;
  bool score_head = false;    // [1, hidden] on the final norm: a reward or value model
  bool language_head = true;  // false: a reward model that can score and not write
  std::vector<LayerConfig> layers;

  bool operator==(const ModelConfig&) const = default;
};

// What one layer keeps for every position.
enum class KvOrientation { kPositionMajor, kDimensionMajor };  // K panels, V panels
struct KvStream {
  std::string_view name;  // "k", "v"
  size_t heads = 0;
  size_t width = 0;  // values a head and position
  KvOrientation orientation = KvOrientation::kPositionMajor;
  size_t window = 0;  // positions that are ever read again; 0: all
};
std::vector<KvStream> kv_streams(const LayerConfig& layer);

// Number of stored weights by this config, tied ones once.
size_t parameter_count(const ModelConfig& config);

// The architectures that are read, for messages: "llama, mistral, qwen2, qwen3".
std::string_view supported_architectures();

// The divisors that a scaling means (Llama 3.1's rule for llama3); empty for none.
std::vector<float> rope_factors_of(const RopeScaling& scaling, double rope_theta, size_t rope_dim);

// Throws invalid_input "SOURCE: FIELD is VALUE; ..." on the first number that is out of bounds or
// does not fit the others.
void validate(const ModelConfig& config, std::string_view source);

}  // namespace hone::llm
