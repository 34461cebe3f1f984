#pragma once
// What a trainer may change: a list of parameters with their gradients in fixed point.
//
// Names are Hugging Face's tensor names. Values stay where the model keeps them (panels or plain
// vectors); a gradient has the layout of its values, as int64 multiples of 2^-exponent
// (decisions 1.4, 1.5), so that no order of adding changes a bit. The true gradient is
// factor * integer * 2^-exponent.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "llm/lora.h"
#include "llm/model.h"
#include "tensor/matmul.h"
#include "tensor/memory.h"

namespace hone::llm {

struct Parameter {
  std::string name;
  float* values = nullptr;
  size_t size = 0;  // values, padding of panels included (it stays zero)
  size_t rows = 0;  // logical shape: a matrix [rows, cols] in panel layout when panels is true,
  size_t cols = 0;  // a plain vector of `rows` values (cols = 1) otherwise
  bool panels = false;
  float factor = 1.0f;
  int64_t* gradient = nullptr;  // parallel to values, in Trainable::memory
  int exponent = 0;

  int64_t* fixed() const { return gradient; }
  tensor::FixedGradient target() const { return {gradient, exponent}; }
};

// Index of a parameter in Trainable::parameters, or kFrozen.
inline constexpr int32_t kFrozen = -1;

struct LayerParameters {
  int32_t weight[kLinearKinds];
  int32_t bias[kLinearKinds];
  int32_t lora_a[kLinearKinds];
  int32_t lora_b[kLinearKinds];
  int32_t magnitude[kLinearKinds];  // llm/dora.h
  int32_t attention_norm, mlp_norm, q_norm, k_norm;
};

struct Trainable {
  std::vector<Parameter> parameters;
  std::vector<LayerParameters> layers;
  int32_t embedding = kFrozen, lm_head = kFrozen, final_norm = kFrozen, score = kFrozen;
  int32_t predictors = kFrozen;  // llm/predictor_tokens.h
  // Called when values have changed, by whoever changed them: brings up to date what follows from
  // them. May be null.
  std::function<void(tensor::Compute&)> refresh;
  tensor::Buffer memory;  // all gradients in one piece: large pages round every piece up

  Parameter* find(int32_t index) {
    return index == kFrozen ? nullptr : &parameters[static_cast<size_t>(index)];
  }
  void clear_gradients();
  size_t gradient_bytes() const { return memory.bytes(); }
};

// Every weight of the model, which must hold f32 panels (make_trainable). A reward model's head of
// its own (not the tied one) reads nothing and is left out with language_head = false.
Trainable full_parameters(Model& model, bool language_head = true);
// The adapter's A, B and magnitudes, and its score head and predictor tokens if it has them.
// Both must outlive the answer and stay where they are.
Trainable lora_parameters(const Model& model, LoraAdapter& adapter);

}  // namespace hone::llm
