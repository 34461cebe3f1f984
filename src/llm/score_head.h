#pragma once
// The score head: one linear output [1, hidden] on the final norm's output, without bias
// (transformers' score.weight of a sequence classifier with one label). A reward model reads it at
// an answer's last token, a value head at every token of an answer.
//
// The value of a row is matmul's sum (tensor/matmul.h): the same bits in training and in scoring,
// whatever else is in the pass.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "llm/lora.h"
#include "llm/model.h"
#include "tensor/compute.h"
#include "tensor/view.h"

namespace hone::llm {

// The head that a forward with this adapter reads: the adapter's own if it has one, else the
// model's; null when neither has one.
const tensor::PanelMatrix* score_head(const Model& model, const LoraAdapter* adapter);

// A new head, normal with transformers' initializer_range, from the stream of the seed.
tensor::PanelMatrix new_score_head(size_t hidden_size, uint64_t seed);
// Without spread: values start at 0.
tensor::PanelMatrix zero_score_head(size_t hidden_size);

// scores [M, 1] of hidden [M, hidden].
void score_rows_of(tensor::Compute& compute, const tensor::PanelMatrix& head,
                   tensor::View<const float> hidden, tensor::View<float> scores);

// The score behind the last token of every row, by the training forward. `on_score` is called in
// order. No row may be empty or longer than the context (invalid_input that names its index).
void score_answers(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
                   std::span<const std::vector<int32_t>> rows, size_t max_tokens_per_pass,
                   const std::function<void(size_t index, float score)>& on_score);

}  // namespace hone::llm
