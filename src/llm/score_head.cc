#include "llm/score_head.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "base/rng.h"
#include "llm/training_pass.h"
#include "llm/tree_scoring.h"
#include "tensor/matmul.h"

namespace hone::llm {

using tensor::PanelMatrix;

namespace {
constexpr double kInitializerRange = 0.02;
}

const PanelMatrix* score_head(const Model& model, const LoraAdapter* adapter) {
  if (adapter != nullptr && adapter->score.rows() > 0) return &adapter->score;
  return model.score.rows() > 0 ? &model.score : nullptr;
}

PanelMatrix zero_score_head(size_t hidden_size) { return PanelMatrix::zeros(1, hidden_size); }

PanelMatrix new_score_head(size_t hidden_size, uint64_t seed) {
  PanelMatrix head = zero_score_head(hidden_size);
  Rng rng(seed, rng_stream("score-head"));
  std::vector<float> row(hidden_size);
  for (float& value : row) value = static_cast<float>(kInitializerRange * rng.normal());
  head.write_row(0, row.data());
  return head;
}

void score_rows_of(tensor::Compute& compute, const PanelMatrix& head,
                   tensor::View<const float> hidden, tensor::View<float> scores) {
  const tensor::MatmulPart part = {hidden, &head, scores, nullptr, false, 1.0f};
  tensor::matmul(compute, {&part, 1});
}

void score_answers(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
                   std::span<const std::vector<int32_t>> rows, size_t max_tokens_per_pass,
                   const std::function<void(size_t, float)>& on_score) {
  HONE_CHECK(score_head(model, adapter) != nullptr);
  std::vector<TreeExample> trees;
  size_t all = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].empty() || rows[i].size() > model.config.context_length) {
      throw invalid_input("answer " + std::to_string(i) + " has " + std::to_string(rows[i].size()) +
                          " tokens: a score needs 1 to " +
                          std::to_string(model.config.context_length));
    }
    trees.push_back(
        {make_sequence(rows[i]), {{0, static_cast<uint32_t>(rows[i].size() - 1), true}}});
    all += rows[i].size();
  }
  if (trees.empty()) return;
  const size_t pass_rows =
      std::min(std::max(max_tokens_per_pass, least_pass_rows(trees)), std::max<size_t>(all, 1));
  TrainingPass pass(compute, model, adapter, pass_rows, PassOptions{true});
  score_trees(pass, trees,
              [&](size_t i, const TreeResult& result) { on_score(i, result.log_probs[0]); });
}

}  // namespace hone::llm
