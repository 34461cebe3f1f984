#pragma once
// LoRA adapters as PEFT keeps them, a directory with adapter_config.json and
// adapter_model.safetensors, and as llama.cpp does, one GGUF file (docs/formats/lora.md).
// W' = W + scale * B A, with scale = alpha / r, or alpha / sqrt(r) with rsLoRA.
//
// Errors: not_found, corrupt_data, invalid_input; options that would change the computation and are
// not supported are refused by name, and so is an adapter that does not fit the model.
// Ownership: everything is copied out of the files.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "llm/formats/gguf.h"
#include "llm/formats/safetensors.h"
#include "llm/model_config.h"

namespace hone::llm {

struct LoraTensorPair {
  std::string module;  // "model.layers.0.self_attn.q_proj"
  size_t r = 0, in = 0, out = 0;
  double alpha = 0.0;
  float scale = 0.0f;
  std::vector<float> a;               // [r, in]
  std::vector<float> b;               // [out, r]
  std::vector<float> magnitude = {};  // [out] with DoRA, else empty
};

struct Adapter {
  std::string base_model;  // base_model_name_or_path, as written by whoever trained it
  size_t r = 8;            // the default; a pair may differ (rank_pattern)
  double alpha = 8.0;
  double dropout = 0.0;  // of training; nothing at use
  bool use_rslora = false;
  bool use_dora = false;  // W' = m (W + scale * B A) / |W + scale * B A|, norms of rows
  std::vector<std::string> target_modules;  // "q_proj", ...; may be empty when the file has a regex
  std::vector<LoraTensorPair> pairs;        // sorted by module
  std::vector<float> score;  // of a reward model: score.weight [1, hidden] of modules_to_save
};

float lora_scale(double alpha, size_t r, bool use_rslora);

// A PEFT directory, or a GGUF file.
Adapter read_adapter(const std::string& path, const ModelConfig& model);
// The same from what the two files hold; `directory` stands in messages.
Adapter parse_adapter(const std::string& directory, std::string_view config_text,
                      const SafetensorsFile& file, const ModelConfig& model);

// In Hugging Face's order of rows, whatever the file's is.
Adapter parse_gguf_adapter(const GgufFile& file, const ModelConfig& model);
// f32, for a base whose GGUF is of that model. Refuses DoRA, which the format has no words for. Every pair must have the same scale times its rank: the
// format has one alpha (invalid_input).
void write_gguf_adapter(Env& env, const std::string& path, const Adapter& adapter,
                        const ModelConfig& model);

// Shapes of a model's linear maps, {rows, cols}, by module ("model.layers.0.self_attn.q_proj").
std::map<std::string, std::pair<size_t, size_t>> linear_layers(const ModelConfig& model);

// Writes f32. Each file appears whole; the directory is made when it is missing.
void write_adapter(Env& env, const std::string& directory, const Adapter& adapter);

}  // namespace hone::llm
