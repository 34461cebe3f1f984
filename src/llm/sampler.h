#pragma once
// From a row of logits to the next token.
//
// Order, as transformers has it: penalties, temperature, top-k, top-p, min-p, draw. Ties go to the
// lowest id. The draw is one uniform number of the sequence's own stream, so a text is the same
// alone or among others; a token's log-probability is that of the plain distribution (no penalty,
// temperature 1, nothing cut), the one that scoring gives.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hone::llm {

struct SamplingOptions {
  double temperature = 1;         // 0 = greedy
  double top_p = 1;               // 1 = off
  size_t top_k = 0;               // 0 = off
  double min_p = 0;               // 0 = off; relative to the most likely token
  double repetition_penalty = 1;  // 1 = off; over prompt and answer, as transformers
  double presence_penalty = 0;    // over the answer, as OpenAI
  double frequency_penalty = 0;
};

// Throws invalid_input that names the option.
void validate(const SamplingOptions& options);

class Sampler {
 public:
  // uniform is in [0, 1). logits is changed by penalties only when there are any (a copy is used).
  int32_t sample(std::span<const float> logits, const SamplingOptions& options,
                 std::span<const int32_t> prompt, std::span<const int32_t> answer, double uniform);

 private:
  void penalise(const SamplingOptions& options, std::span<const int32_t> prompt,
                std::span<const int32_t> answer);
  int32_t draw_filtered(const SamplingOptions& options, double uniform);

  std::vector<float> logits_, weights_;
  std::vector<int32_t> candidates_;
};

}  // namespace hone::llm
