#include "llm/predictor_tokens.h"

#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "llm/forward.h"
#include "llm/linear_backward.h"
#include "tensor/embedding.h"

namespace hone::llm {

using tensor::PanelMatrix;
using tensor::View;

namespace {

constexpr double kInitializerRange = 0.02;

bool is_predictor(const Model& model, int32_t token) {
  return static_cast<size_t>(token) >= model.config.vocab_size;
}

}  // namespace

const PanelMatrix* predictors_of(const Model& model, const LoraAdapter* adapter) {
  if (adapter != nullptr && adapter->predictors.rows() > 0) return &adapter->predictors;
  return model.predictors.rows() > 0 ? &model.predictors : nullptr;
}

PanelMatrix new_predictors(const Model& model, size_t count, uint64_t seed) {
  HONE_CHECK(count <= kMostPredictors);
  if (count == 0) return {};
  const size_t hidden = model.config.hidden_size, vocab = model.config.vocab_size;
  std::vector<double> sum(hidden);
  std::vector<float> row(hidden);
  for (size_t v = 0; v < vocab; ++v) {
    model.embedding.read_row(v, row.data());
    for (size_t k = 0; k < hidden; ++k) sum[k] += static_cast<double>(row[k]);
  }
  PanelMatrix predictors = PanelMatrix::zeros(count, hidden);
  Rng rng(seed, rng_stream("predictor-tokens"));
  for (size_t n = 0; n < count; ++n) {
    for (size_t k = 0; k < hidden; ++k) {
      row[k] = static_cast<float>(sum[k] / static_cast<double>(vocab) +
                                  kInitializerRange * rng.normal());
    }
    predictors.write_row(n, row.data());
  }
  return predictors;
}

void embed_with_predictors(tensor::Compute& compute, const Model& model,
                           const PanelMatrix* predictors, std::span<const int32_t> tokens,
                           View<float> out) {
  if (predictors == nullptr) {
    embed(compute, model, tokens, out);
    return;
  }
  std::vector<int32_t> words(tokens.begin(), tokens.end());
  for (int32_t& token : words) token = is_predictor(model, token) ? 0 : token;
  embed(compute, model, words, out);
  for (size_t r = 0; r < tokens.size(); ++r) {
    if (!is_predictor(model, tokens[r])) continue;
    predictors->read_row(static_cast<size_t>(tokens[r]) - model.config.vocab_size, out.row(r));
  }
}

tensor::FixedStatistics embedding_gradients(tensor::Compute& compute, const Model& model,
                                            View<const float> dx, std::span<const int32_t> tokens,
                                            Trainable& trainable) {
  tensor::FixedStatistics statistics;
  std::vector<int32_t> ids;
  // Runs of rows of one kind; the sums are integers, so that cutting changes no bit.
  for (size_t begin = 0, end = 0; begin < tokens.size(); begin = end) {
    const bool predictors = is_predictor(model, tokens[begin]);
    end = begin;
    while (end < tokens.size() && is_predictor(model, tokens[end]) == predictors) ++end;
    const Parameter* p = trainable.find(predictors ? trainable.predictors : trainable.embedding);
    if (p == nullptr) continue;
    ids.assign(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
               tokens.begin() + static_cast<std::ptrdiff_t>(end));
    if (predictors) {
      for (int32_t& id : ids) id -= static_cast<int32_t>(model.config.vocab_size);
    }
    merge_statistics(statistics,
                     tensor::embedding_backward(compute, dx.slice_rows(begin, end - begin),
                                                ids.data(), p->target()));
  }
  return statistics;
}

}  // namespace hone::llm
