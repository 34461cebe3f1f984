#pragma once
// A Llama-family model in memory: its description and its packed weights. Families differ by the
// data in ModelConfig (llm/model_config.h), never by class.
//
// Ownership: owns its weights; nothing reads the user's file after load (decisions 2.1).
// Thread rule: const while anything runs on it; a trainer that owns it writes between passes.

#include <cstdint>
#include <string_view>
#include <vector>

#include "llm/model_config.h"
#include "tensor/compute.h"
#include "tensor/panels.h"
#include "tensor/rope.h"

namespace hone::llm {

class ModelFile;

// y = x W^T + bias.
struct Linear {
  tensor::PanelMatrix weight;  // [out, in]
  std::vector<float> bias;     // [out] or empty
};

// The seven linear maps of a layer, in the order in which they run. The names are those of Hugging
// Face's modules: LoRA targets, gradient names and files use them.
enum class LinearKind : uint8_t { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr size_t kLinearKinds = 7;
std::string_view linear_module(LinearKind kind);  // "self_attn.q_proj", ..., "mlp.down_proj"

struct Layer {
  std::vector<float> attention_norm;  // input_layernorm
  std::vector<float> mlp_norm;        // post_attention_layernorm
  std::vector<float> q_norm, k_norm;  // per head (Qwen3), or empty
  Linear linear[kLinearKinds];

  Linear& operator[](LinearKind kind) { return linear[static_cast<size_t>(kind)]; }
  const Linear& operator[](LinearKind kind) const { return linear[static_cast<size_t>(kind)]; }
};

struct Model {
  ModelConfig config;
  tensor::PanelMatrix embedding;   // [vocab, hidden]; the head too when tied
  tensor::PanelMatrix lm_head;     // [vocab, hidden], empty when tied or without a language head
  tensor::PanelMatrix score;       // [1, hidden], empty without a score head (llm/score_head.h)
  tensor::PanelMatrix predictors;  // of training only (llm/predictor_tokens.h), never saved
  std::vector<float> final_norm;
  std::vector<Layer> layers;
  tensor::RopeTable rope;

  const tensor::PanelMatrix& head() const {
    return config.tie_word_embeddings ? embedding : lm_head;
  }
  size_t weight_bytes() const;
  size_t parameter_count() const;
};

// Who needs what of a model.
enum class HeadNeed { kLanguage, kScore };

// Reads every tensor that the config demands and packs it. Refuses weights that are not finite, and
// a reward model without a language head where one is needed.
Model load_model(tensor::Compute& compute, const ModelFile& file,
                 HeadNeed need = HeadNeed::kLanguage);

// All matrices as f32 panels: full fine-tuning starts here.
void make_trainable(tensor::Compute& compute, Model& model);

}  // namespace hone::llm
