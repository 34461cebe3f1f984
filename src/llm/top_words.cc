#include "llm/top_words.h"

#include <algorithm>

namespace hone::llm {

std::vector<TokenLogProb> most_likely(std::span<const float> logits, float lse, size_t k) {
  std::vector<TokenLogProb> top;  // logits at first
  k = std::min(k, logits.size());
  if (k == 0) return top;
  top.reserve(k + 1);
  for (size_t i = 0; i < logits.size(); ++i) {
    if (top.size() == k && !(logits[i] > top.back().log_prob)) continue;
    // Behind its equals: they have lower ids.
    const auto at = std::find_if(top.begin(), top.end(), [&](const TokenLogProb& other) {
      return logits[i] > other.log_prob;
    });
    top.insert(at, {static_cast<int32_t>(i), logits[i]});
    if (top.size() > k) top.pop_back();
  }
  for (TokenLogProb& token : top) token.log_prob -= lse;
  return top;
}

}  // namespace hone::llm
