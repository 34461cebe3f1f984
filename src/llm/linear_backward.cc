#include "llm/linear_backward.h"

#include <vector>

#include "base/check.h"
#include "tensor/rms_norm.h"

namespace hone::llm {

using tensor::FixedStatistics;
using tensor::MatmulInputTerm;
using tensor::MatmulPart;
using tensor::View;

void merge_statistics(FixedStatistics& into, const FixedStatistics& from) {
  into.overflow = into.overflow || from.overflow;
  into.flushed_to_zero += from.flushed_to_zero;
}

void linear_backward(tensor::Compute& compute, const Layer& layer, const LoraLayer* lora,
                     const LayerParameters& parameters, Trainable& trainable,
                     std::span<const LinearGradientCall> calls,
                     std::span<const tensor::TokenGroup> groups, View<float> dx, bool accumulate,
                     View<float> lora_scratch, FixedStatistics& statistics,
                     const LinearDropout& dropout) {
  HONE_CHECK(calls.size() <= 3);
  const auto weight_gradient = [&](int32_t index, View<const float> dy, View<const float> x) {
    Parameter* parameter = trainable.find(index);
    if (parameter == nullptr) return;
    merge_statistics(statistics,
                     tensor::matmul_backward_weight(compute, dy, x, groups, parameter->target()));
  };
  MatmulInputTerm terms[6];
  MatmulInputTerm through_a[kLinearKinds];  // with dropout: masked, so apart from the others
  size_t term_count = 0;
  for (const LinearGradientCall& call : calls) {
    terms[term_count++] = {call.dy, &layer[call.kind].weight, 1.0f};
  }

  size_t column = 0;
  for (const LinearGradientCall& call : calls) {
    const size_t k = static_cast<size_t>(call.kind);
    weight_gradient(parameters.weight[k], call.dy, call.x);
    if (parameters.bias[k] != kFrozen) {
      const std::vector<float> ones(call.dy.rows, 1.0f);
      weight_gradient(parameters.bias[k], call.dy, View<const float>(ones.data(), call.dy.rows, 1));
    }
    if (lora == nullptr || (*lora)[call.kind].empty()) continue;
    const LoraPair& pair = (*lora)[call.kind];
    const View<float> scratch = lora_scratch.slice_rows(0, call.dy.rows);
    const View<float> h = scratch.slice_cols(column, pair.rank());
    const View<float> dh = scratch.slice_cols(column + pair.rank(), pair.rank());
    column += 2 * pair.rank();
    const MatmulInputTerm through_b = {call.dy, &pair.b, pair.scale};
    tensor::matmul_backward_input(compute, {&through_b, 1}, dh, false);
    View<const float> x = call.x;
    if (dropout.rows != nullptr) {
      const View<float> dropped = dropout.scratch.slice_rows(0, x.rows).slice_cols(0, x.cols);
      dropout.rows->apply(compute, dropout.layer, call.kind, x, dropped);
      x = dropped;
    }
    if (parameters.lora_b[k] != kFrozen) {
      const MatmulPart down = {x, &pair.a, h, nullptr, false, 1.0f};
      tensor::matmul(compute, {&down, 1});
      weight_gradient(parameters.lora_b[k], call.dy, h);
    }
    weight_gradient(parameters.lora_a[k], dh, x);
    (dropout.rows == nullptr ? terms[term_count++] : through_a[k]) = {dh, &pair.a, 1.0f};
  }
  if (dx.data != nullptr) {
    tensor::matmul_backward_input(compute, {terms, term_count}, dx, accumulate);
    for (const LinearGradientCall& call : calls) {
      const MatmulInputTerm& term = through_a[static_cast<size_t>(call.kind)];
      if (term.weights == nullptr) continue;
      const View<float> part = dropout.scratch.slice_rows(0, dx.rows).slice_cols(0, dx.cols);
      tensor::matmul_backward_input(compute, {&term, 1}, part, false);
      dropout.rows->apply(compute, dropout.layer, call.kind, part, part);
      tensor::add_rows(compute, dx, part);
    }
  }
}

}  // namespace hone::llm
