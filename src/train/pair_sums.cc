#include "train/pair_sums.h"

#include <algorithm>

namespace hone::train {

size_t pair_tokens(const llm::PreferenceTokens& pair) {
  return 2 * pair.prompt.size() + pair.chosen.size() + pair.rejected.size();
}

PairWatch watch_pair(const llm::PreferenceTokens& pair, const llm::TreeExample& tree,
                     const llm::TreeResult& result, size_t skip) {
  PairWatch watch;
  for (size_t i = skip; i < result.log_probs.size(); ++i) {
    const bool chosen = i - skip < pair.chosen_tokens();
    SideSums& side = chosen ? watch.chosen : watch.rejected;
    side.log_prob += static_cast<double>(result.log_probs[i]);
    side.correct += result.rows[i].argmax == tree.token(tree.targets[i]) ? 1 : 0;
    if (!result.mean_logits.empty()) {
      side.mean_logits += static_cast<double>(result.mean_logits[i]);
    }
    watch.entropy += static_cast<double>(result.rows[i].entropy);
    ++side.tokens;
  }
  return watch;
}

void add_pair_metrics(Json& metrics, const std::string& prefix, const std::vector<PairWatch>& pairs,
                      const std::vector<PairRewards>& rewards) {
  SideSums chosen, rejected;
  double entropy = 0, correct = 0;
  PairRewards sums;
  const auto add = [](SideSums& into, const SideSums& side) {
    into.mean_logits += side.mean_logits;
    into.tokens += side.tokens;
    into.correct += side.correct;
  };
  for (size_t i = 0; i < pairs.size(); ++i) {
    add(chosen, pairs[i].chosen);
    add(rejected, pairs[i].rejected);
    entropy += pairs[i].entropy;
    sums.chosen += rewards[i].chosen;
    sums.rejected += rewards[i].rejected;
    sums.log_prob_chosen += rewards[i].log_prob_chosen;
    sums.log_prob_rejected += rewards[i].log_prob_rejected;
    correct += rewards[i].chosen > rewards[i].rejected ? 1 : 0;
  }
  const auto mean = [](double sum, size_t count) {
    return sum / static_cast<double>(std::max<size_t>(count, 1));
  };
  const size_t n = pairs.size();
  metrics[prefix + "rewards/chosen"] = mean(sums.chosen, n);
  metrics[prefix + "rewards/rejected"] = mean(sums.rejected, n);
  metrics[prefix + "rewards/accuracies"] = mean(correct, n);
  metrics[prefix + "rewards/margins"] = mean(sums.chosen - sums.rejected, n);
  metrics[prefix + "logps/chosen"] = mean(sums.log_prob_chosen, n);
  metrics[prefix + "logps/rejected"] = mean(sums.log_prob_rejected, n);
  metrics[prefix + "logits/chosen"] = mean(chosen.mean_logits, chosen.tokens);
  metrics[prefix + "logits/rejected"] = mean(rejected.mean_logits, rejected.tokens);
  metrics[prefix + "entropy"] = mean(entropy, chosen.tokens + rejected.tokens);
  metrics[prefix + "mean_token_accuracy"] =
      mean(static_cast<double>(chosen.correct), chosen.tokens);
}

}  // namespace hone::train
