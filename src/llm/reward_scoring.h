#pragma once
// Scores of both answers of preference pairs by the score head (llm/score_head.h): evaluation of
// reward models. The training forward, so the same bits as training sees.

#include <functional>
#include <vector>

#include "llm/pair_scoring.h"

namespace hone::llm {

// PairSums hold the scores. The model or the adapter has a score head.
std::vector<PairSums> score_pairs_by_head(tensor::Compute& compute, const Model& model,
                                          const LoraAdapter* adapter,
                                          const std::vector<PreferenceTokens>& pairs,
                                          const PairScoreOptions& options,
                                          const std::function<void(size_t done)>& progress = {});

// The scores behind each row's steps.
std::vector<std::vector<double>> score_steps(tensor::Compute& compute, const Model& model,
                                             const LoraAdapter* adapter,
                                             const std::vector<StepTokens>& rows,
                                             const PairScoreOptions& options,
                                             const std::function<void(size_t done)>& progress = {});

}  // namespace hone::llm
