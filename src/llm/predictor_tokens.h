#pragma once
// Predictor tokens of LLM-JEPA (arXiv 2509.14252): k tokens behind the vocabulary, ids vocab_size to
// vocab_size + k - 1, whose embeddings [k, hidden] are trained. They are read in training passes
// only and predicted never; what is saved at the end does without them.

#include <cstdint>
#include <span>

#include "llm/lora.h"
#include "llm/model.h"
#include "llm/trainable.h"
#include "tensor/compute.h"
#include "tensor/view.h"

namespace hone::llm {

// Their panel is planned for with a score head's.
inline constexpr size_t kMostPredictors = 16;

// The adapter's own if it has some, else the model's; null when neither has.
const tensor::PanelMatrix* predictors_of(const Model& model, const LoraAdapter* adapter);

// Each starts at the mean of the vocabulary's embeddings, with a normal spread of transformers'
// initializer_range from the stream of the seed. Empty for 0.
tensor::PanelMatrix new_predictors(const Model& model, size_t count, uint64_t seed);

// embed() that knows them; predictors may be null where no token is one.
void embed_with_predictors(tensor::Compute& compute, const Model& model,
                           const tensor::PanelMatrix* predictors, std::span<const int32_t> tokens,
                           tensor::View<float> out);

// Adds each row of dx at its token: to the vocabulary's embedding and to the predictors, where they
// are trained.
tensor::FixedStatistics embedding_gradients(tensor::Compute& compute, const Model& model,
                                            tensor::View<const float> dx,
                                            std::span<const int32_t> tokens, Trainable& trainable);

}  // namespace hone::llm
