#pragma once
// Choosing the next token from one row of logits, in a defined order.
//
//   1. penalties (apply_penalties, in place): repetition as in transformers (logit / r when above
//      0, else logit * r, for every token seen), then presence and frequency as in OpenAI's API
//      (for tokens of the output only)
//   2. weight = exp_f32(logit / temperature - largest); temperature 0 takes the largest, ties to
//      the lowest id
//   3. min-p: weights below min_p times the largest drop out
//   4. top-k: the k largest stay, ties to the lowest id
//   5. top-p: of what is left, the fewest largest whose sum reaches top_p of it stay, at least one
//   6. the draw: the first token whose running sum (f64) exceeds u times the sum of what stays.
//      Order of running sums: by id when nothing dropped out in 3 to 5, else by weight descending,
//      id ascending.
// Everything but exp_f32's f32 is f64. u comes from base/rng.h, keyed by (seed, index, sample).
//
// The log-probability that a trainer wants is logit[token] - lse of the untouched row
// (log_softmax.h), not of the tempered one; kept_mass tells how much of the tempered distribution
// the truncation left.

#include <cstdint>
#include <span>
#include <vector>

namespace hone::tensor {

struct SamplingSettings {
  float temperature = 1.0f;        // 0 = greedy
  int32_t top_k = 0;               // 0 = all
  float top_p = 1.0f;              // 1 = all
  float min_p = 0.0f;              // 0 = all
  float repetition_penalty = 1.0f; // 1 = none
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
};

struct SeenToken {
  int32_t token = 0;
  uint32_t output_count = 0;  // how often in the output; 0 = in the prompt only
};
// Each token at most once in `seen`; tokens outside the row are ignored.
void apply_penalties(const SamplingSettings& settings, std::span<const SeenToken> seen,
                     std::span<float> logits);

struct Draw {
  int32_t token = 0;
  double probability = 1.0;  // of the token under what was drawn from
  double kept_mass = 1.0;    // of the tempered distribution, after min-p, top-k and top-p
};

// Keeps its memory between draws. Thread rule: one thread at a time.
class Sampler {
 public:
  // logits: not empty, without NaN. u in [0, 1).
  Draw draw(std::span<const float> logits, const SamplingSettings& settings, double u);

 private:
  Draw draw_from_all(double u) const;
  Draw draw_from_largest(const SamplingSettings& settings, double u);
  size_t sort_largest(size_t wanted);

  std::vector<float> weights_;
  std::vector<int32_t> order_;
};

// The lowest id of the largest logit.
int32_t argmax_token(std::span<const float> logits);

}  // namespace hone::tensor
