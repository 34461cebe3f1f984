#include "llm/linear_backward.h"

#include <vector>

#include "base/check.h"
#include "llm/dora.h"
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

namespace {

constexpr size_t kMostCalls = 3;  // q, k and v

// Weight gradients of one x, gathered and then computed together.
class WeightGradients {
 public:
  WeightGradients(tensor::Compute& compute, Trainable& trainable,
                  std::span<const tensor::TokenGroup> groups, FixedStatistics& statistics)
      : compute_(compute), trainable_(trainable), groups_(groups), statistics_(statistics) {}

  // A frozen one is passed over. At most kMostCalls, all of the same x, before a flush.
  void add(int32_t index, View<const float> dy, View<const float> x) {
    Parameter* parameter = trainable_.find(index);
    if (parameter == nullptr) return;
    HONE_CHECK(count_ < kMostCalls && (count_ == 0 || x.data == x_.data));
    x_ = x;
    parts_[count_++] = {dy, parameter->target()};
  }
  void flush() {
    if (count_ == 0) return;
    merge_statistics(statistics_,
                     tensor::matmul_backward_weights(compute_, {parts_, count_}, x_, groups_));
    count_ = 0;
  }

 private:
  tensor::Compute& compute_;
  Trainable& trainable_;
  std::span<const tensor::TokenGroup> groups_;
  FixedStatistics& statistics_;
  tensor::WeightPart parts_[kMostCalls];
  size_t count_ = 0;
  View<const float> x_;
};

// An adapted call and its memory: h = A x, dh = scale * dy B.
struct AdaptedCall {
  const LinearGradientCall* call;
  const LoraPair* pair;
  size_t kind;
  View<float> h, dh;
};

std::vector<AdaptedCall> adapted_calls(const LoraLayer* lora,
                                       std::span<const LinearGradientCall> calls,
                                       View<float> scratch) {
  std::vector<AdaptedCall> adapted;
  size_t column = 0;
  for (const LinearGradientCall& call : calls) {
    if (lora == nullptr || (*lora)[call.kind].empty()) continue;
    const LoraPair& pair = (*lora)[call.kind];
    const View<float> rows = scratch.slice_rows(0, call.dy.rows);
    adapted.push_back({&call, &pair, static_cast<size_t>(call.kind),
                       rows.slice_cols(column, pair.rank()),
                       rows.slice_cols(column + pair.rank(), pair.rank())});
    column += 2 * pair.rank();
  }
  return adapted;
}

void through_b(tensor::Compute& compute, const AdaptedCall& one) {
  const MatmulInputTerm term = {one.call->dy, &one.pair->b, one.pair->scale};
  tensor::matmul_backward_input(compute, {&term, 1}, one.dh, false);
}

// All calls read one x: h of all in one product, dA of all in one.
void adapter_gradients(tensor::Compute& compute, const LayerParameters& parameters,
                       std::span<const AdaptedCall> adapted, WeightGradients& gradients) {
  std::vector<MatmulPart> down;
  for (const AdaptedCall& one : adapted) {
    if (parameters.lora_b[one.kind] == kFrozen) continue;
    down.push_back({one.call->x, &one.pair->a, one.h, nullptr, false, 1.0f});
  }
  tensor::matmul(compute, down);
  for (const AdaptedCall& one : adapted) {
    through_b(compute, one);
    gradients.add(parameters.lora_b[one.kind], one.call->dy, one.h);
    gradients.flush();
  }
  for (const AdaptedCall& one : adapted) {
    gradients.add(parameters.lora_a[one.kind], one.dh, one.call->x);
  }
  gradients.flush();
}

// Each call reads its own d(x), in memory that the next one takes over.
void dropped_adapter_gradients(tensor::Compute& compute, const LayerParameters& parameters,
                               std::span<const AdaptedCall> adapted, WeightGradients& gradients,
                               const LinearDropout& dropout) {
  for (const AdaptedCall& one : adapted) {
    through_b(compute, one);
    const View<const float> x = one.call->x;
    const View<float> dropped = dropout.scratch.slice_rows(0, x.rows).slice_cols(0, x.cols);
    dropout.rows->apply(compute, dropout.layer, one.call->kind, x, dropped);
    if (parameters.lora_b[one.kind] != kFrozen) {
      const MatmulPart down = {dropped, &one.pair->a, one.h, nullptr, false, 1.0f};
      tensor::matmul(compute, {&down, 1});
      gradients.add(parameters.lora_b[one.kind], one.call->dy, one.h);
      gradients.flush();
    }
    gradients.add(parameters.lora_a[one.kind], one.dh, dropped);
    gradients.flush();
  }
}

// dx += mask / (1 - p) (dh A), call by call.
void add_dropped_inputs(tensor::Compute& compute, std::span<const AdaptedCall> adapted,
                        const LinearDropout& dropout, View<float> dx) {
  for (const AdaptedCall& one : adapted) {
    const MatmulInputTerm term = {one.dh, &one.pair->a, 1.0f};
    const View<float> part = dropout.scratch.slice_rows(0, dx.rows).slice_cols(0, dx.cols);
    tensor::matmul_backward_input(compute, {&term, 1}, part, false);
    dropout.rows->apply(compute, dropout.layer, one.call->kind, part, part);
    tensor::add_rows(compute, dx, part);
  }
}

// The magnitude's gradient of one call, and gain * dy into scratch.
LinearGradientCall through_gain(tensor::Compute& compute, const Layer& layer, const LoraPair& pair,
                                const LinearGradientCall& call, int32_t magnitude,
                                WeightGradients& gradients, View<float> h, View<float> scratch) {
  const size_t m = call.dy.rows;
  if (magnitude != kFrozen) {
    const MatmulPart base = {call.x, &layer[call.kind].weight, scratch, nullptr, false, 1.0f};
    const MatmulPart down = {call.x, &pair.a, h, nullptr, false, 1.0f};
    const MatmulPart up = {h, &pair.b, scratch, nullptr, true, pair.scale};
    tensor::matmul(compute, {&base, 1});
    tensor::matmul(compute, {&down, 1});
    tensor::matmul(compute, {&up, 1});
    compute.pool().run(m, [&](size_t r, size_t) {
      const float* dy = call.dy.row(r);
      float* z = scratch.row(r);
      for (size_t n = 0; n < scratch.cols; ++n) z[n] = dy[n] * z[n] * pair.inverse_norm[n];
    });
    const std::vector<float> ones(m, 1.0f);
    gradients.add(magnitude, scratch, View<const float>(ones.data(), m, 1));
    gradients.flush();
  }
  apply_gain(compute, pair, nullptr, call.dy, scratch, false);
  return {call.kind, call.x, scratch};
}

// The calls as base and pair see them: those with a gain have gain * dy.
std::vector<LinearGradientCall> behind_gains(tensor::Compute& compute, const Layer& layer,
                                             const LoraLayer* lora,
                                             const LayerParameters& parameters,
                                             std::span<const LinearGradientCall> calls,
                                             WeightGradients& gradients, View<float> lora_scratch,
                                             View<float> scratch) {
  std::vector<LinearGradientCall> out(calls.begin(), calls.end());
  size_t column = 0;
  for (LinearGradientCall& call : out) {
    if (lora == nullptr || !(*lora)[call.kind].dora()) continue;
    const LoraPair& pair = (*lora)[call.kind];
    const size_t m = call.dy.rows, outputs = call.dy.cols;
    HONE_CHECK(scratch.data != nullptr && column + outputs <= scratch.cols);
    call = through_gain(compute, layer, pair, call,
                        parameters.magnitude[static_cast<size_t>(call.kind)], gradients,
                        lora_scratch.slice_rows(0, m).slice_cols(0, pair.rank()),
                        scratch.slice_rows(0, m).slice_cols(column, outputs));
    column += (outputs + 15) / 16 * 16;
  }
  return out;
}

}  // namespace

