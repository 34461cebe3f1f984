#pragma once
// LoRA (Hu et al. 2021; PEFT's names): y += scale * B (A x) on chosen linear maps; rsLoRA and DoRA.
//
// Base and adapter are computed apart, in serving as in training: W + BA rounds differently.
// Every sum is matmul's, so an adapter's answer does not depend on the batch either.

#include <cstdint>
#include <string>
#include <vector>

#include "base/env.h"
#include "llm/model.h"
#include "tensor/panels.h"

namespace hone::llm {

struct LoraPair {
  tensor::PanelMatrix a;  // [r, in], f32
  tensor::PanelMatrix b;  // [out, r], f32
  float scale = 0;        // alpha / r, or alpha / sqrt(r) with rsLoRA
  double alpha = 0;
  // DoRA (llm/dora.h), else empty: one an output. Only magnitude is stored and trained, the others
  // follow from it (refresh_dora).
  std::vector<float> magnitude;
  std::vector<float> gain, inverse_norm;
  std::vector<double> base_squares;  // |W|^2 of each row

  bool dora() const { return !magnitude.empty(); }
  size_t rank() const { return a.rows(); }
  bool empty() const { return a.rows() == 0; }
};

struct LoraLayer {
  LoraPair pair[kLinearKinds];
  LoraPair& operator[](LinearKind kind) { return pair[static_cast<size_t>(kind)]; }
  const LoraPair& operator[](LinearKind kind) const { return pair[static_cast<size_t>(kind)]; }
};

struct LoraAdapter {
  std::vector<LoraLayer> layers;  // one per layer of the model
  bool use_rslora = false;
  bool use_dora = false;  // every pair has a magnitude
  // [1, hidden], f32: a score head that was trained with it (PEFT's modules_to_save); else empty.
  tensor::PanelMatrix score;
  tensor::PanelMatrix predictors;  // of training only (llm/predictor_tokens.h), never saved
  size_t max_rank() const;
  uint64_t bytes() const;  // of memory
};

struct LoraOptions {
  size_t r = 16;
  double alpha = 0;  // 0 = 2 r
  bool use_rslora = false;
  std::vector<std::string> target_modules;  // "q_proj", ...; empty = all linear
};

// A: uniform in +-1/sqrt(in) (PEFT's kaiming_uniform with a = sqrt 5), from the stream of
// (seed, module); B: zero, so that training starts from the base model.
LoraAdapter make_lora(const Model& model, const LoraOptions& options, uint64_t seed);

// PEFT directory, or a GGUF file of llama.cpp's. Refuses an adapter made for another model, or one that asks what Hone
// cannot do, by name. With DoRA and a model whose weights are not loaded yet, refresh_dora
// (llm/dora.h) must follow once they are.
LoraAdapter load_lora(const Model& model, const std::string& directory);
// What load_lora's result will take, from the header of the file alone.
uint64_t planned_lora_bytes(Env& env, const std::string& directory);
// Writes a PEFT directory; base_model is what adapter_config.json will name.
void save_lora(Env& env, const std::string& directory, const LoraAdapter& adapter,
               const std::string& base_model);

}  // namespace hone::llm
