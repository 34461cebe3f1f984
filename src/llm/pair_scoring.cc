#include "llm/pair_scoring.h"

#include <algorithm>

namespace hone::llm {

PairSums pair_sums(const PreferenceTokens& pair, const TreeResult& result) {
  PairSums sums;
  const size_t chosen = pair.chosen_tokens();
  for (size_t i = 0; i < result.log_probs.size(); ++i) {
    (i < chosen ? sums.chosen : sums.rejected) += static_cast<double>(result.log_probs[i]);
  }
  return sums;
}

size_t pair_pass_rows(std::span<const TreeExample> trees, const PairScoreOptions& options) {
  size_t all = 0;
  for (const TreeExample& tree : trees) all += tree.tree.row_count();
  return std::min(std::max(options.max_tokens_per_pass, least_pass_rows(trees)),
                  std::max<size_t>(all, 1));
}

std::vector<PairSums> score_pairs(tensor::Compute& compute, const Model& model,
                                  const LoraAdapter* adapter,
                                  const std::vector<PreferenceTokens>& pairs,
                                  const PairScoreOptions& options,
                                  const std::function<void(size_t)>& progress) {
  std::vector<TreeExample> trees;
  for (const PreferenceTokens& pair : pairs) trees.push_back(pair.tree(options.prefix_sharing));
  // Nothing is kept for a backward pass, so the small memory of recompute is enough.
  TrainingPass pass(compute, model, adapter, pair_pass_rows(trees, options), PassOptions{true});
  std::vector<PairSums> sums(pairs.size());
  score_trees(pass, trees, [&](size_t i, const TreeResult& result) {
    sums[i] = pair_sums(pairs[i], result);
    if (progress) progress(i + 1);
  });
  return sums;
}

}  // namespace hone::llm