void linear_backward(tensor::Compute& compute, const Layer& layer, const LoraLayer* lora,
                     const LayerParameters& parameters, Trainable& trainable,
                     std::span<const LinearGradientCall> given_calls,
                     std::span<const tensor::TokenGroup> groups, View<float> dx, bool accumulate,
                     View<float> lora_scratch, FixedStatistics& statistics,
                     const LinearDropout& dropout, View<float> dora_scratch) {
  HONE_CHECK(given_calls.size() <= kMostCalls);
  const bool drops = dropout.rows != nullptr;
  WeightGradients gradients(compute, trainable, groups, statistics);
  const std::vector<LinearGradientCall> calls = behind_gains(
      compute, layer, lora, parameters, given_calls, gradients, lora_scratch, dora_scratch);
  std::vector<MatmulInputTerm> terms;
  for (const LinearGradientCall& call : calls) {
    const size_t k = static_cast<size_t>(call.kind);
    terms.push_back({call.dy, &layer[call.kind].weight, 1.0f});
    gradients.add(parameters.weight[k], call.dy, call.x);
  }
  gradients.flush();
  for (const LinearGradientCall& call : calls) {
    const int32_t bias = parameters.bias[static_cast<size_t>(call.kind)];
    if (bias == kFrozen) continue;
    const std::vector<float> ones(call.dy.rows, 1.0f);
    gradients.add(bias, call.dy, View<const float>(ones.data(), call.dy.rows, 1));
    gradients.flush();
  }

  const std::vector<AdaptedCall> adapted = adapted_calls(lora, calls, lora_scratch);
  if (drops) {
    dropped_adapter_gradients(compute, parameters, adapted, gradients, dropout);
  } else {
    adapter_gradients(compute, parameters, adapted, gradients);
    for (const AdaptedCall& one : adapted) terms.push_back({one.dh, &one.pair->a, 1.0f});
  }
  if (dx.data == nullptr) return;
  tensor::matmul_backward_input(compute, terms, dx, accumulate);
  if (drops) add_dropped_inputs(compute, adapted, dropout, dx);
}

}  // namespace hone::llm
