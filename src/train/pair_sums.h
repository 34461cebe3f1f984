#pragma once
// What the methods of pairs share: how tokens are counted, and what is watched of a batch, by TRL's
// names.

#include <string>
#include <vector>

#include "base/json.h"
#include "llm/tokenized_rows.h"
#include "llm/tree_scoring.h"

namespace hone::train {

// As num_tokens counts them: each answer behind its own prompt.
size_t pair_tokens(const llm::PreferenceTokens& pair);

// Sums over one side's completion tokens.
struct SideSums {
  double log_prob = 0, mean_logits = 0;
  size_t tokens = 0, correct = 0;
};

struct PairWatch {
  SideSums chosen, rejected;
  double entropy = 0;
};

// The completion tokens' targets stand behind `skip` others (of the prompt).
PairWatch watch_pair(const llm::PreferenceTokens& pair, const llm::TreeExample& tree,
                     const llm::TreeResult& result, size_t skip);

// What the method's loss reads of a pair: each side's log-probability, a sum or a mean, and its
// reward.
struct PairRewards {
  double chosen = 0, rejected = 0;
  double log_prob_chosen = 0, log_prob_rejected = 0;
};
// rewards/*, logps/*, logits/*, entropy and mean_token_accuracy.
void add_pair_metrics(Json& metrics, const std::string& prefix, const std::vector<PairWatch>& pairs,
                      const std::vector<PairRewards>& rewards);

}  // namespace hone::train
