#pragma once
// Summed log-probabilities of both answers of preference pairs under a model: references of DPO,
// implicit rewards, evaluation. The training forward, so the same bits as training sees.

#include <functional>
#include <span>
#include <vector>

#include "llm/lora.h"
#include "llm/model.h"
#include "llm/tokenized_rows.h"

namespace hone::llm {

struct PairSums {
  double chosen = 0, rejected = 0;
};

struct PairScoreOptions {
  size_t max_tokens_per_pass = 512;
  bool prefix_sharing = true;
};

// Sums over a tree's targets: the chosen answer's first.
PairSums pair_sums(const PreferenceTokens& pair, const TreeResult& result);

// Rows of the pass that scores these pairs: as many as --max-tokens-per-pass lets in, at least those
// of the largest tree, at most all.
size_t pair_pass_rows(std::span<const TreeExample> trees, const PairScoreOptions& options);

std::vector<PairSums> score_pairs(tensor::Compute& compute, const Model& model,
                                  const LoraAdapter* adapter,
                                  const std::vector<PreferenceTokens>& pairs,
                                  const PairScoreOptions& options,
                                  const std::function<void(size_t done)>& progress = {});

}  // namespace hone::llm
