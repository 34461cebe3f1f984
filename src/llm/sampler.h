#pragma once
// From a row of logits to the next token.
//
// Order, as transformers has it: biases, penalties, what may not come is taken out, temperature,
// top-k, top-p, min-p, draw. Ties go to the lowest id. The draw is one uniform number of the sequence's own stream, so a text is the same
// alone or among others; a token's log-probability is that of the plain distribution (no penalty,
// temperature 1, nothing cut), the one that scoring gives.

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hone::llm {

inline constexpr size_t kMaxLogitBiases = 4096;

struct SamplingOptions {
  double temperature = 1;         // 0 = greedy
  double top_p = 1;               // 1 = off
  size_t top_k = 0;               // 0 = off
  double min_p = 0;               // 0 = off; relative to the most likely token
  double repetition_penalty = 1;  // 1 = off; over prompt and answer, as transformers
  double presence_penalty = 0;    // over the answer, as OpenAI
  double frequency_penalty = 0;
  // Added to the logits of those tokens, -100 to 100; at most kMaxLogitBiases, no token twice.
  std::vector<std::pair<int32_t, float>> logit_bias;

  // Whether the most likely token is drawn, whatever came before.
  bool plain_greedy() const {
    return temperature == 0 && repetition_penalty == 1 && presence_penalty == 0 &&
           frequency_penalty == 0 && logit_bias.empty();
  }
};

// Throws invalid_input that names the option. Token ids of biases are the caller's to check.
void validate(const SamplingOptions& options);

class Sampler {
 public:
  // uniform is in [0, 1). A copy of the logits is used where biases, penalties or a mask change them.
  // allowed: empty, or one bit per token of which at least one is set (llm/token_constraint.h).
  int32_t sample(std::span<const float> logits, const SamplingOptions& options,
                 std::span<const int32_t> prompt, std::span<const int32_t> answer, double uniform,
                 std::span<const uint64_t> allowed = {});

  // What top-k, top-p and min-p left for the last draw: the share of the probability, at the draw's
  // temperature, that could come. The distribution that was drawn from is the plain one divided by
  // it. 1 where they are off.
  float kept() const { return kept_; }

 private:
  void penalise(const SamplingOptions& options, std::span<const int32_t> prompt,
                std::span<const int32_t> answer);
  std::span<const float> changed(std::span<const float> logits, const SamplingOptions& options,
                                 std::span<const int32_t> prompt, std::span<const int32_t> answer,
                                 std::span<const uint64_t> allowed);
  int32_t draw_filtered(const SamplingOptions& options, double uniform,
                        std::span<const uint64_t> allowed);

  std::vector<float> logits_, weights_;
  std::vector<int32_t> candidates_;
  float kept_ = 1;
};

}  // namespace hone::llm
