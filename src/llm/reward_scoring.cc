#include "llm/reward_scoring.h"

#include "base/check.h"
#include "llm/score_head.h"

namespace hone::llm {

std::vector<PairSums> score_pairs_by_head(tensor::Compute& compute, const Model& model,
                                          const LoraAdapter* adapter,
                                          const std::vector<PreferenceTokens>& pairs,
                                          const PairScoreOptions& options,
                                          const std::function<void(size_t)>& progress) {
  HONE_CHECK(score_head(model, adapter) != nullptr);
  std::vector<TreeExample> trees;
  for (const PreferenceTokens& pair : pairs) {
    trees.push_back(pair.score_tree(options.prefix_sharing));
  }
  TrainingPass pass(compute, model, adapter, pair_pass_rows(trees, options), PassOptions{true});
  std::vector<PairSums> scores(pairs.size());
  score_trees(pass, trees, [&](size_t i, const TreeResult& result) {
    scores[i] = {static_cast<double>(result.log_probs[0]),
                 static_cast<double>(result.log_probs[1])};
    if (progress) progress(i + 1);
  });
  return scores;
}

std::vector<std::vector<double>> score_steps(tensor::Compute& compute, const Model& model,
                                             const LoraAdapter* adapter,
                                             const std::vector<StepTokens>& rows,
                                             const PairScoreOptions& options,
                                             const std::function<void(size_t)>& progress) {
  HONE_CHECK(score_head(model, adapter) != nullptr);
  std::vector<TreeExample> trees;
  for (const StepTokens& row : rows) trees.push_back(row.score_tree());
  TrainingPass pass(compute, model, adapter, pair_pass_rows(trees, options), PassOptions{true});
  std::vector<std::vector<double>> scores(rows.size());
  score_trees(pass, trees, [&](size_t i, const TreeResult& result) {
    for (float score : result.log_probs) scores[i].push_back(static_cast<double>(score));
    if (progress) progress(i + 1);
  });
  return scores;
}

}  // namespace hone::llm
