#pragma once
// The most likely words of a row of logits.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hone::llm {

struct TokenLogProb {
  int32_t id = 0;
  float log_prob = 0;
};

// The k most likely tokens of a row, the most likely first, ties by id.
std::vector<TokenLogProb> most_likely(std::span<const float> logits, float lse, size_t k);

}  // namespace hone::llm
